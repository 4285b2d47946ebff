"""The executor `local`: commands on this machine, each with a session of its own that ends as a whole."""

from __future__ import annotations

import asyncio
import errno
import os
import re
import signal
import subprocess
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from codetether.builtin.lineage import MARK, ask_all, end_all
from codetether.builtin.undertaker import undertaker
from codetether.errors import ExecutorError
from codetether.hookspecs import hookimpl
from codetether.models.tools import Completed
from codetether.specs import ExecutorSpec
from codetether.values import frozen

GRACE = 0.4
"""Seconds that processes have which hold on to a command's output after its end."""
POLITE = 0.3
"""Seconds between the request to end and the end."""
CHUNK = 65536
_KEYS = re.compile(
    r".*_(API_KEY|API_TOKEN|AUTH_TOKEN|APIKEY|SECRET_KEY|SECRET_ACCESS_KEY)|(VAULT|BAO)_(TOKEN|SECRET_ID|PASSWORD|JWT)"
    r"|AWS_(SESSION_TOKEN|BEARER_TOKEN_BEDROCK)|HF_TOKEN|CODETETHER_.*(KEY|TOKEN|SECRET)|OTEL_EXPORTER_OTLP_(\w+_)?HEADERS",
    re.IGNORECASE,
)
_QUIET = {"GIT_TERMINAL_PROMPT": "0", "GIT_EDITOR": "true"}
"""What keeps programs from waiting for someone who is not there."""


@cache
def _holds_key(variable: str) -> bool:
    return _KEYS.fullmatch(variable) is not None


def _not_begun(what: str, error: OSError | ValueError) -> ExecutorError:
    if isinstance(error, OSError) and error.errno == errno.E2BIG:
        return ExecutorError(f"{what}: the command is too long", remedy="Write what is long to a file, then use that.")
    return ExecutorError(f"{what}: {error}", remedy="Check that it is installed." if isinstance(error, OSError) else "")


class HeadAndTail:
    """The first and the last bytes of a stream, half of the limit each; what lies between is dropped."""

    def __init__(self, limit: int) -> None:
        self._half = limit // 2
        self._head = bytearray()
        self._tail: deque[bytes] = deque()
        self._kept = 0
        self._dropped = 0

    def add(self, data: bytes) -> None:
        """Takes the next piece."""
        if room := self._half - len(self._head):
            self._head += data[:room]
            data = data[room:]
        if not data:
            return
        self._tail.append(data)
        self._kept += len(data)
        while self._kept - len(self._tail[0]) >= self._half:
            self._kept -= len(self._tail[0])
            self._dropped += len(self._tail.popleft())

    def value(self) -> bytes:
        """All of it, or head and tail with a line between them that says how much is missing."""
        if not self._tail:
            return bytes(self._head)
        tail = b"".join(self._tail)
        excess = max(0, len(tail) - self._half)
        dropped = self._dropped + excess
        note = f"\n[… {dropped} bytes left out …]\n".encode() if dropped else b""
        return bytes(self._head) + note + tail[excess:]


