"""A request to a model with its entries in the audit trail, where the settings ask for them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from codetether.models.completion import CompletionRequest, CompletionResponse
from codetether.models.record import JSON
from codetether.record.trail import AuditTrail


async def recorded(
    audit: AuditTrail, request: CompletionRequest, turn: int, ask: Callable[[], Awaitable[CompletionResponse]]
) -> CompletionResponse:
    """The answer, its intent recorded before it is asked for and its outcome after it.

    Raises AuditFailed where a required sink does not have the intent: then nothing is asked.
    """
    if not audit.model_calls:
        return await ask()
    asked: dict[str, JSON] = {"messages": len(request.messages), "tools": len(request.tools)}
    around = audit.around("api", f"model:{request.model}", session_id=request.session_id, turn=turn, detail=asked)
    async with around as told:
        response = await ask()
        told |= {
            "input_tokens": response.usage.input_tokens,
            "output_tokens": response.usage.output_tokens,
            "finish_reason": response.finish_reason,
            "answered_by": "/".join(filter(None, (response.message.provider, response.message.model))),
            "output_len": len(response.message.text),
        }
    return response
