"""Tells what a server sent: Markdown or text for a model to read, an image, or something else."""

from __future__ import annotations

import re

from attrs import frozen
from codetether import image_flaw, image_type

from codetether_tools_web.charsets import read_text
from codetether_tools_web.failures import Refused
from codetether_tools_web.fetching import Reply
from codetether_tools_web.markup import read_html
from codetether_tools_web.unseen import with_unseen_spelled

_TEXTS = re.compile(
    r"text/.+|application/(.+\+)?(json|xml|yaml|toml|javascript|ecmascript|typescript|x-sh|sql|graphql|rtf)"
    r"|application/(x-)?(ndjson|jsonlines|yaml|javascript|httpd-php|www-form-urlencoded)|image/svg\+xml|message/.+"
)
_VAGUE = frozenset(("", "application/octet-stream", "binary/octet-stream", "application/unknown", "unknown/unknown"))
_HTML = frozenset(("text/html", "application/xhtml+xml"))
_MARKUP = re.compile(r"<[A-Za-z!/?]|&#?\w+;")
_BINARY = re.compile(rb"%PDF-|PK\x03\x04|\x7fELF|\x1f\x8b|BZh|7z\xbc\xaf|Rar!|\xca\xfe\xba\xbe|OggS|ID3|fLaC|wOF[F2]")


@frozen(kw_only=True)
class Page:
    """A page as it is read.

    Attributes:
        kind: its media type.
        notes: what is to be said of it, e.g. that it was cut.
        image: the bytes, where it is an image that models take.
        other: the bytes, where it is neither an image nor text.
    """

    kind: str
    text: str = ""
    title: str = ""
    notes: tuple[str, ...] = ()
    image: bytes | None = None
    other: bytes | None = None


def read_page(reply: Reply, form: str) -> Page:
    """The page in the form `markdown`, `text` or `raw`. Raises Refused for what is too large to be kept.

    What a server says of the type counts only as far as the bytes bear it out.
    """
    said = reply.headers.get("content-type", "")
    kind = said.partition(";")[0].strip().lower()
    data = reply.data
    if image := image_type(data):
        if flaw := "is too large to be shown" if reply.cut else image_flaw(data):
            raise Refused(f"{reply.target} is an image ({image}) that {flaw}")
        return Page(kind=image, image=data)
    if _is_binary(data) or not (kind in _VAGUE or _TEXTS.fullmatch(kind)):
        kind = ascii(kind or "of no type")[1:-1]
        if reply.cut or reply.status >= 400:
            size = f"{'more than ' if reply.cut else ''}{len(data)} bytes"
            raise Refused(
                f"{reply.target} is no text: {kind}, {size}",
                remedy="Use a command to save it to a file, if it is needed.",
            )
        return Page(kind=kind, other=data)
    text = read_text(data, said)
    notes = (f"cut after {len(data)} bytes",) if reply.cut else ()
    plain = form == "raw" or not _MARKUP.search(text)  # many servers call all text HTML
    if plain or not (kind in _HTML or (kind in _VAGUE and _looks_like_html(text))):
        return Page(kind=kind or "text/plain", text=with_unseen_spelled(text), notes=notes)
    found = read_html(text, str(reply.target), plain=form == "text")
    if found.converted is not None:
        notes = (*notes, f"cut after {found.converted} characters of HTML")
    if found.leads:
        notes = (*notes, f"sends its readers to {found.leads}")
    elif not found.text and "<script" in text:
        notes = (*notes, "made by scripts, which do not run here")
    return Page(kind=kind or "text/html", text=found.text, title=found.title, notes=notes)


def _is_binary(data: bytes) -> bool:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return False
    return b"\0" in data or bool(_BINARY.match(data))


def _looks_like_html(text: str) -> bool:
    return bool(re.match(r"\s*(<!doctype html|<html)", text, re.IGNORECASE))
