"""Tries a backend before it is relied on: each property is attacked from within, in a workspace made for that."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import Any

from attrs import frozen
from codetether import Completed, Confinement, ConfinementProperty, ExecutorError

from codetether_executor_sandbox.backends import Backend
from codetether_executor_sandbox.executor import SandboxExecutor

MEANING: Mapping[str, str] = {
    "writes": "nothing outside of the workspace can be written",
    "protected": "hooks, editor tasks and codetether's settings in the workspace stay as they are",
    "metadata": "modes and times of files outside stay as they are",
    "network": "no listener of this machine can be reached, and nothing beyond it",
    "sockets": "no Unix socket of this machine can be reached",
    "environment": "variables of codetether's environment cannot be read",
    "secrets": "hidden files cannot be read",
    "processes": "processes outside can be neither seen nor signalled",
    "privileges": "no capabilities, no setuid programs, no new user namespaces",
    "kernel": "no odd sockets, io_uring, ptrace, bpf, keyctl, perf; the kernel's settings cannot be changed",
    "terminal": "no terminal can be opened",
    "limits": "memory, file size and processes are limited",
    "survivors": "nothing outlives a command",
}
"""The properties, in the order in which they are shown."""
PATIENCE = 20.0
"""Seconds for the whole trial; it takes a tenth of one."""

MakeBackend = Callable[[Path, Path, Path, Mapping[str, str]], Backend]
"""`make(workspace, readable, hidden, environment)`, the hidden directory below the readable one."""


@frozen(kw_only=True)
class _Ground:
    """Where the trial takes place."""

    place: Path
    variable: str

    @property
    def workspace(self) -> Path:
        return self.place / "W"

    @property
    def outside(self) -> Path:
        return self.place / "O"

    @property
    def own(self) -> Path:
        return self.readable / "own"

    @property
    def readable(self) -> Path:
        return self.place / "R"

    @property
    def protected(self) -> tuple[Path, ...]:
        return tuple(self.workspace / each for each in (".codetether/config.toml", ".git/hooks/pre-commit"))

    @property
    def heart(self) -> Path:
        return self.workspace / "heart"


async def tried(name: str, make: MakeBackend, lacks: Mapping[str, str], python: str) -> Confinement:
    """What each attempt showed. Raises ExecutorError where the backend cannot run anything here.

    `lacks`: what the backend is known not to do, whatever the trial shows.
    """
    with ExitStack() as stack:
        ground = stack.enter_context(_ground())
        listeners = stack.enter_context(_listeners(ground))
        backend = make(ground.workspace, ground.readable, ground.own, {**os.environ, ground.variable: ground.variable})
        before = (ground.outside / "file").stat()
        done = await _probe(SandboxExecutor(backend=backend), ground, listeners, python)
        told = _told(done)
        await asyncio.sleep(0.03)
        first = _size(ground.heart)
        await asyncio.sleep(0.04)
        seen = {
            "writes": [str(ground.outside)] if (ground.outside / "mark").exists() else [],
            "protected": [str(p.relative_to(ground.workspace)) for p in ground.protected if p.exists()],
            "metadata": _changes(before, (ground.outside / "file").stat()),
            "network": ["a connection arrived"] if listeners.reached() else [],
            "survivors": ["a daemon"] if first != _size(ground.heart) else [],
        }
        for each, why in lacks.items():
            seen.setdefault(each, []).append(why)
        if _size(ground.heart) == 0:
            told["survivors"] = None
    properties = (_property(each, told.get(each), seen.get(each, [])) for each in MEANING)
    return Confinement(backend=name, properties=tuple(properties))


def _property(name: str, told: list[str] | None, seen: list[str]) -> ConfinementProperty:
    if seen or told:
        return ConfinementProperty(name=name, state="not", detail="; ".join([*seen, *(told or [])]))
    if told is None:
        return ConfinementProperty(name=name, state="unknown", detail="it could not be tried")
    return ConfinementProperty(name=name, state="enforced", detail=MEANING[name])


@contextmanager
def _ground() -> Iterator[_Ground]:
    made = Path(tempfile.mkdtemp(prefix="codetether-trial-")).resolve()
    try:
        ground = _Ground(place=made, variable=f"CANARY_{token_hex(8)}")
        for each in (ground.workspace, ground.outside, ground.readable, ground.own, ground.workspace / ".git"):
            each.mkdir()
        (ground.workspace / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
        for each in (ground.own / "secret", ground.outside / "file"):
            each.write_text("secret")
        yield ground
    finally:
        shutil.rmtree(made, ignore_errors=True)


class _Listeners:
    """Sockets of this machine that nobody should reach."""

    def __init__(self, ground: _Ground) -> None:
        self.abstract = f"codetether-{token_hex(8)}"
        self.path = str(ground.outside / "s")
        self.tcp = socket.create_server(("127.0.0.1", 0))
        self.port = self.tcp.getsockname()[1]
        self.others: list[socket.socket] = []
        for kind, address in ((socket.AF_UNIX, self.path), (socket.AF_UNIX, "\0" + self.abstract)):
            with suppress(OSError):  # a path may be too long, a name is Linux's own
                made = socket.socket(kind)
                self.others.append(made)
                made.bind(address)
                made.listen()

    def reached(self) -> bool:
        """Whether a connection came in."""
        self.tcp.settimeout(0)
        with suppress(OSError):
            self.tcp.accept()[0].close()
            return True
        return False

    def close(self) -> None:
        """Closes them."""
        for each in (self.tcp, *self.others):
            each.close()


@contextmanager
def _listeners(ground: _Ground) -> Iterator[_Listeners]:
    made = _Listeners(ground)
    try:
        yield made
    finally:
        made.close()


async def _probe(executor: SandboxExecutor, ground: _Ground, listeners: _Listeners, python: str) -> Completed:
    spec = {
        "outside": [str(ground.outside)],
        "protected": [str(each) for each in ground.protected],
        "file": str(ground.outside / "file"),
        "port": listeners.port,
        "socket": listeners.path,
        "abstract": listeners.abstract,
        "variable": ground.variable,
        "secrets": [str(ground.own / "secret"), str(ground.outside / "file")],
        "agent": [os.getpid(), _started()],
        "heart": str(ground.heart),
    }
    source = Path(__file__).with_name("probe.py").read_text()
    return await executor.run([python, "-I", "-S", "-c", source, json.dumps(spec)], timeout=PATIENCE)


def _started() -> str:
    with suppress(OSError):
        return Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]
    return ""


def _told(done: Completed) -> dict[str, Any]:
    try:
        told: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        said = done.stderr.decode(errors="replace").strip()[-300:] or f"exit code {done.exit_code}"
        raise ExecutorError(f"nothing can be run in it: {said}") from None
    return told


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


def _changes(before: os.stat_result, after: os.stat_result) -> list[str]:
    found = [("mode", "st_mode"), ("times", "st_mtime_ns")]
    return [word for word, name in found if getattr(before, name) != getattr(after, name)]
