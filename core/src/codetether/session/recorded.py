"""A request to a model with its entries in the audit trail, where the settings ask for them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from uuid import uuid4

from codetether.models.completion import CompletionRequest, CompletionResponse
from codetether.record.trail import AuditTrail, reason


async def recorded(
    audit: AuditTrail, request: CompletionRequest, turn: int, ask: Callable[[], Awaitable[CompletionResponse]]
) -> CompletionResponse:
    """The answer, its intent recorded before it is asked for and its outcome after it.

    Raises AuditFailed where a required sink does not have the intent: then nothing is asked.
    """
    if not audit.model_calls:
        return await ask()
    note = partial(audit.record, "api", f"model:{request.model}", session_id=request.session_id, turn=turn)
    note = partial(note, call_id=uuid4().hex)
    await note("intent", detail={"messages": len(request.messages), "tools": len(request.tools)})
    began = time.perf_counter()
    try:
        response = await ask()
    except (Exception, asyncio.CancelledError) as error:  # whatever ended it is recorded and raised on
        await note("failure", duration_ms=(time.perf_counter() - began) * 1000, detail={"error": reason(error)})
        raise
    usage = response.usage
    detail = {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "finish_reason": response.finish_reason,
        "answered_by": "/".join(filter(None, (response.message.provider, response.message.model))),
        "output_len": len(response.message.text),
    }
    await note("success", duration_ms=(time.perf_counter() - began) * 1000, detail=detail)
    return response
