"""What a server may ask of us while it works: where the workspace is, the user, and, where he allowed it, the model."""

from __future__ import annotations

from functools import partial
from typing import Any

from codetether import (
    CompletionRequest,
    Message,
    ModelRef,
    SamplingParams,
    SessionContext,
    TextPart,
)

from codetether_tools_mcp.eliciting import elicited
from codetether_tools_mcp.results import contents
from codetether_tools_mcp.servers import Server


def callbacks(server: Server, ctx: SessionContext) -> dict[str, Any]:
    """What the SDK's client is told to answer with; it refuses the rest."""
    from codetether import __version__
    from mcp.types import Implementation

    told: dict[str, Any] = {
        "client_info": Implementation(name="codetether", version=__version__),
        "list_roots_callback": partial(_roots, ctx),
        "elicitation_callback": partial(elicited, server, ctx),
    }
    return {**told, "sampling_callback": partial(_sampled, ctx)} if server.settings.sampling else told


async def _roots(ctx: SessionContext, _: Any) -> Any:
    from mcp.types import ListRootsResult

    root = {"uri": ctx.directory.as_uri(), "name": ctx.directory.name}
    return ListRootsResult.model_validate({"roots": [root]})


async def _sampled(ctx: SessionContext, _: Any, params: Any) -> Any:
    """An answer of the session's model, metered as the session's own."""
    from mcp.types import CreateMessageResult, TextContent

    provider, _, model = (ctx.session.metadata.model or "").partition("/")
    response = await ctx.complete(
        CompletionRequest(
            model=ModelRef(provider=provider, model=model),
            system=params.system_prompt or "",
            messages=tuple(_message(message) for message in params.messages),
            sampling=SamplingParams(max_output_tokens=params.max_tokens, temperature=params.temperature),
        )
    )
    text = "\n".join(part.text for part in response.message.parts if isinstance(part, TextPart))
    return CreateMessageResult(
        role="assistant", content=TextContent(text=text), model=str(response.model), stop_reason="endTurn"
    )


def _message(told: Any) -> Message:
    blocks = told.content if isinstance(told.content, list) else [told.content]
    return Message(role=told.role, parts=tuple(contents(blocks)))
