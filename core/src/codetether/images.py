"""Images that models take, told by their bytes: what is said of their type is often wrong."""

from __future__ import annotations

IMAGE_LIMIT = 3_750_000
"""Bytes of an image; most models take no larger ones."""
_MARKS = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF8", "image/gif"))


def image_type(head: bytes) -> str | None:
    """The media type of an image that models take, by its first 12 bytes: PNG, JPEG, GIF or WebP."""
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for mark, kind in _MARKS if head.startswith(mark)), None)


def image_flaw(data: bytes) -> str:
    """Why models refuse these bytes as an image, and with them all that was said in a session; `""` if they do not.

    It follows the image's name: `is damaged or cut`.
    """
    media_type = image_type(data)
    if media_type is None:
        return "is neither PNG, JPEG, GIF nor WebP"
    if not _is_whole(media_type, data):
        return "is damaged or cut"
    return f"is larger than {IMAGE_LIMIT / 1e6:g} MB" if len(data) > IMAGE_LIMIT else ""


def _is_whole(media_type: str, data: bytes) -> bool:
    match media_type:
        case "image/png":
            return data[12:16] == b"IHDR" and b"IEND" in data
        case "image/jpeg":
            return b"\xff\xd9" in data
        case "image/gif":
            return data[:6] in (b"GIF87a", b"GIF89a") and b"\x3b" in data[13:]
        case _:
            return 20 < int.from_bytes(data[4:8], "little") + 8 <= len(data)
