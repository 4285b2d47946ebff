"""What the plugin events-s3 offers to codetether's hooks."""

from __future__ import annotations

from collections.abc import Iterable

from codetether import EventArchive, EventSinkSpec, PluginContext, SessionContext, SettingsSpec, hookimpl

from codetether_sink_events_s3.settings import EventsS3Settings


@hookimpl
def codetether_settings() -> Iterable[SettingsSpec]:
    """`[plugins.events-s3]`."""
    yield SettingsSpec(cls=EventsS3Settings)


@hookimpl
def codetether_event_sinks() -> Iterable[EventSinkSpec]:
    """The archive of the files that other sinks seal; it takes no single events. Off until a bucket is set."""
    yield EventSinkSpec(name="events-s3", create=_no_sink, archive=_archive)


def _no_sink(ctx: SessionContext) -> None:
    return None


def _archive(ctx: PluginContext) -> EventArchive | None:
    settings: EventsS3Settings = ctx.settings or EventsS3Settings()
    if not settings.bucket:
        return None
    from codetether_sink_events_s3.archive import S3Archive

    return S3Archive(settings, ctx.credentials, ctx.notice)
