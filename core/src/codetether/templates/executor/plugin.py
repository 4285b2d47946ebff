"""The executor `change-me`: commands speak and count the hours alike on every machine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from codetether import Completed, Executor, ExecutorSpec, Process, SessionContext, hookimpl

NAME = "change-me"
ALIKE = {"LC_ALL": "C.UTF-8", "TZ": "UTC"}


class Alike:
    """Lays variables under those of a command, and leaves the rest to another executor."""

    def __init__(self, inner: Executor) -> None:
        self._inner = inner

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
        """Runs to its end; a cancelled wait ends the whole tree of processes."""
        return await self._inner.run(
            argv,
            directory=directory,
            environment={**ALIKE, **(environment or {})},
            timeout=timeout,
            on_output=on_output,
            limit=limit,
            merged=merged,
        )

    async def start(
        self,
        argv: Sequence[str],
        *,
        directory: Path | None = None,
        environment: Mapping[str, str] | None = None,
        merged: bool = True,
    ) -> Process:
        """Starts it with pipes, for servers that speak over them."""
        alike = {**ALIKE, **(environment or {})}
        return await self._inner.start(argv, directory=directory, environment=alike, merged=merged)


def _create(ctx: SessionContext) -> Alike:
    from codetether import LocalExecutor

    keys = [provider.api_key_env for provider in ctx.core.providers.values() if provider.api_key_env]
    return Alike(LocalExecutor(withheld=keys))


@hookimpl
def codetether_executors() -> Iterable[ExecutorSpec]:
    """Chosen by `[session] executor`."""
    yield ExecutorSpec(name=NAME, create=_create)
