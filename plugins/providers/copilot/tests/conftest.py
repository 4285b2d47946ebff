"""A GitHub on loopback that answers as scripted, and recorded exchanges: those kept here, and all where they are."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from attrs import define, field, frozen
from codetether.testing.recording import Recording, read

_HERE = Path(__file__).parent
CODE_AT, SIGNED_IN_AT = "/login/device/code", "/login/oauth/access_token"
TOKEN_AT, MODELS_AT, CHAT_AT = "/api/v3/copilot_internal/v2/token", "/here/models", "/here/chat/completions"


@frozen
class Reply:
    """One answer. `cut`: the connection ends before the body does."""

    body: Any = None
    status: int = 200
    kind: str = "application/json"
    cut: bool = False
    headers: Mapping[str, str] = field(factory=dict)

    @property
    def data(self) -> bytes:
        """The body's bytes."""
        return self.body.encode() if isinstance(self.body, str) else json.dumps(self.body).encode()


@frozen(kw_only=True)
class Asked:
    """One request."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]


@define
class Hub:
    """Answers the n-th request for a path with the n-th reply of its script; the last one again for those beyond."""

    url: str
    script: dict[str, Sequence[Reply]] = field(factory=dict)
    asked: list[Asked] = field(factory=list)

    def at(self, path: str) -> list[Asked]:
        """The requests for a path."""
        return [asked for asked in self.asked if asked.path == path]

    def reply(self, asked: Asked) -> Reply:
        """The next answer."""
        self.asked.append(asked)
        replies = self.script.get(asked.path) or [Reply({"message": "Not Found"}, 404)]
        return replies[min(len(self.at(asked.path)), len(replies)) - 1]

    def token(self, value: str = "tid=one;exp=9999999999", **more: Any) -> Reply:
        """A Copilot token whose models are here."""
        said = {"token": value, "endpoints": {"api": f"{self.url}/here"}, "expires_at": 9_999_999_999}
        return Reply({**said, "refresh_in": 1500, "sku": "monthly_subscriber", **more})


@pytest.fixture
def hub() -> Iterator[Hub]:
    """A GitHub with a script."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's word
            """Says nothing."""

        def do_GET(self) -> None:
            self.do_POST()

        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
            body = json.loads(text) if text[:1] == "{" else dict(parse_qsl(text))
            headers = {name.lower(): value for name, value in self.headers.items()}
            reply = made.reply(Asked(method=self.command, path=self.path, headers=headers, body=body))
            self.send_response(reply.status)
            self.send_header("content-type", reply.kind)
            self.send_header("content-length", str(len(reply.data) + (9 if reply.cut else 0)))
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(reply.data)
            self.close_connection = reply.cut

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    made = Hub(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """No sign-in of the person who runs the tests is known."""
    for name in list(os.environ):
        if "COPILOT" in name:
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def kept() -> list[Recording]:
    return [read(path) for path in sorted((_HERE / "recordings").glob("*.json"))]


@pytest.fixture(scope="session")
def shared() -> Path:
    checkout = _HERE.parents[3]
    folder = Path(os.environ.get("CODETETHER_SHARED", checkout.parent / "shared")) / "recordings"
    if not folder.is_dir():
        pytest.skip(f"no recordings at {folder}: CODETETHER_SHARED names the folder that holds them")
    return folder
