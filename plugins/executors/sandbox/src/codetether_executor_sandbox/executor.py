"""The executor `sandbox`: each command confined by a backend that was tried before."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import attrs
from attrs import define, field
from codetether import Completed, Confinement, ExecutorError, Process

from codetether_executor_sandbox.backends import Backend, Prepared


@define(kw_only=True)
class SandboxExecutor:
    """Runs commands where the workspace is all that they can change.

    Attributes:
        confinement: what trying it showed.
    """

    backend: Backend
    confinement: Confinement = field(factory=lambda: Confinement(backend="untried"))

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
        """Runs to its end, or to the deadline; nothing that it started is left, however it ends.

        Raises ExecutorError when it cannot start.
        """
        with ExitStack() as stack:
            prepared = self._prepared(stack, argv, directory, environment)
            done = await prepared.launch.run(timeout=timeout, on_output=on_output, limit=limit, merged=merged)
            left = prepared.left_behind()
        made = attrs.evolve(done, exit_code=prepared.exit_code(done.exit_code), left_behind=left and not done.timed_out)
        return _noted(made, prepared.notes(), merged=merged)

    async def start(
        self,
        argv: Sequence[str],
        *,
        directory: Path | None = None,
        environment: Mapping[str, str] | None = None,
        merged: bool = True,
    ) -> Process:
        """Starts it with pipes, for servers that speak over them. Raises ExecutorError when it cannot start."""
        with ExitStack() as stack:
            prepared = self._prepared(stack, argv, directory, environment, lasting=True)
            process = await prepared.launch.start(merged=merged)
            return SandboxProcess(process, prepared, stack.pop_all())

    def _prepared(
        self,
        stack: ExitStack,
        argv: Sequence[str],
        directory: Path | None,
        environment: Mapping[str, str] | None,
        *,
        lasting: bool = False,
    ) -> Prepared:
        if not argv or any("\0" in word for word in argv):
            raise ExecutorError(f"cannot run {argv!r}", remedy="A command has words, none with a null in it.")
        place = self.backend.common.workspace if directory is None else directory.absolute()
        if not place.is_dir():
            raise ExecutorError(
                f"cannot run {argv[0]!r}: there is no directory {place}", remedy="Name one that exists."
            )
        made = self.backend.prepared(argv, place.resolve(), environment or {}, lasting=lasting)
        return stack.enter_context(made)


class SandboxProcess:
    """A confined command with pipes."""

    def __init__(self, process: Process, prepared: Prepared, stack: ExitStack) -> None:
        self._process = process
        self._prepared = prepared
        self._stack = stack
        self.pid = process.pid

    def output(self) -> AsyncIterator[bytes]:
        """Standard output, with standard error in it unless that was started apart, in pieces as they come."""
        return self._process.output()

    def errors(self) -> AsyncIterator[bytes]:
        """Standard error, where it was started apart; nothing else."""
        return self._process.errors()

    async def write(self, data: bytes) -> None:
        """To its standard input."""
        await self._process.write(data)

    async def wait(self) -> int:
        """The exit code; negative for a signal."""
        code = await self._process.wait()
        self._stack.close()
        return self._prepared.exit_code(code)

    async def kill(self) -> None:
        """Ends it and every process that it started."""
        await self._process.kill()
        self._stack.close()


def _noted(done: Completed, notes: Sequence[str], *, merged: bool) -> Completed:
    """With a line for each note, where the model sees it."""
    if not notes:
        return done
    shown = list(dict.fromkeys(notes))[:10]
    text = "".join(f"\n[sandbox: {note}]" for note in shown).encode() + b"\n"
    if merged:
        return attrs.evolve(done, stdout=done.stdout + text)
    return attrs.evolve(done, stderr=done.stderr + text)
