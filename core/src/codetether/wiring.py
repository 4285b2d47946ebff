"""What the plugins bring, made into the objects of one process; what fails is left out, listed and said."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import attrs

from codetether import specs
from codetether.catalog import Catalog, NamedSelector
from codetether.credentials import Chain
from codetether.errors import PluginError, SettingsError
from codetether.known_models import NamedCatalogue
from codetether.models.providers import Secret
from codetether.permissions.rules import Rules
from codetether.plugins.boundary import BROKEN, reason_of
from codetether.plugins.entry_points import entry_points, normalised
from codetether.plugins.life import created
from codetether.plugins.loaded import LoadedPlugins, Provided
from codetether.record.archiving import Archives, NamedArchive
from codetether.record.audit_key import AuditKey
from codetether.record.redact import Redactor
from codetether.record.trail import AuditTrail
from codetether.session.contexts import ContextFactory
from codetether.settings.settings import Settings
from codetether.settings.structure import did_you_mean
from codetether.values import define, frozen

Notify = Callable[[str, str], None]
COMMON = "the secret {} is too short or too common a word to be looked for in texts: choose a longer one"
_OPEN = frozenset({"base_url", "enterprise_url", "organization", "project", "region", "profile"})
"""Values of a secret that are no secrets."""


def own_settings(settings: Settings, loaded: LoadedPlugins, notify: Notify) -> dict[str, Any]:
    """Each plugin's own settings, structured into the class that it declared; the rules, checked once for all.

    Raises SettingsError with file and line. A table that no plugin takes is said: it may be a slip, or the plugin of
    a run that loads fewer.
    """
    _check_rules(settings)
    sections = {}
    for provided in loaded.collect(specs.SettingsSpec):
        try:
            if provided.record.of_site:
                settings.refuse_repository(provided.plugin)
            sections[provided.plugin] = settings.plugin(provided.plugin, provided.record.cls)
        except SettingsError:  # the user's mistake, with its line
            raise
        except Exception as error:  # the class's own mistake: without its settings the plugin is not itself
            loaded.drop(provided.plugin, "codetether_settings", error)
    _say_unclaimed(settings, loaded, notify)
    _say_unknown(settings, loaded, notify)
    return sections


def _check_rules(settings: Settings) -> None:
    try:
        Rules.parse({str(verdict): rules for verdict, rules in settings.core.permissions.items()})
    except SettingsError as error:
        origin = settings.origin(error.path)
        what = error.message.removeprefix(f"{'.'.join(error.path)}: ")
        raise SettingsError(what, file=origin.file, line=origin.line, path=error.path, remedy=error.remedy) from error


def _say_unclaimed(settings: Settings, loaded: LoadedPlugins, notify: Notify) -> None:
    tables = settings.values.get("plugins", {})
    known = {normalised(info.name): info for info in loaded.plugins}
    takers = {normalised(provided.plugin) for provided in loaded.collect(specs.SettingsSpec)}
    for name, table in tables.items():
        if not isinstance(table, Mapping) or normalised(name) in takers:
            continue
        info = known.get(normalised(name))
        if info is None:
            notify("settings", f"[plugins.{name}] is nobody's: no such plugin{did_you_mean(name, list(known))}")
        elif info.status == "loaded":
            notify("settings", f"[plugins.{name}] changes nothing: this plugin has no settings")


def learn_secrets(sections: Mapping[str, Any], redactor: Redactor) -> None:
    """What stands in plugins' settings under fields with the metadata `secret` is known to the redactor."""
    for plugin, section in sections.items():
        for attribute in attrs.fields(type(section)):
            value = getattr(section, attribute.name)
            if attribute.metadata.get("secret") and isinstance(value, str) and value:
                redactor.add(value, f"{plugin}.{attribute.name}")


@frozen(kw_only=True)
class _Creating:
    """A `create` with the name of what it makes."""

    name: str
    create: Callable[[Any], Any]


def _commands() -> list[str]:
    """The names of plugins' commands: a plugin may bring nothing else."""
    return [point.name for point in entry_points("codetether.commands")]


def _say_unknown(settings: Settings, loaded: LoadedPlugins, notify: Notify) -> None:
    """A name that chooses or leaves out a plugin which is not there may be a slip, and a slip protects nobody."""
    known = [info.name for info in loaded.plugins]
    chosen = settings.core.plugins
    for said, names in (("CODETETHER_PLUGINS", chosen.only or ()), ("CODETETHER_NO_PLUGINS", chosen.not_)):
        for name in names:
            if normalised(name) not in map(normalised, known) and name not in _commands():
                notify("plugins", f"{said} names {name!r}, which is not installed{did_you_mean(name, known)}")


