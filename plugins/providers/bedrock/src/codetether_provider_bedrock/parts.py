"""Images and documents as Converse takes them."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from binascii import Error as BadBase64
from collections.abc import Iterable, Mapping

from codetether import JSON, FilePart, ImagePart

_IMAGES = {"image/png": "png", "image/jpeg": "jpeg", "image/jpg": "jpeg", "image/gif": "gif", "image/webp": "webp"}
_OFFICE = "application/vnd.openxmlformats-officedocument"
_DOCUMENTS = {
    "application/pdf": "pdf",
    "text/csv": "csv",
    "application/msword": "doc",
    f"{_OFFICE}.wordprocessingml.document": "docx",
    "application/vnd.ms-excel": "xls",
    f"{_OFFICE}.spreadsheetml.sheet": "xlsx",
    "text/html": "html",
    "text/plain": "txt",
    "text/markdown": "md",
}
_ENDINGS = {**{f: f for f in (*_IMAGES.values(), *_DOCUMENTS.values())}, "jpg": "jpeg", "htm": "html", "markdown": "md"}
_READABLE = ("application/json", "application/xml", "application/yaml", "application/toml", "application/javascript")
_LONGEST_NAME = 200


class Names:
    """Names of documents in one conversation: of the characters that are allowed, and each only once."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def give(self, name: str) -> str:
        """A name for a document whose file has this one."""
        stem = re.sub(r"\.[A-Za-z0-9]{1,8}$", "", name) or name
        plain = " ".join(re.sub(r"[^A-Za-z0-9\s()\[\]-]", " ", stem).split())[: _LONGEST_NAME - 8].strip() or "document"
        given, count = plain, 1
        while given.lower() in self._taken:
            count += 1
            given = f"{plain} {count}"
        self._taken.add(given.lower())
        return given


def image_block(part: ImagePart) -> dict[str, JSON]:
    """An `image` block, or words in its place where Converse cannot take it: an address on the web, another format."""
    source, media_type = _source(part.data, part.url, part.media_type)
    format_ = _IMAGES.get(media_type) or _ending(part.url or "", _IMAGES.values())
    if source is None or format_ is None:
        where = f" {_shown(part.url)}" if part.url else ""
        return {"text": f"(an image{where} of type {media_type} that could not be sent)"}
    return {"image": {"format": format_, "source": source}}


def file_block(part: FilePart, names: Names) -> dict[str, JSON]:
    """A `document` block, the text of a file that is text of another kind, or words in its place."""
    source, media_type = _source(part.data, part.url, part.media_type)
    named = part.name or (part.url or "").rpartition("/")[2]
    known = _DOCUMENTS.get(media_type) or _ending(named, _DOCUMENTS.values())
    if known is None and (media_type.startswith("text/") or media_type in _READABLE):
        known = "txt"
    if source is None or known is None:
        where = f" {_shown(part.url)}" if part.url else f" {part.name}" if part.name else ""
        return {"text": f"(a file{where} of type {media_type} that could not be sent)"}
    return {"document": {"format": known, "name": names.give(part.name), "source": source}}


def _source(data: bytes | None, url: str | None, media_type: str) -> tuple[Mapping[str, JSON] | None, str]:
    """Where the bytes are, None where Converse cannot have them; and the media type, which a `data:` URL tells."""
    if data:
        return {"bytes": b64encode(data).decode()}, media_type.lower()
    if url and url.startswith("s3://"):
        return {"s3Location": {"uri": url}}, media_type.lower()
    if url and url.startswith("data:"):
        head, _, content = url.partition(",")
        try:
            whole = b64decode(content, validate=True)
        except (BadBase64, ValueError):
            whole = b""
        own = head.removeprefix("data:").partition(";")[0].lower() or media_type.lower()
        return ({"bytes": b64encode(whole).decode()} if whole else None), own
    return None, media_type.lower()


def _ending(name: str, known: Iterable[str]) -> str | None:
    ending = _ENDINGS.get(name.rpartition(".")[2].lower())
    return ending if ending is not None and ending in tuple(known) else None


def _shown(url: str | None) -> str:
    return (url or "")[:200]
