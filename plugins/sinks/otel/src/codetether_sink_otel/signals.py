"""The way out of a process: OpenTelemetry's own providers and exporters, shared by its sessions."""

from __future__ import annotations

import asyncio
import logging
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from codetether import __version__
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.metrics import Histogram
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricExportResult, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import Span, SpanContext, SpanKind

from codetether_sink_otel.conventions import METRICS
from codetether_sink_otel.settings import Destination

CLOSE_LIMIT = 3.0
"""Seconds that sending what is left may hold up the end of the last session."""

SCOPE = "codetether"
_LOGGERS = (
    "opentelemetry.exporter.otlp.proto.http.trace_exporter",
    "opentelemetry.exporter.otlp.proto.http.metric_exporter",
    "opentelemetry.exporter.otlp.common.http",
    "opentelemetry.sdk._shared_internal",
)
_CAUSE = re.compile(r"\[Errno -?\d+\] ([^'\")\]]+)")


class Failures(logging.Filter):
    """What the SDK would log of failures to send, kept from the screen: the user is told once, in our words."""

    def __init__(self) -> None:
        super().__init__()
        self.why = ""
        self.dropped = False
        self.told = False
        self.retrying = False
        self.closing = False
        self._here = threading.local()

    @contextmanager
    def watching(self, give_up: Callable[[], None]) -> Iterator[None]:
        """Within it, this thread's log records of the SDK's senders come here; those of others go their way."""
        before = getattr(self._here, "give_up", None)
        self._here.give_up = give_up
        try:
            yield
        finally:
            self._here.give_up = before

    def filter(self, record: logging.LogRecord) -> bool:
        """Drops and notes what comes from our own sending."""
        give_up = getattr(self._here, "give_up", None)
        if give_up is None:
            return True
        if give_up is _keep_on:
            self.dropped = True
            return False
        self.why, self.retrying = self.why or _reason(record), True
        if self.closing:  # nobody waits for a second try at the end
            self._here.give_up = _keep_on
            give_up()
        return False

    def sent(self, done: bool) -> None:
        """How one sending ended."""
        self.retrying = False
        if not done:
            self.why = self.why or "it was refused"
        elif not self.told:
            self.why = ""  # it passed before anybody was told


def _keep_on() -> None:
    """What making a span gives up: nothing."""


def _reason(record: logging.LogRecord) -> str:
    """The cause in few words: a library's error repeats itself at length."""
    said = record.getMessage()
    match record.args:
        case (_, int() as status, why):
            return f"HTTP {int(status)} {why}"
        case (_, None, why) | (why, str(), float()):
            said = str(why)
    found = _CAUSE.search(said)
    return found[1].strip() if found else "no answer in time" if "timed out" in said else said[:200]


class _Spans(OTLPSpanExporter):
    """The SDK's exporter, its failures noted."""

    def __init__(self, failures: Failures, endpoint: str) -> None:
        super().__init__(endpoint=endpoint)
        self._failures = failures
        self._gone = False

    def shutdown(self) -> None:
        if not self._gone:
            self._gone = True
            super().shutdown()  # type: ignore[no-untyped-call]

    def export(self, spans: Any) -> SpanExportResult:
        with self._failures.watching(self.shutdown):
            result = super().export(spans)
        self._failures.sent(result is SpanExportResult.SUCCESS)
        return result


class _Metrics(OTLPMetricExporter):
    """The SDK's exporter, its failures noted."""

    def __init__(self, failures: Failures, endpoint: str) -> None:
        super().__init__(endpoint=endpoint)
        self._failures = failures
        self._gone = False

    def export(self, *given: Any, **more: Any) -> MetricExportResult:
        with self._failures.watching(self.shutdown):
            result = super().export(*given, **more)
        self._failures.sent(result is MetricExportResult.SUCCESS)
        return result

    def shutdown(self, timeout_millis: float = 30_000, **more: Any) -> None:
        if not self._gone:
            self._gone = True
            super().shutdown(timeout_millis, **more)


class _Ids(RandomIdGenerator):
    """Random ids, but for a span whose id was given to others before it is made."""

    def __init__(self) -> None:
        self.next: int | None = None

    def generate_span_id(self) -> int:
        reserved, self.next = self.next, None
        return super().generate_span_id() if reserved is None else reserved