class _Command:
    """One running command: its pipes and its end, watched by the event loop."""

    def __init__(self, launch: Launch, on_output: Callable[[bytes], None] | None, limit: int, merged: bool) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_output = on_output
        self._finished: asyncio.Future[None] = self._loop.create_future()
        self._mark = os.urandom(8).hex()
        self._lifeline, theirs = os.pipe()
        try:
            self._popen = subprocess.Popen(
                launch.argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT if merged else subprocess.PIPE,
                cwd=launch.directory,
                env={**launch.environment, MARK: self._mark},
                start_new_session=True,
                pass_fds=launch.fds if launch.enclosed else (*launch.fds, theirs),
                bufsize=0,
            )
        except (OSError, ValueError) as error:
            os.close(self._lifeline)
            raise _not_begun(f"cannot run {launch.argv[0]!r}", error) from error
        finally:
            os.close(theirs)
        undertaker().watch(self._popen.pid)
        self._inode = os.fstat(self._lifeline).st_ino
        self._kept: dict[int, HeadAndTail] = {}
        self._open: set[int] = set()
        for pipe in (self._popen.stdout, self._popen.stderr):
            if pipe is not None:
                self._kept[pipe.fileno()] = HeadAndTail(limit)
                self._follow(pipe.fileno(), self._read)
        self._exited = False
        self._watch_exit()

    def _follow(self, fd: int, reader: Callable[[int], None]) -> None:
        os.set_blocking(fd, False)
        self._open.add(fd)
        self._loop.add_reader(fd, reader, fd)

    def _leave(self, fd: int) -> None:
        if fd in self._open:
            self._open.remove(fd)
            self._loop.remove_reader(fd)

    def _read(self, fd: int) -> None:
        try:
            data = os.read(fd, CHUNK)
        except BlockingIOError:
            return
        if data:
            self._kept[fd].add(data)
            if self._on_output:
                self._on_output(data)
            return
        self._leave(fd)
        self._check()

    def _read_lifeline(self, fd: int) -> None:
        self._leave(fd)
        self._check()

    def _watch_exit(self) -> None:
        try:
            self._pidfd: int | None = os.pidfd_open(self._popen.pid)
        except (AttributeError, OSError):  # not on Linux, or not allowed: a thread waits instead
            self._pidfd = None
            waiting = self._loop.run_in_executor(None, self._popen.wait)
            waiting.add_done_callback(lambda _: self._exit())
        else:
            self._loop.add_reader(self._pidfd, self._exit)

    def _exit(self) -> None:
        if self._pidfd is not None:
            self._loop.remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = None
        self._exited = True
        if self._finished.done():
            return
        if self._alive():  # what it left behind may still have something to say, but not for long
            self._follow(self._lifeline, self._read_lifeline)
            self._loop.call_later(GRACE, self._finish)
        self._check()

    def _alive(self) -> bool:
        """Whether a process still holds the lifeline."""
        os.set_blocking(self._lifeline, False)
        try:
            return os.read(self._lifeline, 1) != b""
        except BlockingIOError:
            return True

    def _check(self) -> None:
        if self._exited and not self._open:
            self._finish()

    def _finish(self) -> None:
        if not self._finished.done():
            self._finished.set_result(None)

    async def wait(self, timeout: float) -> Completed:
        """Its outcome; whatever it started has ended by then."""
        timed_out = False
        try:
            try:
                async with asyncio.timeout(timeout):
                    await self._finished
            except TimeoutError:
                timed_out = True
            left_behind = not timed_out and (bool(self._open) or self._alive())
            if timed_out or left_behind:
                await self._end()
        except asyncio.CancelledError:
            await self._end_surely()
            raise
        finally:
            self._close()
        out, err = (*(kept.value() for kept in self._kept.values()), b"")[:2]
        code = self._popen.returncode
        return Completed(
            exit_code=-signal.SIGKILL if code is None else code,
            stdout=out,
            stderr=err,
            timed_out=timed_out,
            left_behind=left_behind,
        )

    async def _end_surely(self) -> None:
        """Ends it even when the wait for the end is cancelled as well."""
        ending = asyncio.ensure_future(self._end())
        try:
            await asyncio.shield(ending)
        except asyncio.CancelledError:
            end_all(self._popen.pid, self._mark, self._inode)
            ending.cancel()

    async def _end(self) -> None:
        """Asks the group to end, then ends all that is left."""
        who = self._popen.pid, self._mark, self._inode
        await asyncio.to_thread(ask_all, *who)
        await self._until(lambda: self._exited and not self._alive())
        await asyncio.to_thread(end_all, *who)
        await self._until(lambda: self._exited and not self._open)

    async def _until(self, condition: Callable[[], bool]) -> None:
        """Waits for what nobody announces, `POLITE` seconds at most."""
        patience = self._loop.time() + POLITE
        while not condition() and self._loop.time() < patience:  # noqa: ASYNC110 - the kernel sets no event
            await asyncio.sleep(0.01)

    def _close(self) -> None:
        for fd in tuple(self._open):
            self._leave(fd)
        for pipe in (self._popen.stdout, self._popen.stderr):
            if pipe is not None:
                pipe.close()
        os.close(self._lifeline)
        undertaker().forget(self._popen.pid)
        if self._pidfd is not None:
            self._loop.remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = None
        with suppress(subprocess.TimeoutExpired):
            self._popen.wait(1.0)


