"""Finds out in which characters a page is written, and reads it."""

from __future__ import annotations

import codecs
import re

_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_DECLARED = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([A-Za-z0-9_:.-]{1,40})""", re.IGNORECASE)
_XML = re.compile(rb"""<\?xml[^>]{0,200}?encoding\s*=\s*["']([A-Za-z0-9_:.-]{1,40})""")
_HEADER = re.compile(r"""charset\s*=\s*["']?([A-Za-z0-9_:.-]{1,40})""", re.IGNORECASE)
_MEANT = {
    "ascii": "cp1252",
    "us-ascii": "cp1252",
    "latin1": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "utf-16": "utf-16-le",
}
"""What browsers take a name to mean, by what Python calls it."""
_KNOWN = re.compile(
    r"utf-(8|16(-[bl]e)?)|cp\d+|iso8859-\d+|koi8-[ru]|mac-(roman|cyrillic)"
    r"|gb18030|big5(hkscs)?|euc_jp|iso2022_jp"
)
_HEAD = 4096


def read_text(data: bytes, content_type: str = "") -> str:
    """The text, by its mark, the header, its own words, or what it looks like; what fits nowhere shows as U+FFFD."""
    for mark, known in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(known, "replace")
    name = _named(content_type) or _declared(data[:_HEAD])
    if name:
        return data.decode(name, "replace")
    try:
        return codecs.getincrementaldecoder("utf-8")().decode(data)  # a character may be cut apart at the end
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def _named(content_type: str) -> str | None:
    found = _HEADER.search(content_type)
    return _codec(found[1]) if found else None


def _declared(head: bytes) -> str | None:
    found = _DECLARED.search(head) or _XML.match(head.lstrip())
    name = _codec(found[1].decode("ascii")) if found else None
    return "utf-8" if name and name.startswith("utf-16") else name  # it could not be read if it were true


def _codec(label: str) -> str | None:
    """Python's name of the encoding; None for what is no encoding of pages."""
    label = label.lower().removeprefix("x-")
    try:
        name = codecs.lookup({"windows-31j": "cp932", "windows-874": "cp874"}.get(label, label)).name
    except LookupError:
        return None
    name = _MEANT.get(name, name)
    return name if _KNOWN.fullmatch(name) else None
