"""`codetether plugins new`: a distribution of one's own, green from the first minute."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
from attrs import frozen

from codetether._version import __version__
from codetether.errors import UsageError
from codetether.plugins.entry_points import normalised

TEMPLATES = Path(__file__).parent.parent / "templates"
TRIALS_POINT = """[project.entry-points."codetether.trials"]
change-me = "codetether_kind_change_me.trials:TRIALS"

"""
LONGEST = 30
"""Characters of a plugin's name; it becomes part of a folder, a module and the names of tools."""
RESERVED = "all"
"""Where plugins are named, it means every one."""


@frozen
class Kind:
    """A kind of plugin.

    Attributes:
        folder: under `plugins/` in a checkout. word: in its distribution's name. use: how it is used, for its page.
        needs: what its example needs beside the core.
    """

    folder: str
    word: str
    summary: str
    use: str
    needs: tuple[str, ...] = ()


KINDS: Mapping[str, Kind] = {
    "tool": Kind("tools", "tools", "A tool for codetether.", "The tool is offered to the model: `codetether tools`."),
    "provider": Kind(
        "providers",
        "provider",
        "A model provider for codetether.",
        "Set `CHANGE_ME_API_KEY`, then `codetether run -m change-me/large …`. The wire format `openai-chat` that it "
        "speaks comes\nwith codetether-provider-openai.",
        ("codetether-provider-openai",),
    ),
    "wire": Kind(
        "wires",
        "wire",
        "A wire format for codetether.",
        "`codetether run -m change-me …`, or name it as `wire` in `[providers.NAME]`.",
    ),
    "audit-sink": Kind(
        "sinks", "sink", "An audit sink for codetether.", "Every effect is recorded in it from the next session on."
    ),
    "event-sink": Kind(
        "sinks", "sink", "An event sink for codetether.", "Every event is sent to it from the next session on."
    ),
    "router": Kind(
        "routers",
        "router",
        "A tool-call router for codetether.",
        "It reads the answers of every model from now on.",
        ("attrs>=24.2",),
    ),
    "policy": Kind(
        "policies", "policy", "A permission policy for codetether.", "It judges every call beside the other policies."
    ),
    "credentials": Kind(
        "credentials",
        "credentials",
        "A credential source for codetether.",
        'In the settings: `[plugins.change-me]` with `directory = "/where/the/keys/are"`; `codetether providers` shows '
        "what it found.",
        ("attrs>=24.2",),
    ),
    "executor": Kind(
        "executors",
        "executor",
        "An executor for codetether.",
        'In the settings: `[session]` with `executor = "change-me"`.',
    ),
    "format": Kind(
        "formats", "format", "A session format for codetether.", "Sessions of this format are recognised on import."
    ),
    "context": Kind(
        "context",
        "context",
        "A context policy for codetether.",
        "In the settings: `[plugins.change-me]` with `turns = 20`.",
        ("attrs>=24.2",),
    ),
}
"""What `codetether plugins new` can make. The templates are in `codetether/templates`, one folder a kind."""


