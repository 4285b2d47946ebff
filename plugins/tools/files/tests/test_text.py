"""Properties of text as it lies in files: whatever is not replaced stays byte for byte."""

from __future__ import annotations

import codecs

from codetether_tools_files.editing import change
from codetether_tools_files.text import Encoding, line_count
from hypothesis import example, given
from hypothesis import strategies as st

PIECES = st.sampled_from(["a", "b", " ", "\t", "\n", "\r\n", "\r", "é", "日", "\u2028", "\x0c", "{}", "🙂"])
TEXTS = st.lists(PIECES, max_size=30).map("".join)


@given(st.binary(max_size=200))
@example(b"caf\xe9")
@example("schön".encode() + b"\xff")
@example(codecs.BOM_UTF8 + b"\xff")
@example(codecs.BOM_UTF16_LE + b"a")
@example(codecs.BOM_UTF16_BE + b"\xd8\x00")
def test_any_bytes_survive_decoding_and_encoding(data: bytes) -> None:
    encoding = Encoding.of(data)
    assert encoding.encode(encoding.decode(data)) == data


@given(TEXTS, TEXTS, st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
def test_an_edit_changes_its_place_alone(before: str, after: str, codec: str) -> None:
    data = f"{before}OLD{after}".encode(codec)
    encoding = Encoding.of(data)
    made = change(encoding.decode(data), {"old": "OLD", "new": "neu"}, "f")
    assert encoding.encode(made.after) == f"{before}neu{after}".encode(codec)
    assert made.said == f"1 replacement at line {before.count(chr(10)) + 1}"


@given(TEXTS)
def test_lines_are_counted_as_they_are_seen(text: str) -> None:
    assert line_count(text) == len(text.removesuffix("\n").split("\n")) if text else line_count(text) == 0
