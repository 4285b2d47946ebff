"""How the objects that records describe are created, entered and closed."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

from codetether.plugins import HOOK_LIMIT


async def created(stack: AsyncExitStack, create: Callable[[Any], Any], ctx: Any) -> Any:
    """What `create(ctx)` makes: awaited where it is awaitable, entered where it is an async context manager.

    Raises what the plugin raised; TimeoutError after 10 seconds.
    """
    async with asyncio.timeout(HOOK_LIMIT):
        made = create(ctx)
        if inspect.isawaitable(made):
            made = await made
        if hasattr(made, "__aenter__") and hasattr(made, "__aexit__"):
            made = await stack.enter_async_context(made)
    return made