@define(kw_only=True)
class Wiring:
    """Makes the objects that live as long as the process."""

    settings: Settings
    plugins: LoadedPlugins
    contexts: ContextFactory
    stack: AsyncExitStack
    redactor: Redactor
    notify: Notify

    async def credentials(self) -> Chain:
        """The allowed sources in their order; what they give is known to the redactor from then on."""
        found = sorted(self.plugins.collect(specs.CredentialSourceSpec), key=lambda p: (p.record.place, p.record.name))
        allowed = self.settings.core.credentials.sources
        if allowed is not None:
            found = [p for name in allowed for p in found if p.record.name == name]
        sources = [(p.record.name, made) for p in found if (made := await self._made(p)) is not None]
        return Chain(sources, self._learn)

    def _learn(self, provider: str, secret: Secret) -> None:
        for key, value in secret.values.items():
            if key.removeprefix("aws_") in _OPEN:
                continue
            for text in value.values() if isinstance(value, Mapping) else (value,):
                if not self.redactor.add(str(text), f"{provider}.{key}") and text and key == "api_key":
                    self.notify("", COMMON.format(f"{provider}.{key}"))

    async def audit(self) -> AuditTrail:
        """The audit trail over every sink. Raises PluginError when a required one is off or cannot start."""
        sinks = []
        site_requires = bool(self.settings.core.audit.required)
        for provided in self.plugins.collect(specs.AuditSinkSpec):
            required = provided.record.required or site_requires
            spec = attrs.evolve(provided.record, required=required)
            sink = await self._made(provided, required=required)
            if sink is not None:
                sinks.append((provided.plugin, spec, sink))
            elif provided.record.required:
                raise PluginError(f"the required audit sink {spec.name!r} of {provided.plugin} is off")
        if site_requires and not sinks:
            raise PluginError("no audit sink is on, and [audit] required asks for one", remedy="codetether plugins")
        trail = AuditTrail(
            sinks,
            self.redactor,
            self.settings.core.audit.principal,
            partial(self.notify, "audit"),
            key=AuditKey.of(self.contexts.process("core")),
            bodies=self.settings.core.audit.bodies,
            model_calls=self.settings.core.audit.model_calls,
        )
        self.stack.push_async_callback(trail.close)
        return trail

    async def catalog(self, credentials: Chain) -> Catalog:
        """Providers and models, and who chooses among them."""
        return Catalog(
            self.plugins.collect(specs.ProviderSpec),
            self.plugins.collect(specs.ModelDefaults),
            self.settings.core,
            credentials,
            await self._selectors(),
            os.environ,
            self._failed,
            partial(self.notify, ""),
            await self._catalogues(),
        )

    async def _selectors(self) -> list[NamedSelector]:
        """Who chooses the model, in the order of (place, name)."""
        found = sorted(self.plugins.collect(specs.SelectorSpec), key=lambda p: (p.record.place, p.record.name))
        return [
            NamedSelector(plugin=p.plugin, name=p.record.name, selector=made)
            for p in found
            if (made := await self._made(p)) is not None
        ]

    async def _catalogues(self) -> list[NamedCatalogue]:
        """What is known of many models, in the order of (place, name)."""
        found = sorted(self.plugins.collect(specs.CatalogueSpec), key=lambda p: (p.record.place, p.record.name))
        return [
            NamedCatalogue(plugin=p.plugin, name=p.record.name, catalogue=made)
            for p in found
            if (made := await self._made(p)) is not None
        ]

    async def event_archives(self) -> Archives:
        """What event sinks leave in files, and what stores such files elsewhere."""
        sinks = self.plugins.collect(specs.EventSinkSpec)
        spools: dict[Path, None] = {}
        archives = []
        for provided in sinks:
            spec, ctx = provided.record, self.contexts.process(provided.plugin)
            try:
                if spec.spool is not None and (spool := spec.spool(ctx)) is not None:
                    spools[spool.expanduser().absolute()] = None
                if spec.archive is not None:
                    made = await created(self.stack, _Creating(name=spec.name, create=spec.archive), ctx)
                    if made is not None:
                        archives.append(NamedArchive(name=f'archive "{spec.name}" ({provided.plugin})', archive=made))
            except BROKEN as error:  # the plugin boundary: the session works without it, and the user is told
                self._failed(provided.plugin, f"archive of {spec.name}", error)
        return Archives(spools=tuple(spools), archives=tuple(archives))

    def _failed(self, plugin: str, hook: str, error: BaseException) -> None:
        self.plugins.report(plugin, hook, error)
        self.notify("plugins", f"{plugin} ({hook}): {reason_of(error)}")

    async def _made(self, provided: Provided[Any], *, required: bool = False) -> Any:
        """What the record's `create` makes; None where it fails, which is listed, or raised where it is required."""
        try:
            return await created(self.stack, provided.record, self.contexts.process(provided.plugin))
        except BROKEN as error:  # the plugin boundary: the rest works without it, and the user is told
            if required:
                name = provided.record.name
                raise PluginError(f"the required {name!r} could not start: {reason_of(error)}") from error
            self.plugins.report(provided.plugin, f"create of {provided.record.name}", error)
            return None
