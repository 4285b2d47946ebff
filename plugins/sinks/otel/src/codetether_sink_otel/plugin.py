"""What the plugin otel offers to codetether's hooks."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

from codetether import EventSink, EventSinkSpec, SessionContext, SettingsSpec, hookimpl

from codetether_sink_otel.settings import OtelSettings, destination

if TYPE_CHECKING:
    from codetether_sink_otel.signals import Signals


@hookimpl
def codetether_settings() -> Iterable[SettingsSpec]:
    """`[plugins.otel]`: where a session's traces go is the user's and the site's to say, not a repository's."""
    yield SettingsSpec(cls=OtelSettings, of_site=True)


@hookimpl
def codetether_event_sinks() -> Iterable[EventSinkSpec]:
    """Spans and metrics of sessions; off until a receiver is named. Asked once a process."""
    shared: dict[str, Signals] = {}
    yield EventSinkSpec(name="otel", create=partial(_create, shared))


def _create(shared: dict[str, Signals], ctx: SessionContext) -> EventSink | None:
    settings: OtelSettings = ctx.settings or OtelSettings()
    target = destination(settings)
    if target.refused:
        ctx.notice(f"nothing is sent to the OpenTelemetry receiver: {target.refused}")
    if target.off:
        return None
    from codetether_sink_otel.signals import Signals
    from codetether_sink_otel.spans import SessionSpans

    signals = shared.setdefault("signals", Signals(target))
    return SessionSpans(signals, ctx)
