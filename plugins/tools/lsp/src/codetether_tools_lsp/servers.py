"""The language servers of a session: each is started when the first of its files comes, and again when it died."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from codetether import CodetetherError, ConfiningExecutor, SessionContext

from codetether_tools_lsp.programs import Program, installed, programs
from codetether_tools_lsp.settings import LspSettings

if TYPE_CHECKING:
    from codetether_tools_lsp.connection import LanguageServer

TIMES = 3
"""A server that died as often is left alone."""


class Servers:
    """Gives a file its language server."""

    def __init__(self, ctx: SessionContext) -> None:
        self.settings: LspSettings = ctx.settings or LspSettings()
        self.directory = ctx.directory
        self._ctx = ctx
        self._found: Mapping[str, tuple[Program, str]] | None = None
        self._servers: dict[str, asyncio.Task[LanguageServer]] = {}
        self._started: dict[str, int] = {}

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Of the files that some installed server knows."""
        return tuple(self._installed())

    def resolved(self, path: str) -> Path | None:
        """The file in the workspace, whatever its spelling; None for one outside."""
        try:
            real = (self.directory / path).resolve()
        except (OSError, ValueError, RuntimeError):
            return None
        return real if real.is_relative_to(self.directory) and real.is_file() else None

    async def of(self, path: Path) -> LanguageServer | None:
        """The file's server, started now if need be; None where none is installed, or it cannot be had."""
        if (found := self._installed().get(path.suffix)) is None:
            return None
        program, place = found
        task = self._servers.get(program.name)
        if task is None or (task.done() and not _alive(task)):
            if self._started.get(program.name, 0) >= TIMES:
                return None
            self._started[program.name] = self._started.get(program.name, 0) + 1
            task = self._servers[program.name] = asyncio.create_task(self._start(program, place))
        try:
            return await asyncio.shield(task)
        except CodetetherError as error:
            self._ctx.notice(f"the language server {program.name} could not be started: {error}")
            return None

    async def close(self) -> None:
        """Ends them; those who share them each do so, and the first has them all."""
        tasks = [*self._servers.values()]
        self._servers.clear()
        for task in tasks:
            task.cancel()
        for made in await asyncio.gather(*tasks, return_exceptions=True):
            if not isinstance(made, BaseException):
                await made.close()

    async def _start(self, program: Program, path: str) -> LanguageServer:
        from importlib import import_module

        connection = await asyncio.to_thread(import_module, "codetether_tools_lsp.connection")  # half a second
        server: LanguageServer = connection.LanguageServer(program, self.directory, self._ctx.log)
        try:
            await server.start(path, self._ctx.executor)
        except BaseException:
            await server.close()
            raise
        return server

    def _installed(self) -> Mapping[str, tuple[Program, str]]:
        if self._found is None:
            executor = self._ctx.executor
            confined = isinstance(executor, ConfiningExecutor) and executor.confinement.complete
            self._found = installed(programs(self.settings.servers), self.directory, confined)
        return self._found


def _alive(task: asyncio.Task[LanguageServer]) -> bool:
    return not task.cancelled() and task.exception() is None and task.result().alive
