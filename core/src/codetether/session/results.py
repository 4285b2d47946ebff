"""What of a tool's result goes to the model, to screens and into the record."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import attrs

from codetether.images import image_flaw, image_type
from codetether.models.messages import ImagePart, TextPart
from codetether.models.tools import ToolResult
from codetether.record.redact import Redactor

SideFile = Callable[[str, bytes], Path]
"""Puts bytes beside the journal under a name, and returns where."""


def presentable(result: ToolResult, call_id: str, redactor: Redactor, limit: int, side_file: SideFile) -> ToolResult:
    """Without bad images and known secrets, and cut to `limit` bytes of text; what is left out lies in a side file."""
    if any(isinstance(part, ImagePart) for part in result.content):
        content = tuple(_seen(p, call_id, side_file) if isinstance(p, ImagePart) else p for p in result.content)
        result = attrs.evolve(result, content=content)
    if not redactor.empty:
        content = tuple(redactor.value(p) if isinstance(p, TextPart) else p for p in result.content)
        result = attrs.evolve(result, content=content, metadata=redactor.data(result.metadata))
    size = sum(len(p.text) for p in result.content if isinstance(p, TextPart))
    if size * 4 <= limit:
        return result
    data = result.output.encode("utf-8", "replace")
    if len(data) <= limit:
        return result
    path = side_file(f"output-{call_id}.txt", data)
    other = tuple(p for p in result.content if not isinstance(p, TextPart))
    content = (TextPart(text=_cut(data, limit, str(path))), *other)
    return attrs.evolve(result, content=content, metadata={**result.metadata, "whole_output": str(path)})


def _seen(image: ImagePart, call_id: str, side_file: SideFile) -> ImagePart | TextPart:
    """The image under the type that it has; words in place of one that would get every later request refused."""
    if image.data is None:
        return image
    if not (flaw := image_flaw(image.data)):
        return attrs.evolve(image, media_type=image_type(image.data) or image.media_type)
    from hashlib import sha256
    from mimetypes import guess_extension

    ending = guess_extension(image.media_type) or ""
    path = side_file(f"image-{call_id}-{sha256(image.data).hexdigest()[:8]}{ending}", image.data)
    what = f"{image.media_type}, {len(image.data)} bytes"
    return TextPart(text=f"[{what}: it {flaw}, and models would refuse it; it is kept in {path}]")


def _cut(data: bytes, limit: int, path: str) -> str:
    """Head and tail of an output that is too long for the model, with where the whole of it lies."""
    half = limit // 2
    head = data[:half].decode("utf-8", "ignore")
    tail = data[-half:].decode("utf-8", "ignore")
    left_out = len(data) - 2 * half
    return f"{head}\n\n[… {left_out} bytes left out; the whole output ({len(data)} bytes) is in {path} …]\n\n{tail}"
