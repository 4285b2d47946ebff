"""How the conformance kit tries this plugin: on a server of its own, on loopback."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from codetether import JSON
from codetether.testing.trials import ToolTrial, Trials

_PAGE = "<html><title>Grüße</title><h1>日本</h1><p>\U0001f600 and <a href='/more'>more</a>".encode()
_RESULTS = b'<div class="result"><a class="result__a" href="http://docs.example/">Docs</a></div>'


class _Answering(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(404 if self.path == "/none" else 200)
        self.send_header("content-type", "text/plain" if self.path in ("/slow", "/flood") else "text/html")
        self.end_headers()
        try:
            for piece in _pieces(self.path.partition("?")[0]):
                self.wfile.write(piece)
        except OSError:
            pass  # the client has enough

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its own name
        """Says nothing."""


def _pieces(path: str) -> Iterator[bytes]:
    match path:
        case "/slow":
            for _ in range(400):
                yield b"."
                time.sleep(0.05)
        case "/flood":
            for _ in range(200):
                yield b"flood " * 10_000
        case "/search":
            yield _RESULTS
        case _:
            yield _PAGE


@cache
def _place() -> str:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Answering)
    server.daemon_threads = True
    Thread(target=server.serve_forever, daemon=True).start()
    return f"127.0.0.1:{server.server_address[1]}"


def _settings(directory: Path) -> Mapping[str, JSON]:
    return {"allow_private": [_place()], "search_url": f"http://{_place()}/search"}


class _Urls(Mapping[str, "JSON"]):
    """Arguments with an address on the server, which runs only once somebody looks at them."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __getitem__(self, name: str) -> JSON:
        if name != "url":
            raise KeyError(name)
        return f"http://{_place()}{self._path}"

    def __iter__(self) -> Iterator[str]:
        return iter(("url",))

    def __len__(self) -> int:
        return 1


TRIALS = Trials(
    settings=_settings,
    tools={
        "webfetch": ToolTrial(
            arguments=_Urls("/"),
            odd=({"url": "file:///etc/passwd"}, {"url": "http://127.0.0.1:9/"}, _Urls("/none")),
            slow=_Urls("/slow"),
            flood=_Urls("/flood"),
        ),
        "websearch": ToolTrial(arguments={"query": "grüße 日本"}, odd=({"query": " "},)),
    },
)
