"""How the objects that records describe are created, entered and closed."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

from codetether.errors import PluginError
from codetether.plugins import boundary
from codetether.plugins.boundary import BROKEN, Limiter, Outcome, asked, reason_of
from codetether.plugins.contracts import METHODS
from codetether.specs import AuditSinkSpec, EventSinkSpec, ResultReviewerSpec

_idle: list[Limiter] = []
"""Threads that wait for their next `create`: a session makes a dozen objects, and a thread each would cost more."""
IDLE = 4


async def _on_thread(calls: Sequence[Callable[[], Any]]) -> list[Outcome]:
    """What the calls came to, on a thread of their own as long as they run."""
    limiter = _idle.pop() if _idle else Limiter()
    try:
        made = await limiter.wait_each(calls, boundary.HOOK_LIMIT)
    except BaseException:
        limiter.close()
        raise
    if len(_idle) < IDLE:
        _idle.append(limiter)
    else:
        limiter.close()
    return made


async def created(stack: AsyncExitStack, record: Any, ctx: Any) -> Any:
    """What the record's `create(ctx)` makes: awaited where it is awaitable, entered where it is a context manager.

    `create` is called on a thread, so that one that hangs can be abandoned; all else happens on the event loop. Each
    may take 10 seconds. None is a sink or a reviewer that its settings leave off. Raises what the plugin raised, or
    PluginError; a failure to close is only said.
    """
    [outcome] = await _on_thread([partial(record.create, ctx)])
    return await _living(stack, record, ctx, outcome.get())


async def created_each(stack: AsyncExitStack, wanted: Sequence[tuple[Any, Any]]) -> list[Outcome]:
    """What each of several records makes with its context, or its failure: one visit to the thread for all of them."""
    found = await _on_thread([partial(record.create, ctx) for record, ctx in wanted])
    made = []
    for (record, ctx), outcome in zip(wanted, found, strict=True):
        try:
            made.append(Outcome(await _living(stack, record, ctx, outcome.get())))
        except BROKEN as error:  # the plugin boundary: the caller says what it costs
            made.append(Outcome(error=error))
    return made


async def _living(stack: AsyncExitStack, record: Any, ctx: Any, made: Any) -> Any:
    """What was created, awaited and entered."""
    if inspect.isawaitable(made):
        made = await asked(partial(_awaited, made), limit=boundary.HOOK_LIMIT)
    if made is None and isinstance(record, AuditSinkSpec | EventSinkSpec | ResultReviewerSpec):
        return None
    made = await entered(stack, made, record.name, ctx.notice, limit=boundary.HOOK_LIMIT)
    for method in METHODS.get(type(record), ()):
        if not callable(getattr(made, method, None)):
            raise PluginError(f"made {type(made).__name__}, which has no method {method}()")
    return made


async def entered(
    stack: AsyncExitStack, made: Any, name: str, notice: Callable[[str], None], *, limit: float | None = None
) -> Any:
    """The object, entered if it is an async context manager; the stack closes it, and a failure to close is said."""
    if not (hasattr(made, "__aenter__") and hasattr(made, "__aexit__")):
        return made
    inner = await asked(made.__aenter__, limit=limit)
    stack.push_async_exit(partial(_leave, made, name, notice))
    return inner


async def _awaited(made: Any) -> Any:
    return await made


async def _leave(manager: Any, name: str, notice: Callable[[str], None], *why: Any) -> None:
    """Closes an object. What it raises is said, and costs nobody else their closing; it swallows no error either."""
    try:
        await asked(manager.__aexit__, *why, limit=boundary.HOOK_LIMIT)
    except BROKEN as error:
        if error is not why[1]:
            notice(f"closing {name}: {reason_of(error)}")