class Signals:
    """Tracer and instruments; they live while a session is open, and the last one to close sends what is left.

    Attributes:
        target: where it all goes.
        running: the spans of prompts and of tool calls that have not ended, by session and call id (None: the prompt).
    """

    def __init__(self, target: Destination) -> None:
        self.target = target
        self.running: dict[tuple[str, str | None], SpanContext] = {}
        self._open = 0
        self._failures = Failures()

    def acquire(self) -> None:
        """One more session uses it."""
        self._open += 1
        if self._open > 1:
            return
        self._failures = Failures()
        for name in _LOGGERS:
            logging.getLogger(name).addFilter(self._failures)
        resource = _resource()
        self._ids = _Ids()
        self._tracers: TracerProvider | None = None
        self._meters: MeterProvider | None = None
        self._exporters: list[_Spans | _Metrics] = []
        if self.target.traces:
            spans = _Spans(self._failures, self.target.traces)
            self._exporters.append(spans)
            self._tracers = TracerProvider(resource=resource, shutdown_on_exit=False, id_generator=self._ids)
            self._tracers.add_span_processor(BatchSpanProcessor(spans))
        if self.target.metrics:
            metrics = _Metrics(self._failures, self.target.metrics)
            self._exporters.append(metrics)
            reader = PeriodicExportingMetricReader(metrics)
            self._meters = MeterProvider([reader], resource=resource, shutdown_on_exit=False)
        self._instruments = self._made(self._meters) if self._meters else {}
        self._tracer = self._tracers.get_tracer(SCOPE, __version__) if self._tracers else None

    @staticmethod
    def _made(meters: MeterProvider) -> dict[str, Histogram]:
        meter = meters.get_meter(SCOPE, __version__)
        return {
            name: meter.create_histogram(name, unit, description, explicit_bucket_boundaries_advisory=bounds)
            for name, unit, bounds, description in METRICS
        }

    def span(
        self,
        name: str,
        above: Context,
        kind: SpanKind,
        attributes: Mapping[str, Any],
        began: int,
        span_id: int | None = None,
    ) -> Span | None:
        """A span that began at a time, under the id that was reserved for it if one was; None where traces are off."""
        if self._tracer is None:
            return None
        self._ids.next = span_id
        return self._tracer.start_span(name, above, kind, attributes, start_time=began)

    def above(self, session_id: str | None, call_id: str | None) -> SpanContext | None:
        """What a subagent's spans hang from: the call that asked for it, else its session's prompt."""
        if session_id is None:
            return None
        return self.running.get((session_id, call_id)) or self.running.get((session_id, None))

    def new_id(self) -> int:
        """An id for a span that is made later."""
        return self._ids.generate_span_id()

    def making(self) -> AbstractContextManager[None]:
        """Around the making of signals: keeps the SDK's complaints from the screen."""
        return self._failures.watching(_keep_on)

    def record(self, name: str, value: float, attributes: Mapping[str, Any], context: Context) -> None:
        """A measurement for the histogram of this name."""
        if found := self._instruments.get(name):
            found.record(value, attributes, context=context)

    def say(self, notice: Callable[[str], None]) -> None:
        """Tells the user, once, that it does not arrive."""
        failures = self._failures
        why = failures.why or ("spans come faster than they are sent" if failures.dropped else "")
        if why and not failures.told:
            failures.told = True
            host = urlsplit(self.target.traces or self.target.metrics or "").netloc.rpartition("@")[2]
            notice(f"traces and metrics do not arrive at {host}: {why}")

    async def release(self, notice: Callable[[str], None]) -> None:
        """One session less; the last one sends what is left, for CLOSE_LIMIT seconds at most."""
        self._open -= 1
        if self._open:
            return
        failures = self._failures
        failures.closing = True
        if failures.retrying:
            for exporter in self._exporters:
                exporter.shutdown()
        waits = [_on_thread(each.shutdown) for each in (self._tracers, self._meters) if each is not None]
        _, late = await asyncio.wait(waits, timeout=CLOSE_LIMIT)
        if late:
            failures.why = failures.why or f"no answer within {CLOSE_LIMIT:g} s"
        self.say(notice)
        for name in _LOGGERS:
            logging.getLogger(name).removeFilter(failures)


def _on_thread(call: Callable[[], None]) -> asyncio.Future[None]:
    """Done when the call is, on a thread that no exit waits for."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def settle() -> None:
        if not done.done():
            done.set_result(None)

    def work() -> None:
        try:
            call()
        finally:
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(settle)

    threading.Thread(target=work, name="otel shutdown", daemon=True).start()
    return done


def _resource() -> Resource:
    """Who sends: `codetether`, unless `OTEL_SERVICE_NAME` or `OTEL_RESOURCE_ATTRIBUTES` say otherwise."""
    ours = {"service.name": "codetether", "service.version": __version__, "service.instance.id": str(uuid4())}
    given = OTELResourceDetector().detect().attributes
    return Resource.create({name: value for name, value in ours.items() if name not in given})
