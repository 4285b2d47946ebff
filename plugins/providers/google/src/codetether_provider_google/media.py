"""Images and files as parts of a content."""

from __future__ import annotations

from base64 import b64encode
from mimetypes import guess_type
from urllib.parse import urlsplit

from codetether import JSON, FilePart, ImagePart, MessagePart

_READABLE = ("text/", "application/json", "application/xml", "application/yaml", "application/toml")


def attachment(part: MessagePart) -> dict[str, JSON] | None:
    """An image or a file: its bytes, its address, or its text; None for every other part.

    A text with a name is sent as text, because bytes have no room for the name.
    """
    if not isinstance(part, ImagePart | FilePart):
        return None
    if part.data is None and part.url:
        return _addressed(part.media_type, part.url)
    data = part.data or b""
    if isinstance(part, FilePart) and part.name and part.media_type.startswith(_READABLE):
        return {"text": f"{part.name}:\n{data.decode('utf-8', 'replace')}"}
    return {"inlineData": {"mimeType": part.media_type, "data": b64encode(data).decode()}}


def _addressed(media_type: str, url: str) -> dict[str, JSON]:
    if url.startswith("data:"):
        head, _, data = url.partition(",")
        kind = head.removeprefix("data:").removesuffix(";base64").partition(";")[0]
        return {"inlineData": {"mimeType": kind or media_type, "data": data}}
    if "*" in media_type:
        media_type = guess_type(urlsplit(url).path)[0] or "image/jpeg"
    return {"fileData": {"mimeType": media_type, "fileUri": url} if media_type else {"fileUri": url}}
