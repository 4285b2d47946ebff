"""What the plugin events-jsonl offers to codetether's hooks."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from codetether import EventSink, EventSinkSpec, PluginContext, SessionContext, SettingsSpec, hookimpl

from codetether_sink_events_jsonl.settings import EventsJsonlSettings


@hookimpl
def codetether_settings() -> Iterable[SettingsSpec]:
    """`[plugins.events-jsonl]`."""
    yield SettingsSpec(cls=EventsJsonlSettings)


@hookimpl
def codetether_event_sinks() -> Iterable[EventSinkSpec]:
    """The event stream in files; off until a path is set."""
    yield EventSinkSpec(name="events-jsonl", create=_create, delivery="durable", spool=_spool)


def _spool(ctx: PluginContext) -> Path | None:
    settings: EventsJsonlSettings = ctx.settings or EventsJsonlSettings()
    return settings.path


def _create(ctx: SessionContext) -> EventSink | None:
    settings: EventsJsonlSettings = ctx.settings or EventsJsonlSettings()
    if settings.path is None:
        return None
    from codetether_sink_events_jsonl.stream import EventStream

    directory = settings.path.expanduser().absolute() / ctx.session.id
    return EventStream(directory, settings, ctx.notice)
