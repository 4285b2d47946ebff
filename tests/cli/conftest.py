"""A model server on loopback that answers as scripted, and the command line as a real process beside it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from attrs import define, evolve, field, frozen


@frozen(kw_only=True)
class Answer:
    """One answer of the model.

    Attributes:
        texts: pieces of text, each streamed by itself. pauses: seconds before each piece, by its index.
        calls: name and arguments of tool calls.
        cut: the connection ends before the answer does.
    """

    texts: Sequence[str] = ()
    calls: Sequence[tuple[str, Mapping[str, Any] | str]] = ()
    pauses: Mapping[int, float] = field(factory=dict)
    status: int = 200
    cut: bool = False
    finish: str | None = None

    def events(self) -> Iterator[tuple[float, dict[str, Any]]]:
        """What is streamed: seconds to wait, then the event."""
        for index, text in enumerate(self.texts):
            yield self.pauses.get(index, 0), _delta({"content": text})
        for index, (name, arguments) in enumerate(self.calls):
            written = arguments if isinstance(arguments, str) else json.dumps(arguments)
            function = {"name": name, "arguments": written}
            call = {"index": index, "id": f"call_{name}_{index}", "type": "function", "function": function}
            yield 0, _delta({"tool_calls": [call]})
        if not self.cut:
            yield 0, _delta({}, self.finish or ("tool_calls" if self.calls else "stop"))
            usage = {"prompt_tokens": 11, "completion_tokens": 3, "total_tokens": 14}
            yield 0, {"id": "c", "object": "chat.completion.chunk", "model": "toy", "choices": [], "usage": usage}


def _delta(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "c", "object": "chat.completion.chunk", "model": "toy", "choices": [choice]}


@define
class ModelServer:
    """Answers the n-th request with the n-th answer of its script; the last one again for those beyond."""

    url: str
    script: list[Answer] = field(factory=list)
    requests: list[dict[str, Any]] = field(factory=list)

    def prompts(self) -> list[str]:
        """The text of the last user message of each request."""
        return [_text([m for m in body["messages"] if m["role"] == "user"][-1]["content"]) for body in self.requests]


def _text(content: Any) -> str:
    return content if isinstance(content, str) else "\n".join(part.get("text", "") for part in content)


@pytest.fixture
def model() -> Iterator[ModelServer]:
    """A scripted model server."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's word
            """Says nothing."""

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            made.requests.append(body)
            answer = made.script[min(len(made.requests), len(made.script)) - 1]
            if answer.status != 200:
                data = json.dumps({"error": {"message": "out of order", "type": "server_error"}}).encode()
                self.send_response(answer.status)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)
                return
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.send_header("connection", "close")
            self.end_headers()
            try:
                for pause, event in answer.events():
                    time.sleep(pause)
                    self.wfile.write(b"data: " + json.dumps(event).encode() + b"\n\n")
                    self.wfile.flush()
                if not answer.cut:
                    self.wfile.write(b"data: [DONE]\n\n")
            except OSError:  # the client has gone
                pass
            self.close_connection = True

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    made = ModelServer(f"http://127.0.0.1:{server.server_port}/v1")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


@frozen(kw_only=True)
class Ran:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as one JSON document."""
        return json.loads(self.out)


@frozen(kw_only=True)
class CommandLine:
    """`codetether` in a workspace of its own, with the scripted model as its provider."""

    workspace: Path
    home: Path
    environment: Mapping[str, str]
    run_here: Callable[..., tuple[int, str, str]]

    def argv(self, *arguments: str) -> list[str]:
        """The command to start."""
        return [sys.executable, "-P", "-m", "codetether", *arguments]

    def __call__(self, *arguments: str, cwd: Path | None = None, stdin: str = "", **env: str) -> Ran:
        """Runs it within this process."""
        environment = {**self.environment, **env}
        code, out, err = self.run_here(*arguments, cwd=cwd or self.workspace, environment=environment, stdin=stdin)
        return Ran(code=code, out=out, err=err)

    def process(self, *arguments: str, stdin: bytes = b"", **env: str) -> Ran:
        """Runs it as a process of its own."""
        done = subprocess.run(
            self.argv(*arguments),
            cwd=self.workspace,
            env={**self.environment, **env},
            input=stdin,
            capture_output=True,
            timeout=60,
            check=False,
        )
        return Ran(code=done.returncode, out=done.stdout.decode(), err=done.stderr.decode())

    def start(self, *arguments: str, **env: str) -> subprocess.Popen[bytes]:
        """Starts it with pipes."""
        return subprocess.Popen(
            self.argv(*arguments),
            cwd=self.workspace,
            env={**self.environment, **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def settings(self, text: str) -> Path:
        """Writes the user's settings file."""
        path = self.home / "config" / "config.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path


@pytest.fixture
def bare(tmp_path: Path, run_here: Callable[..., tuple[int, str, str]]) -> CommandLine:
    """The command line with no provider that can be used."""
    workspace, home = tmp_path / "work", tmp_path / "home"
    workspace.mkdir()
    kept = {k: v for k, v in os.environ.items() if k in ("PATH", "LANG", "LC_ALL", "VIRTUAL_ENV")}
    kept |= {
        "CODETETHER_HOME": str(home),
        "HOME": str(tmp_path),
        "CODETETHER_PLUGINS": "openai,shell",
        "LANG": "C.UTF-8",
    }
    return CommandLine(workspace=workspace, home=home, environment=kept, run_here=run_here)


@pytest.fixture
def cli(bare: CommandLine, model: ModelServer) -> CommandLine:
    """The command line with the scripted model as the provider `openai`."""
    added = {
        "OPENAI_BASE_URL": model.url,
        "OPENAI_API_KEY": "sk-test-0123456789",
        "CODETETHER_DEFAULT_MODEL": "openai/toy",
    }
    return evolve(bare, environment={**bare.environment, **added})
