"""Turns HTML into the Markdown of a page's main part, however broken, long or hostile it is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from attrs import frozen

from codetether_tools_web.unseen import without_unseen

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag

LARGEST = 1_000_000
"""Characters of HTML that are converted, without scripts, styles and comments."""
MOST = 20_000
"""Elements that are converted: each takes a fraction of a millisecond."""
_UNREAD = ("script", "style", "svg", "template")
_EMBEDDED = ("head", "noscript", "iframe", "object", "embed", "canvas", "audio", "video", "dialog")
_FORMS = ("input", "button", "select", "textarea")
_DROPPED = frozenset((*_EMBEDDED, *_FORMS))
_HIDDEN = re.compile(r"display:\s*none|visibility:\s*hidden", re.IGNORECASE)
_AROUND = frozenset(("nav", "footer", "aside"))
_ROLES_AROUND = frozenset(("navigation", "contentinfo", "search"))
_BLOCKS = [
    "address",
    "aside",
    "center",
    "details",
    "fieldset",
    "figure",
    "footer",
    "form",
    "header",
    "hgroup",
    "legend",
    "main",
    "nav",
    "search",
    "summary",
]
"""What the converter takes for a part of a line, so that its text would stick to what follows."""
_EMPHASIS = ["a", "img", "b", "strong", "i", "em", "del", "s", "sub", "sup"]
"""What plain text leaves out."""
_LEAST = 200
"""Characters of text by which the main part of a page is taken for it."""
_SPACE = re.compile(r"\s{200,}")
_BLANK = re.compile(r"\n\s*\n\s*\n")
_ELEMENT = re.compile(r"<[A-Za-z]")
_REFRESH = re.compile("refresh", re.IGNORECASE)
_LEADS = re.compile(r"""url\s*=\s*["']?([^"'\s]+)""", re.IGNORECASE)
_NOWHERE = re.compile(r"#|(?:javascript|data|blob|vbscript):", re.IGNORECASE)


@frozen(kw_only=True)
class Document:
    """A page in HTML as it is read.

    Attributes:
        converted: characters of its markup that were converted, where that is not all.
        leads: the address to which it sends its readers by itself.
    """

    text: str
    title: str = ""
    converted: int | None = None
    leads: str = ""


def read_html(source: str, address: str, *, plain: bool = False) -> Document:
    """The document at the address; `plain`: without links and emphasis."""
    from bs4 import BeautifulSoup

    markup = "".join(_read_parts(source))
    end = next((found.start() for found in islice(_ELEMENT.finditer(markup), MOST, None)), len(markup))
    end = min(end, LARGEST)
    soup = BeautifulSoup(markup[:end], "lxml")
    title = " ".join(without_unseen(soup.title.get_text()).split()) if soup.title else ""
    base = soup.find("base", href=True)
    place = _joined(address, str(base["href"])) if base else address
    refresh = soup.find("meta", attrs={"http-equiv": _REFRESH, "content": _LEADS})
    led = _LEADS.search(str(refresh["content"])) if refresh else None
    root = _content(soup, place)
    try:
        text = _markdown(root, plain)
    except RecursionError:  # a page nested that deeply has no form to keep
        text = root.get_text("\n", strip=True)
    text = _BLANK.sub("\n\n", without_unseen(text[: LARGEST * 2])).strip()
    leads = _joined(place, led[1]) if led else ""
    return Document(text=text, title=title, converted=end if end < len(markup) else None, leads=leads)


def _read_parts(source: str) -> Iterator[str]:
    """The source without scripts, styles, drawings, comments and instructions, in one pass."""
    begins = re.compile(rf"<(?:(!--|\?)|({'|'.join(_UNREAD)})(?=[\s/>]))", re.IGNORECASE)
    ends = {name: re.compile(rf"</{name}(?=[\s/>])[^>]*>?", re.IGNORECASE) for name in _UNREAD}
    ends |= {"!--": re.compile(r"--!?>"), "?": re.compile(">")}
    place = 0
    while found := begins.search(source, place):
        yield source[place : found.start()]
        end = ends[(found[1] or found[2]).lower()].search(source, found.end())
        if end is None:
            return
        place = end.end()
    yield source[place:]


def _content(soup: BeautifulSoup, base: str) -> BeautifulSoup | Tag:
    """The page's own part, without what is hidden and what stands around it, ready to be converted."""
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
    _point_links(root, base)
    _narrow(root)
    return root


def _is_unseen(tag: Tag) -> bool:
    said = tag.attrs
    hidden = "hidden" in said or said.get("aria-hidden") == "true" or _HIDDEN.search(str(said.get("style", "")))
    return tag.name in _DROPPED or bool(hidden)


def _is_around(tag: Tag) -> bool:
    return tag.name in _AROUND or tag.attrs.get("role") in _ROLES_AROUND


def _point_links(root: BeautifulSoup | Tag, base: str) -> None:
    """Makes links whole, so that they can be fetched; those that lead nowhere else are only their text."""
    for link in root.find_all("a"):
        place = str(link.get("href") or "").strip()
        if place and not _NOWHERE.match(place):
            link.attrs = {"href": _joined(base, place)}
        elif link.get_text(strip=True) in ("¶", "#", "🔗"):
            link.clear()
        else:
            link.attrs = {}
    for image in root.find_all("img"):
        place, name = str(image.get("src") or ""), str(image.get("alt") or "")
        if place and not _NOWHERE.match(place):
            image.attrs = {"src": _joined(base, place), "alt": name}
        else:
            image.replace_with(name)


def _narrow(root: BeautifulSoup | Tag) -> None:
    """Takes away what the converter cannot do, or not soon: long runs of space, broad cells, code, new blocks."""
    for block in root.find_all("pre"):
        language, code = _language(block), _SPACE.sub("\n\n", block.get_text())
        block.clear()
        block.string, block["data-language"] = code, language
    for text in root.find_all(string=_SPACE):
        text.replace_with(_SPACE.sub("\n\n", text))
    for block in root.find_all(_BLOCKS):
        block.name = "div"
    for cell in root.find_all(("td", "th"), colspan=True):
        if not re.fullmatch(r"[0-9]{1,2}", str(cell["colspan"])):
            del cell["colspan"]


def _markdown(root: BeautifulSoup | Tag, plain: bool) -> str:
    from markdownify import MarkdownConverter

    converter = MarkdownConverter(
        heading_style="ATX",
        bullets="-",
        escape_asterisks=False,
        escape_underscores=False,
        code_language_callback=lambda block: str(block.get("data-language") or ""),
        strip=_EMPHASIS if plain else None,
    )
    return "\n".join(line.rstrip() for line in str(converter.convert_soup(root)).split("\n"))


def _language(block: Tag) -> str:
    """The language of a block of code, by the classes that highlighters give it."""
    outer = list(islice(block.parents, 2))
    for element in (block, block.find("code"), *outer):
        for name in (element.get("class") or ()) if element is not None else ():
            found = re.fullmatch(r"(?:language|lang|highlight|brush|highlight-source)[-:]([A-Za-z0-9+#]{1,20})", name)
            if found and found[1] not in ("default", "none", "text"):
                return found[1]
    return ""


def _joined(base: str, place: str) -> str:
    try:
        return urljoin(base, place)
    except ValueError:  # no address that anybody could follow: it stays as it stands there
        return place
