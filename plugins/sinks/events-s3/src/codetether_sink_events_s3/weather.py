"""A proxy before an S3 server that does to requests what networks and busy stores do: for tests."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import urlsplit

from attrs import define, field

Fault = Literal[
    "", "drop", "drop half", "delay", "lost", "lost late", "slow down", "conflict", "taken", "denied", "skew"
]
FAULTS: tuple[Fault, ...] = (
    "drop",
    "drop half",
    "delay",
    "lost",
    "lost late",
    "slow down",
    "conflict",
    "taken",
    "denied",
    "skew",
)
"""`lost`: done, and the answer is not told. `lost late`: done, and answered by a 500. `taken`: a 412 that is none."""
_ANSWERS = {
    "slow down": (503, "SlowDown", "Please reduce your request rate."),
    "lost late": (500, "InternalError", "We encountered an internal error."),
    "conflict": (409, "ConditionalRequestConflict", "A conflicting operation occurred."),
    "taken": (412, "PreconditionFailed", "At least one of the preconditions did not hold."),
    "denied": (403, "AccessDenied", "Access Denied"),
    "skew": (403, "RequestTimeTooSkewed", "The difference between the request time and the server's is too large."),
}


@define
class Weather:
    """What the proxy does; `fault` is asked for each request, by its method and path.

    Attributes:
        asked: every request that came, `METHOD path`.
    """

    endpoint: str
    fault: Callable[[str, str], Fault] = lambda method, path: ""
    delay: float = 0.05
    asked: list[str] = field(factory=list)

    def puts(self) -> list[str]:
        """The paths of the uploads that came."""
        return [line.removeprefix("PUT ") for line in self.asked if line.startswith("PUT ")]


class _Relay(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    weather: Weather
    upstream: str

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as the library names it
        """Nothing."""

    def _pass(self) -> None:
        path = urlsplit(self.path).path
        self.weather.asked.append(f"{self.command} {path}")
        fault = self.weather.fault(self.command, path)
        length = int(self.headers.get("Content-Length") or 0)
        if fault == "drop":
            self.close_connection = True
            return
        if fault == "drop half":
            self.rfile.read(length // 2)
            self.close_connection = True
            return
        body = self.rfile.read(length)
        if fault == "delay":
            time.sleep(self.weather.delay)
        if fault in ("", "delay", "lost", "lost late"):
            status, headers, data = self._forward(body)
            if fault == "lost":
                self.close_connection = True
                return
            if fault != "lost late":
                self._answer(status, headers, data)
                return
        status, code, text = _ANSWERS[fault]
        xml = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{text}</Message></Error>".encode()
        self._answer(status, [("Content-Type", "application/xml"), ("Content-Length", str(len(xml)))], xml)

    def _forward(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection(self.upstream, timeout=30)
        try:
            headers = {k: v for k, v in self.headers.items() if k.lower() not in ("connection", "expect")}
            connection.request(self.command, self.path, body=body, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()

    def _answer(self, status: int, headers: list[tuple[str, str]], data: bytes) -> None:
        with suppress(OSError):  # who asked may have been killed
            self.send_response_only(status)
            for name, value in headers:
                if name.lower() not in ("transfer-encoding", "connection"):
                    self.send_header(name, value)
            if not any(name.lower() == "content-length" for name, _ in headers):
                self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _pass  # noqa: N815 - as the library names them


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who asked was killed: that is the weather."""


@contextmanager
def weather(endpoint: str) -> Iterator[Weather]:
    """A proxy before the server at that URL, on a port of its own."""
    handler = type("Relay", (_Relay,), {"upstream": urlsplit(endpoint).netloc})
    server = _Server(("127.0.0.1", 0), handler)
    made = Weather(endpoint=f"http://127.0.0.1:{server.server_address[1]}")
    handler.weather = made  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