@frozen(kw_only=True)
class Sketch:
    """A plugin that is to be made; the name is checked and as PEP 503 writes it."""

    kind: str
    name: str

    @classmethod
    def of(cls, kind: str, name: str) -> Sketch:
        """Raises UsageError for a name that cannot be that of a distribution."""
        plain = normalised(name.strip())
        if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", plain) or len(plain) > LONGEST:
            raise UsageError(
                f"{name!r} is no name for a plugin",
                remedy=f"Begin with a letter; use a-z, 0-9 and hyphens, at most {LONGEST} characters: e.g. weather.",
            )
        return cls(kind=kind, name=plain)

    @property
    def distribution(self) -> str:
        """E.g. `codetether-tools-weather`."""
        return f"codetether-{KINDS[self.kind].word}-{self.name}"

    @property
    def package(self) -> str:
        """E.g. `codetether_tools_weather`."""
        return self.distribution.replace("-", "_")

    def files(self, *, workspace: bool = False) -> dict[str, str]:
        """Path -> content. In codetether's own workspace, what its root already says is left out."""
        kind = self.kind.replace("-", "_")
        found = {
            "pyproject.toml": "common/workspace.toml" if workspace else "common/standalone.toml",
            "README.md": "common/README.md",
            f"src/{self.package}/__init__.py": "common/package.py",
            f"src/{self.package}/plugin.py": f"{kind}/plugin.py",
            f"tests/test_{self.package.removeprefix('codetether_')}.py": f"{kind}/test_plugin.py",
            "tests/test_entry_point.py": "common/test_entry_point.py",
        }
        if not workspace:
            found[".gitignore"] = "common/gitignore"
        if has_trials := (TEMPLATES / kind / "trials.py").exists():
            found[f"src/{self.package}/trials.py"] = f"{kind}/trials.py"
        read = {path: (TEMPLATES / source).read_text(encoding="utf-8") for path, source in found.items()}
        if not has_trials:
            read["pyproject.toml"] = read["pyproject.toml"].replace(TRIALS_POINT, "")
        if workspace:
            read["README.md"] = read["README.md"].partition("\n## To work on it")[0]
        else:  # to its own linter the package is no third party
            read = {
                path: text.replace("\nfrom codetether_kind", "\n\nfrom codetether_kind") for path, text in read.items()
            }
        # in the workspace every wire is there, and no member asks for another
        needs = [need for need in KINDS[self.kind].needs if not (workspace and need.startswith("codetether-"))]
        made = {path: self._worded(text, needs) for path, text in read.items()}
        return {**made, f"src/{self.package}/py.typed": ""}

    def write(self, directory: Path, *, workspace: bool = False) -> list[str]:
        """Makes the directory with its files, and names them. Raises UsageError where something is there already."""
        if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
            raise UsageError(f"{directory} is there already, and not empty", remedy="Choose another with --directory.")
        files = self.files(workspace=workspace)
        for path, content in files.items():
            target = directory / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(content, encoding="utf-8")
        return sorted(files)

    def _worded(self, text: str, needs: Sequence[str]) -> str:
        """The template with the words of this plugin; `how-it-is-used` has such words itself."""
        kind = KINDS[self.kind]
        words = {
            "codetether-kind-change-me": self.distribution,
            "codetether_kind_change_me": self.package,
            "change-me": self.name,
            "CHANGE_ME": self.name.replace("-", "_").upper(),
            "summary-of-kind": kind.summary,
            '"what-it-needs", ': "".join(f'"{need}", ' for need in needs),
            "codetether-core>=0.0": f"codetether-core>={'.'.join(__version__.split('.')[:2])}",
        }
        pattern = "|".join(re.escape(word) for word in words)
        return re.sub(pattern, lambda found: words[found[0]], text.replace("how-it-is-used", kind.use))


@click.command("new", short_help="Make a plugin of your own, with its tests.")
@click.argument("kind", type=click.Choice(list(KINDS)))
@click.argument("name")
@click.option(
    "--directory",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where to make it, new or empty; by default a folder here, named like the distribution.",
)
def new(kind: str, name: str, directory: Path | None) -> int:
    """Make a plugin of your own: a distribution with an example that works, and its tests.

    \b
      codetether plugins new tool weather
      cd codetether-tools-weather && pip install -e ".[test]" && pytest
    """
    import shlex

    from codetether.cli.terminal import Screen

    screen, sketch = Screen(), Sketch.of(kind, name)
    must_be_free(sketch)
    place = directory or Path(sketch.distribution)
    for path in sketch.write(place):
        screen.line(str(place / path))
    screen.say(f'\nNow: cd {shlex.quote(str(place))} && pip install -e ".[test]" && pytest')
    return 0


def must_be_free(sketch: Sketch) -> None:
    """Raises UsageError for a name in use here: there would be two plugins of one name, and neither would be loaded."""
    from codetether.plugins.discovery import installed
    from codetether.runtime import builtin_plugins

    if sketch.name == RESERVED:
        raise UsageError(f'"{RESERVED}" means every plugin', remedy="Choose another name.")
    for candidate in (*builtin_plugins(), *installed()):
        if normalised(candidate.name) == sketch.name:
            who = f"{candidate.distribution} {candidate.version}".strip() or candidate.module
            raise UsageError(f'a plugin "{sketch.name}" is installed already: {who}', remedy="Choose another name.")
