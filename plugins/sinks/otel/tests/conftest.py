"""A real OTLP receiver on loopback: it reads what comes with OpenTelemetry's own message classes."""

from __future__ import annotations

import gzip
import os
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

KINDS = {1: "internal", 3: "client"}


def plain(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [plain(each) for each in value.array_value.values]
    return getattr(value, kind) if kind else None


def attributes(pairs: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    pair: KeyValue
    for pair in pairs:
        found[pair.key] = plain(pair.value)
    return found


class Receiver:
    """What arrived; `status` and `delay` say how it answers."""

    def __init__(self) -> None:
        self.status, self.delay = 200, 0.0
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.traces: list[ExportTraceServiceRequest] = []
        self.metrics: list[ExportMetricsServiceRequest] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, delay = receiver.status, receiver.delay  # a test may change them at any moment
                receiver.asked.append(self.path)
                receiver.headers.append({k.lower(): v for k, v in self.headers.items()})
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                if status == 200 and not delay:
                    receiver.take(self.path, body)
                time.sleep(delay)
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *given: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def take(self, path: str, body: bytes) -> None:
        match path:
            case "/v1/traces":
                self.traces.append(ExportTraceServiceRequest.FromString(body))
            case "/v1/metrics":
                self.metrics.append(ExportMetricsServiceRequest.FromString(body))
            case _:
                raise AssertionError(path)

    def resources(self) -> list[dict[str, Any]]:
        every = [each.resource for got in self.traces for each in got.resource_spans]
        return [attributes(resource.attributes) for resource in every]

    def raw(self) -> list[Any]:
        """The spans in the order of their start, as they came."""
        spans = [
            span
            for request in self.traces
            for each in request.resource_spans
            for scope in each.scope_spans
            for span in scope.spans
        ]
        ids = {span.span_id for span in spans}
        return sorted(spans, key=lambda s: (s.start_time_unix_nano, -s.end_time_unix_nano, s.parent_span_id in ids))

    def spans(self) -> list[dict[str, Any]]:
        """Every span: name, kind, the name of its parent, attributes, status; ids and times are looked at apart."""
        names = {span.span_id: span.name for span in self.raw()}
        return [
            {
                "name": span.name,
                "kind": KINDS[span.kind],
                "parent": names.get(span.parent_span_id, span.parent_span_id.hex()),
                "attributes": attributes(span.attributes),
                "status": {0: "", 2: "error"}[span.status.code],
                "why": span.status.message,
            }
            for span in self.raw()
        ]

    def points(self) -> list[tuple[str, str, dict[str, Any], int, float, list[float]]]:
        """Every histogram's points: name, unit, attributes, count, sum, bounds; what came last."""
        if not self.metrics:
            return []
        return [
            (m.name, m.unit, attributes(p.attributes), p.count, p.sum, list(p.explicit_bounds))
            for each in self.metrics[-1].resource_metrics
            for scope in each.scope_metrics
            for m in scope.metrics
            for p in m.histogram.data_points
        ]


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """It listens; no variable of the machine's own points elsewhere."""
    for name in [*os.environ]:
        if name.startswith("OTEL_") or name in ("TRACEPARENT", "TRACESTATE"):
            monkeypatch.delenv(name)
    made = Receiver()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()
