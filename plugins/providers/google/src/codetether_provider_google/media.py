"""Images and files as parts of a content."""

from __future__ import annotations

from base64 import b64encode
from mimetypes import guess_type
from urllib.parse import urlsplit

from codetether import JSON, FilePart, ImagePart, MessagePart

_READABLE = ("application/json", "application/xml", "application/yaml", "application/toml")
"""Texts that are refused as files."""


def attachment(part: MessagePart, *, named: bool = False) -> dict[str, JSON] | None:
    """An image or a file: its bytes, its address, or its text; None for every other part.

    Args:
        named: a file of text is told by its name, which a file's bytes could not hold.
    """
    if not isinstance(part, ImagePart | FilePart):
        return None
    if part.data is None and part.url:
        return _addressed(part.media_type, part.url)
    data = part.data or b""
    if isinstance(part, FilePart):
        text = part.media_type.startswith("text/") and named and part.name
        if text or part.media_type in _READABLE:
            return {"text": f"{part.name or 'file'}:\n{data.decode('utf-8', 'replace')}"}
    return {"inlineData": {"mimeType": part.media_type, "data": b64encode(data).decode()}}


def _addressed(media_type: str, url: str) -> dict[str, JSON]:
    if url.startswith("data:"):
        head, _, data = url.partition(",")
        kind = head.removeprefix("data:").removesuffix(";base64").partition(";")[0]
        return {"inlineData": {"mimeType": kind or media_type, "data": data}}
    if "*" in media_type or not media_type:
        media_type = guess_type(urlsplit(url).path)[0] or "image/jpeg"
    return {"fileData": {"mimeType": media_type, "fileUri": url}}
