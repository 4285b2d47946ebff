"""Which agents there are for a directory, and which tools each of them has."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import attrs

from codetether.agent_files import AgentFiles
from codetether.errors import PluginError, SettingsError
from codetether.plugins.loaded import LoadedPlugins
from codetether.settings.settings import Settings
from codetether.specs import AgentSpec
from codetether.values import frozen


@frozen(kw_only=True)
class Agents:
    """The agents that there are for a directory: of the settings, the user's files, the plugins, the repository.

    Nothing is read before it is asked for.
    """

    settings: Settings
    plugins: LoadedPlugins
    directory: Path

    @property
    def files(self) -> AgentFiles:
        """The files that describe agents."""
        steps = self.settings.max_steps()
        return AgentFiles(directories=self.settings.directories, directory=self.directory, steps=steps)

    def all(self) -> dict[str, AgentSpec]:
        """Those that can be used, by name; of several with the same name the first, a repository's last of all."""
        made = {offered.record.name: offered.record for offered in reversed(self.plugins.collect(AgentSpec))}
        for found in reversed(self.files.all()):
            if found.spec is not None and (found.own or found.name not in made):
                made[found.name] = found.spec
        return {**made, **self._of_settings()}

    def one(self, name: str) -> AgentSpec:
        """The agent of that name. Raises SettingsError where there is none, PluginError where two plugins have one."""
        own = self._of_settings().get(name) or self.files.find(name, own=True)
        if own is not None:
            return own
        offered = [each for each in self.plugins.collect(AgentSpec) if each.record.name == name]
        if len(offered) > 1:
            owners = " and ".join(each.plugin for each in offered)
            raise PluginError(f"the agent {name!r} is offered by {owners}", remedy="block one: [plugins] block")
        found = offered[0].record if offered else self.files.find(name, own=False)
        if found is None:
            raise SettingsError(f"no agent {name!r}; there are: {', '.join(sorted(self.all()))}")
        return found

    def _of_settings(self) -> dict[str, AgentSpec]:
        return {
            name: AgentSpec(name=name, **attrs.asdict(own, recurse=False))
            for name, own in self.settings.core.agents.items()
        }


def chosen(names: Iterable[str], globs: Sequence[str] | None) -> set[str]:
    """The names that an agent's globs give, without those that a glob with `!` takes away."""
    if globs is None:
        return set(names)
    taken = [glob[1:] for glob in globs if glob.startswith("!")]
    given = [glob for glob in globs if not glob.startswith("!")] or ["*"] * bool(taken)
    return {
        name
        for name in names
        if any(fnmatchcase(name, glob) for glob in given) and not any(fnmatchcase(name, glob) for glob in taken)
    }
