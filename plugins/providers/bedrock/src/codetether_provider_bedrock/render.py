"""A completion request becomes the body that Converse takes; each message is rendered once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
from codetether import (
    JSON,
    CompletionRequest,
    FilePart,
    ImagePart,
    Message,
    MessagePart,
    RefusalPart,
    SamplingParams,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolResultPart,
    Unknown,
)
from codetether_http import Kept, dumps, exact

from codetether_provider_bedrock.blocks import block_in
from codetether_provider_bedrock.models import same_maker
from codetether_provider_bedrock.parts import Names, file_block, image_block
from codetether_provider_bedrock.quirks import Quirks
from codetether_provider_bedrock.tools import call_block, call_id, tool_config

_CACHE_POINT = orjson.Fragment(b'{"cachePoint":{"type":"default"}}')
_NO_OUTPUT = "(no output)"
BEFORE = "(earlier messages were left out)"
"""What the user says before a conversation that begins with the model."""


class Renderer:
    """Renders the requests of one session to one provider, keeping the bytes of messages that it has seen."""

    def __init__(self, provider: str, quirks: Quirks) -> None:
        self._provider = provider
        self._quirks = quirks
        self._model = ""
        self._takes_status = False
        self._kept = Kept(self._rendered)
        self._names = Names()

    def render(self, request: CompletionRequest) -> bytes:
        """The body of the request, as JSON."""
        model = request.model.model
        self._turn_to(model)
        cached = self._quirks.cached(model)
        body: dict[str, Any] = {"messages": self._messages(request.messages, "messages" in cached)}
        if request.system.strip():
            point = [_CACHE_POINT] if "system" in cached else []
            body["system"] = [orjson.Fragment(dumps({"text": request.system})), *point]
        inference = _sampling(request.sampling)
        if inference:
            body["inferenceConfig"] = inference
        tools = tool_config(request, self._quirks.system_tools, cached="tools" in cached)
        if tools:
            body["toolConfig"] = orjson.Fragment(dumps(tools))
        if self._quirks.additional_model_request_fields:
            body["additionalModelRequestFields"] = self._quirks.additional_model_request_fields
        return dumps({**body, **self._quirks.extra_body})

    def _turn_to(self, model: str) -> None:
        """Forgets what was rendered for a model of another maker: it takes no thoughts of others."""
        takes_status = self._quirks.takes_status(model)
        if not same_maker(model, self._model) or takes_status != self._takes_status:
            self._kept.clear()
            self._names = Names()
        self._model, self._takes_status = model, takes_status

    def _messages(self, messages: Sequence[Message], cached: bool) -> orjson.Fragment:
        """Messages in turns of user and assistant: what one side says in a row is one message, results among it."""
        turns: list[tuple[str, list[bytes]]] = []
        for message, content in zip(messages, self._kept.of(messages), strict=True):
            role = "assistant" if message.role == "assistant" else "user"
            if not content:
                continue
            if turns and turns[-1][0] == role:
                turns[-1][1].append(content)
            else:
                turns.append((role, [content]))
        if turns and turns[0][0] == "assistant":  # Converse begins with the user
            turns.insert(0, ("user", [dumps({"text": BEFORE})]))
        if cached:  # at the end, and where the end was when the model was last asked: what is read, what is written
            for _, contents in [turn for turn in turns if turn[0] == "user"][-2:]:
                contents.append(orjson.dumps(_CACHE_POINT))
        made = (b'{"role":"%b","content":[%b]}' % (role.encode(), b",".join(content)) for role, content in turns)
        return orjson.Fragment(b"[" + b",".join(made) + b"]")

    def _rendered(self, message: Message) -> bytes:
        blocks = self._assistant(message) if message.role == "assistant" else self._user(message)
        return exact(b",".join(dumps(block) for block in blocks))

    def _user(self, message: Message) -> list[Mapping[str, JSON]]:
        """Results first, then what the user says; a document needs words beside it, which are its name."""
        results = [self._result(part) for part in message.parts if isinstance(part, ToolResultPart)]
        said = [block for part in message.parts if (block := self._part(part))]
        if any("document" in block for block in said) and not any("text" in block for block in said):
            names = [part.name for part in message.parts if isinstance(part, FilePart) and part.name.strip()]
            said.insert(0, {"text": ", ".join(names) or "a document"})
        return [*results, *said]

    def _result(self, part: ToolResultPart) -> dict[str, JSON]:
        content = [block for piece in part.content if (block := self._part(piece))]
        result: dict[str, JSON] = {
            "toolUseId": call_id(part.tool_call_id),
            "content": content or [{"text": _NO_OUTPUT}],
        }
        if not part.success and self._takes_status:
            result["status"] = "error"
        return {"toolResult": result}

    def _part(self, part: MessagePart) -> Mapping[str, JSON] | None:
        match part:
            case TextPart(text=text):
                return {"text": text} if text.strip() else None
            case ImagePart():
                return image_block(part)
            case FilePart():
                return file_block(part, self._names)
            case Unknown():
                return block_in(part)
            case _:
                return None

    def _assistant(self, message: Message) -> Iterable[Mapping[str, JSON]]:
        own = message.provider == self._provider and same_maker(message.model or self._model, self._model)
        echoed = own and self._quirks.echo_thinking
        for part in message.parts:
            match part:
                case TextPart(text=text) | RefusalPart(text=text) if text.strip():
                    yield {"text": text}
                case ThinkingPart() if echoed and (thought := _thought(part, self._provider)):
                    yield {"reasoningContent": thought}
                case ToolCallPart():
                    yield call_block(part)
                case Unknown() if own and (block := block_in(part)):
                    yield block
                case _:
                    pass


def _thought(part: ThinkingPart, provider: str) -> dict[str, JSON] | None:
    """Reasoning as it came; None for what is neither signed nor redacted, which its makers do not take back."""
    match part.provider_data.get(provider):
        case {"signature": str(signature)}:
            return {"reasoningText": {"text": part.text, "signature": signature}}
        case {"redacted": str(data)}:
            return {"redactedContent": data}
        case _:
            return None


def _sampling(sampling: SamplingParams) -> dict[str, JSON]:
    said: dict[str, JSON] = {
        "maxTokens": sampling.max_output_tokens,
        "temperature": sampling.temperature,
        "topP": sampling.top_p,
        "stopSequences": list(sampling.stop) or None,
    }
    return {name: value for name, value in said.items() if value is not None}
