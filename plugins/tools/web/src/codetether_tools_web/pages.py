"""Turns what a server sent into what a model reads: Markdown, text, or an image."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from attrs import frozen

from codetether_tools_web.charsets import read_text
from codetether_tools_web.failures import Refused
from codetether_tools_web.fetching import Reply

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag

MARKUP = 1_000_000
"""Characters of HTML that are converted, without scripts, styles and comments: a dense page takes seconds."""
LARGEST_IMAGE = 3_750_000
"""Bytes of an image that models take."""
_IMAGES = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF8", "image/gif"))
_TEXTS = re.compile(
    r"text/.+|application/(.+\+)?(json|xml|yaml|toml|javascript|ecmascript|typescript|x-sh|sql|graphql|rtf)"
    r"|application/(x-)?(ndjson|jsonlines|yaml|javascript|httpd-php|www-form-urlencoded)|image/svg\+xml|message/.+"
)
_VAGUE = frozenset(("", "application/octet-stream", "binary/octet-stream", "application/unknown", "unknown/unknown"))
_HTML = frozenset(("text/html", "application/xhtml+xml"))
_BINARY = re.compile(rb"%PDF-|PK\x03\x04|\x7fELF|\x1f\x8b|BZh|7z\xbc\xaf|Rar!|\xca\xfe\xba\xbe|OggS|ID3|fLaC|wOF[F2]")
_UNREAD = ("script", "style", "svg", "template")
_EMBEDDED = ("head", "noscript", "iframe", "object", "embed", "canvas", "audio", "video", "dialog")
_FORMS = ("input", "button", "select", "textarea")
_DROPPED = frozenset((*_EMBEDDED, *_FORMS))
_UNSEEN = re.compile(r"display:\s*none|visibility:\s*hidden", re.IGNORECASE)
_AROUND = frozenset(("nav", "footer", "aside"))
_ROLES_AROUND = frozenset(("navigation", "contentinfo", "search"))
_EMPHASIS = ("a", "img", "b", "strong", "i", "em", "del", "s", "sub", "sup")
"""What the form `text` leaves out."""
_LEAST = 200
"""Characters of text by which the main part of a page is taken for it."""
_BLANK = re.compile(r"\n[ \t]*\n\s*\n")


@frozen(kw_only=True)
class Page:
    """A page as it is read.

    Attributes:
        kind: its media type.
        notes: what is to be said of it, e.g. that it was cut.
        image: the bytes, where it is an image that models take.
    """

    kind: str
    text: str = ""
    title: str = ""
    notes: tuple[str, ...] = ()
    image: bytes | None = None


def read_page(reply: Reply, form: str) -> Page:
    """The page in the form `markdown`, `text` or `raw`. Raises Refused for what is neither text nor an image.

    What a server says of the type counts only as far as the bytes bear it out.
    """
    said = reply.headers.get("content-type", "")
    kind = said.partition(";")[0].strip().lower()
    data = reply.data
    if image := _image(data):
        if reply.cut or len(data) > LARGEST_IMAGE:
            raise Refused(f"{reply.target} is an image ({image}) that is too large to be shown")
        return Page(kind=image, image=data)
    if _is_binary(data) or not (kind in _VAGUE or _TEXTS.fullmatch(kind)):
        size = f"{'more than ' if reply.cut else ''}{len(data)} bytes"
        raise Refused(
            f"{reply.target} is no text: {ascii(kind or 'of no type')[1:-1]}, {size}",
            remedy="Use a command to save it to a file, if it is needed.",
        )
    text = read_text(data, said)
    notes = (f"cut after {len(data)} bytes",) if reply.cut else ()
    if form == "raw" or not (kind in _HTML or (kind in _VAGUE and _looks_like_html(text))):
        return Page(kind=kind or "text/plain", text=text, notes=notes)
    return _html(text, str(reply.target), form, kind or "text/html", notes)


def _image(data: bytes) -> str | None:
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for mark, kind in _IMAGES if data.startswith(mark)), None)


def _is_binary(data: bytes) -> bool:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return False
    return b"\0" in data or bool(_BINARY.match(data))


def _looks_like_html(text: str) -> bool:
    return bool(re.match(r"\s*(<!doctype html|<html)", text, re.IGNORECASE))


def _html(source: str, address: str, form: str, kind: str, notes: tuple[str, ...]) -> Page:
    from bs4 import BeautifulSoup

    markup = "".join(_read_parts(source))
    if len(markup) > MARKUP:
        markup, notes = markup[:MARKUP], (*notes, f"cut after {MARKUP} characters of HTML")
    soup = BeautifulSoup(markup, "lxml")
    title = " ".join(soup.title.get_text().split()) if soup.title else ""
    base = soup.find("base", href=True)
    root = _content(soup)
    try:
        _point_links(root, urljoin(address, str(base["href"])) if base else address)
        text = _markdown(root, strip=_EMPHASIS if form == "text" else ())
    except RecursionError:  # a page nested that deeply has no form to keep
        text = soup.get_text("\n", strip=True)
    return Page(kind=kind, text=_BLANK.sub("\n\n", text).strip(), title=title, notes=notes)


def _read_parts(source: str) -> Iterator[str]:
    """The source without scripts, styles, drawings, comments and instructions, in one pass however broken it is."""
    begins = re.compile(rf"<(?:(!--|\?)|({'|'.join(_UNREAD)})(?=[\s/>]))", re.IGNORECASE)
    ends = {name: re.compile(rf"</{name}[\s/>][^>]*>?|</{name}>", re.IGNORECASE) for name in _UNREAD}
    ends |= {"!--": re.compile(r"--!?>"), "?": re.compile(">")}
    place = 0
    while found := begins.search(source, place):
        yield source[place : found.start()]
        end = ends[(found[1] or found[2]).lower()].search(source, found.end())
        if end is None:
            return
        place = end.end()
    yield source[place:]


def _content(soup: BeautifulSoup) -> BeautifulSoup | Tag:
    """The page's own part, without what is hidden and what stands around it."""
    for element in soup.find_all(_is_unseen):
        element.decompose()
    root: BeautifulSoup | Tag = soup
    articles = soup.find_all("article", limit=2)
    for main in (soup.find("main"), soup.find(role="main"), articles[0] if len(articles) == 1 else None):
        if main is not None and len(main.get_text(strip=True)) >= _LEAST:
            root = main
            break
    around = root.find_all(_is_around)
    if len(root.get_text(strip=True)) - sum(len(each.get_text(strip=True)) for each in around) >= _LEAST:
        for element in around:
            element.decompose()
    return root


