"""What a server answers, as the content of a tool's result."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from codetether import FilePart, ImagePart, TextPart, ToolResult, decoded

Content = TextPart | ImagePart | FilePart
NOTHING = TextPart(text="(no output)")


def tool_result(answer: Any) -> ToolResult:
    """The result of a call; `success` is what the server says of it."""
    content = tuple(contents(answer.content))
    if not content and answer.structured_content is not None:
        content = (TextPart(text=json.dumps(answer.structured_content, ensure_ascii=False)),)
    return ToolResult(content=content or (NOTHING,), success=not answer.is_error)


def contents(blocks: Iterable[Any]) -> Iterator[Content]:
    """Blocks of content as parts."""
    for block in blocks:
        match block.type:
            case "text":
                yield TextPart(text=block.text)
            case "image" | "audio":
                yield _binary(block.data, block.mime_type, block.type)
            case "resource":
                yield resource(block.resource)
            case "resource_link":
                yield TextPart(text=f"[{block.name}: {block.uri}]")


def resource(found: Any) -> Content:
    """A resource's text, or its bytes."""
    if hasattr(found, "text"):
        return TextPart(text=found.text)
    return _binary(found.blob, found.mime_type or "application/octet-stream", str(found.uri))


def _binary(text: str, media_type: str, name: str) -> Content:
    data = decoded(text)
    if data is None:
        return TextPart(text=f"[{name} of {media_type}, which is no base64]")
    if media_type.startswith("image/"):
        return ImagePart(media_type=media_type, data=data)
    return FilePart(media_type=media_type, name=name, data=data)
