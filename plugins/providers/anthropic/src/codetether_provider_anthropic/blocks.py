"""A message's parts as the blocks of content that the Messages API takes."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any

import orjson
from codetether import (
    JSON,
    FilePart,
    ImagePart,
    Message,
    MessagePart,
    RefusalPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolResultPart,
    Unknown,
)

KEPT = "anthropic_block"
"""The `type` under which a block that we do not know is kept for its provider."""
_IMAGES = ("image/jpeg", "image/png", "image/gif", "image/webp")
_READABLE = ("application/json", "application/xml", "application/yaml", "application/toml")
_PDF = "application/pdf"
_NO_WORDS = {"type": "text", "text": "It failed, without a word."}
"""What a failed call says that says nothing: the API wants something."""
_NOT_IN_A_NAME = re.compile(r"[^a-zA-Z0-9_-]")


def kept(provider: str, block: Mapping[str, JSON]) -> dict[str, JSON]:
    """A block that only its provider can read, as what an `Unknown` part holds."""
    return {"type": KEPT, "provider": provider, "block": dict(block)}


def call_id(id_: str) -> str:
    """The id as the API takes it: letters, digits, `_` and `-`; one of another vendor's shape is written anew."""
    if id_ and not _NOT_IN_A_NAME.search(id_):
        return id_
    return f"call_{sha256(id_.encode('utf-8', 'replace')).hexdigest()[:24]}"


class Blocks:
    """Writes blocks for one provider: what only another one can read is left out."""

    def __init__(self, provider: str) -> None:
        self._provider = provider

    def of_user(self, message: Message) -> tuple[list[dict[str, JSON]], list[dict[str, JSON]]]:
        """The results of tools, then everything else that a user's or a tool's message says."""
        results, others = [], []
        for part in message.parts:
            if isinstance(part, ToolResultPart):
                result, beside = self._result(part)
                results.append(result)
                others += beside
            elif (block := self._said(part)) is not None:
                others.append(block)
        return results, others

    def of_assistant(self, message: Message) -> list[dict[str, JSON]]:
        """What the model said, thought and asked for. Its thoughts go back to nobody else."""
        own = message.provider == self._provider
        blocks: list[dict[str, JSON]] = []
        for part in message.parts:
            match part:
                case TextPart(text="") if own:
                    self._cite(part, blocks)
                case TextPart(text=text) | RefusalPart(text=text):
                    if text.strip():
                        blocks.append({"type": "text", "text": text})
                case ThinkingPart() if own and (thought := self._thought(part)) is not None:
                    blocks.append(thought)
                case ToolCallPart():
                    blocks.append(self._call(part, own))
                case Unknown(raw=raw) if own and (block := self._kept(raw)) is not None:
                    blocks.append(block)
                case _:
                    pass
        return blocks

    def _cite(self, part: TextPart, blocks: list[dict[str, JSON]]) -> None:
        """Citations follow their text as an empty part; they go back within its block."""
        citations = self._own(part.provider_data).get("citations")
        if citations and blocks and blocks[-1]["type"] == "text":
            blocks[-1]["citations"] = citations

    def _own(self, provider_data: Mapping[str, JSON]) -> Mapping[str, JSON]:
        own = provider_data.get(self._provider)
        return own if isinstance(own, Mapping) else {}

    def _thought(self, part: ThinkingPart) -> dict[str, JSON] | None:
        own = self._own(part.provider_data)
        if "redacted" in own:
            return {"type": "redacted_thinking", "data": own["redacted"]}
        if own.get("signature"):
            return {"type": "thinking", "thinking": part.text, "signature": own["signature"]}
        return None  # without its signature it is refused

    def _kept(self, raw: Mapping[str, JSON]) -> dict[str, JSON] | None:
        if raw.get("type") == KEPT and raw.get("provider") == self._provider and isinstance(raw.get("block"), Mapping):
            return {name: value for name, value in raw["block"].items() if name != "cache_control"}
        return None

    def _call(self, part: ToolCallPart, own: bool) -> dict[str, JSON]:
        block: dict[str, JSON] = {"type": "tool_use", "id": call_id(part.id)}
        block |= {"name": _NOT_IN_A_NAME.sub("_", part.name)[:128] or "unknown", "input": _input(part.arguments)}
        caller = self._own(part.provider_data).get("caller")
        if caller and own:
            block["caller"] = caller
        return block

    def _result(self, part: ToolResultPart) -> tuple[dict[str, JSON], list[dict[str, JSON]]]:
        """The result, and what cannot stand within it: one that failed holds nothing but text."""
        content = [block for p in part.content if (block := self._said(p)) is not None]
        beside: list[dict[str, JSON]] = []
        result: dict[str, JSON] = {"type": "tool_result", "tool_use_id": call_id(part.tool_call_id)}
        if not part.success:
            beside = [block for block in content if block["type"] != "text"]
            content = [block for block in content if block["type"] == "text"] or [dict(_NO_WORDS)]
            result["is_error"] = True
        if content:
            result["content"] = content
        return result, beside

    def _said(self, part: MessagePart) -> dict[str, JSON] | None:
        match part:
            case TextPart(text=text):
                return {"type": "text", "text": text} if text.strip() else None
            case ImagePart():
                return self._image(part)
            case FilePart():
                return self._file(part)
            case Unknown(raw=raw):
                return self._kept(raw)
            case _:
                return None

    def _image(self, part: ImagePart) -> dict[str, JSON]:
        if (id_ := self._own(part.provider_data).get("file_id")) is not None:
            return {"type": "image", "source": {"type": "file", "file_id": id_}}
        media_type, data, url = part.media_type.lower(), part.data, part.url
        if data is None and url and url.startswith("data:"):
            head, _, encoded = url.partition(",")
            return _image(head.removeprefix("data:").partition(";")[0], encoded)
        if data is None and url:
            return {"type": "image", "source": {"type": "url", "url": url}}
        return _image(media_type, b64encode(data or b"").decode())

    def _file(self, part: FilePart) -> dict[str, JSON] | None:
        media_type, data = part.media_type.lower(), part.data
        if (id_ := self._own(part.provider_data).get("file_id")) is not None:
            source: dict[str, JSON] = {"type": "file", "file_id": id_}
        elif data is None and part.url and media_type in (_PDF, ""):
            source = {"type": "url", "url": part.url}
        elif data is not None and media_type == _PDF:
            source = {"type": "base64", "media_type": _PDF, "data": b64encode(data).decode()}
        elif data is not None and (media_type.startswith("text/") or media_type in _READABLE):
            text = data.decode("utf-8", "replace")
            if not text.strip():
                return {"type": "text", "text": f"[the file {part.name or 'of the user'} is empty]"}
            source = {"type": "text", "media_type": "text/plain", "data": text}
        else:
            where = f" at {part.url}" if part.url else ""
            return {"type": "text", "text": f"[{part.name or 'a file'}{where}: {media_type} cannot be read here]"}
        return {"type": "document", "source": source, **({"title": part.name} if part.name else {})}