class LocalProcess:
    """A running command with pipes."""

    def __init__(self, process: asyncio.subprocess.Process, mark: str) -> None:
        self._process = process
        self._mark = mark
        self.pid = process.pid
        undertaker().watch(self.pid)

    def output(self) -> AsyncIterator[bytes]:
        """Standard output, with standard error in it unless that was started apart, in pieces as they come."""
        return _pieces(self._process.stdout)

    def errors(self) -> AsyncIterator[bytes]:
        """Standard error, where it was started apart; nothing else."""
        return _pieces(self._process.stderr)

    async def write(self, data: bytes) -> None:
        """To its standard input."""
        assert self._process.stdin is not None
        self._process.stdin.write(data)
        await self._process.stdin.drain()

    async def wait(self) -> int:
        """The exit code; negative for a signal."""
        code = await self._process.wait()
        undertaker().forget(self.pid)
        return code

    async def kill(self) -> None:
        """Ends it and every process that it started."""
        await asyncio.to_thread(ask_all, self.pid, self._mark, -1)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), POLITE)
        await asyncio.to_thread(end_all, self.pid, self._mark, -1)
        await self.wait()


async def _pieces(pipe: asyncio.StreamReader | None) -> AsyncIterator[bytes]:
    while pipe is not None and (data := await pipe.read(CHUNK)):
        yield data


@frozen(kw_only=True)
class Launch:
    """A command as it is started in the end, for executors that lay something around it.

    Attributes:
        environment: all of it; nothing is added but a mark.
        fds: descriptors that it inherits besides the standard ones.
        enclosed: what it starts ends with it in any case, as in a process namespace: no descriptor is needed to tell.
    """

    argv: Sequence[str]
    directory: Path | None = None
    environment: Mapping[str, str]
    fds: tuple[int, ...] = ()
    enclosed: bool = False

    async def run(
        self,
        *,
        timeout: float = 120.0,
        on_output: Callable[[bytes], None] | None = None,
        limit: int = 16 * 1024 * 1024,
        merged: bool = False,
    ) -> Completed:
        """As `Executor.run`."""
        return await _Command(self, on_output, limit, merged).wait(timeout)

    async def start(self, *, merged: bool = True) -> LocalProcess:
        """As `Executor.start`."""
        mark = os.urandom(8).hex()
        try:
            process = await asyncio.create_subprocess_exec(
                *self.argv,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT if merged else asyncio.subprocess.PIPE,
                cwd=self.directory,
                env={**self.environment, MARK: mark},
                start_new_session=True,
                pass_fds=self.fds,
            )
        except (OSError, ValueError) as error:
            raise _not_begun(f"cannot start {self.argv[0]!r}", error) from error
        return LocalProcess(process, mark)


class LocalExecutor:
    """Runs commands on this machine, without confinement.

    They get the user's environment without the variables that hold keys: those that look like it, and `withheld`.
    """

    def __init__(self, withheld: Collection[str] = ()) -> None:
        self._withheld = frozenset(withheld)

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """What a command's environment is; `more` is laid over it as it is."""
        ours = os.environ.items()
        kept = {name: value for name, value in ours if name not in self._withheld and not _holds_key(name)}
        return {**kept, **_QUIET, **(more or {})}

    async def run(
        self,
        argv: Sequence[str],
        *,
        directory: Path | None = None,
        environment: Mapping[str, str] | None = None,
        timeout: float = 120.0,
        on_output: Callable[[bytes], None] | None = None,
        limit: int = 16 * 1024 * 1024,
        merged: bool = False,
    ) -> Completed:
        """Runs to its end, or to the deadline; ends whatever it started, when it ends or the wait is cancelled.

        Raises ExecutorError when it cannot start.
        """
        launch = Launch(argv=argv, directory=directory, environment=self.environment(environment))
        return await launch.run(timeout=timeout, on_output=on_output, limit=limit, merged=merged)

    async def start(
        self,
        argv: Sequence[str],
        *,
        directory: Path | None = None,
        environment: Mapping[str, str] | None = None,
        merged: bool = True,
    ) -> LocalProcess:
        """Starts it with pipes, for servers that speak over them. Raises ExecutorError when it cannot start."""
        launch = Launch(argv=argv, directory=directory, environment=self.environment(environment))
        return await launch.start(merged=merged)


def _create(ctx: Any) -> LocalExecutor:
    keys = [provider.api_key_env for provider in ctx.core.providers.values() if provider.api_key_env]
    return LocalExecutor(withheld=[*keys, *(secret.env or name for name, secret in ctx.core.secrets.items())])


@hookimpl
def codetether_executors() -> Iterable[ExecutorSpec]:
    """Commands on this machine."""
    yield ExecutorSpec(name="local", create=_create)