def _is_unseen(tag: Tag) -> bool:
    seen = tag.attrs
    return tag.name in _DROPPED or (
        bool(seen)
        and ("hidden" in seen or seen.get("aria-hidden") == "true" or bool(_UNSEEN.search(str(seen.get("style", "")))))
    )


def _is_around(tag: Tag) -> bool:
    return tag.name in _AROUND or tag.attrs.get("role") in _ROLES_AROUND


def _point_links(root: BeautifulSoup | Tag, base: str) -> None:
    """Makes links whole, so that they can be fetched; those that lead nowhere else are only their text."""
    for link in root.find_all("a"):
        place = str(link.get("href") or "").strip()
        if not place or place.startswith("#") or re.match(r"(javascript|data|blob|vbscript):", place, re.IGNORECASE):
            if link.get_text(strip=True) in ("¶", "#", "🔗", ""):
                link.decompose()
            else:
                link.unwrap()
            continue
        try:
            link["href"] = urljoin(base, place)
        except ValueError:
            link.unwrap()
        del link["title"]
    for image in root.find_all("img"):
        place = str(image.get("src") or "")
        if not place or place.startswith("data:"):
            image.replace_with(str(image.get("alt") or ""))
            continue
        try:
            image["src"] = urljoin(base, place)
        except ValueError:
            image.decompose()


def _markdown(root: BeautifulSoup | Tag, strip: Sequence[str]) -> str:
    from markdownify import MarkdownConverter

    converter = MarkdownConverter(
        heading_style="ATX",
        bullets="-",
        escape_asterisks=False,
        escape_underscores=False,
        code_language_callback=_language,
        strip=list(strip) or None,
    )
    return "\n".join(line.rstrip() for line in str(converter.convert_soup(root)).split("\n"))


def _language(block: Tag) -> str:
    """The language of a block of code, by the classes that highlighters give it."""
    for element in (block, block.find("code"), block.parent, block.parent.parent if block.parent else None):
        for name in (element.get("class") or ()) if element is not None and not isinstance(element, int) else ():
            found = re.fullmatch(r"(?:language|lang|highlight|brush|highlight-source)[-:]([A-Za-z0-9+#]{1,20})", name)
            if found and found[1] not in ("default", "none", "text"):
                return found[1]
    return ""