def _image(media_type: str, encoded: str) -> dict[str, JSON]:
    media_type = "image/jpeg" if media_type == "image/jpg" else media_type
    if media_type not in _IMAGES:
        return {"type": "text", "text": f"[an image: {media_type} cannot be read here]"}
    return {"type": "image", "source": {"type": "base64", "media_type": media_type, "data": encoded}}


def _input(arguments: str) -> JSON:
    """The arguments as the model wrote them where they are an object; else within one, as the API's makers advise."""
    if not arguments.strip():
        return {}
    try:
        if isinstance(orjson.loads(arguments), dict):
            return orjson.Fragment(arguments)
    except orjson.JSONDecodeError:
        pass
    return {"INVALID_JSON": arguments}


def fixed_schema(schema: Any) -> dict[str, JSON]:
    """A tool's schema as the API takes it: an object, without alternatives at its top, whose properties it gets."""
    made: dict[str, JSON] = {"type": "object", **schema} if isinstance(schema, Mapping) else {"type": "object"}
    branches: Iterable[Any] = [b for word in ("allOf", "anyOf", "oneOf") for b in made.pop(word, None) or ()]
    found = [b["properties"] for b in branches if isinstance(b, Mapping) and isinstance(b.get("properties"), Mapping)]
    if found:
        made["properties"] = {
            k: v for properties in (*found, made.get("properties") or {}) for k, v in properties.items()
        }
    return made
