"""How the objects that records describe are created, entered and closed."""

from __future__ import annotations

import inspect
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

from codetether import boundary
from codetether.boundary import BROKEN, Limiter, asked, reason_of
from codetether.contracts import METHODS
from codetether.errors import PluginError


async def created(stack: AsyncExitStack, record: Any, ctx: Any) -> Any:
    """What the record's `create(ctx)` makes: awaited where it is awaitable, entered where it is a context manager.

    `create` is called on a thread, so that one that hangs can be abandoned; all else happens on the event loop. Each
    may take 10 seconds. Raises what the plugin raised, or PluginError; a failure to close is only said.
    """
    limiter = Limiter()
    try:
        made = await limiter.wait(partial(record.create, ctx), boundary.HOOK_LIMIT)
    finally:
        limiter.close()
    if inspect.isawaitable(made):
        made = await asked(partial(_awaited, made), limit=boundary.HOOK_LIMIT)
    if hasattr(made, "__aenter__") and hasattr(made, "__aexit__"):
        manager = made
        made = await asked(manager.__aenter__, limit=boundary.HOOK_LIMIT)
        stack.push_async_exit(partial(_leave, manager, record.name, ctx))
    for method in METHODS.get(type(record), ()):
        if not callable(getattr(made, method, None)):
            raise PluginError(f"made {type(made).__name__}, which has no method {method}()")
    return made


async def _awaited(made: Any) -> Any:
    return await made


async def _leave(manager: Any, name: str, ctx: Any, *why: Any) -> None:
    """Closes an object. What it raises is said, and costs nobody else their closing; it swallows no error either."""
    try:
        await asked(manager.__aexit__, *why, limit=boundary.HOOK_LIMIT)
    except BROKEN as error:
        if error is not why[1]:
            ctx.notice(f"closing {name}: {reason_of(error)}")
