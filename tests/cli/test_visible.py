"""What reaches a terminal, character by character."""

from __future__ import annotations

import json
import re
import time
import unicodedata
from io import StringIO
from typing import Any

import pytest
from codetether.cli.approval_text import unpadded
from codetether.cli.table import print_table
from codetether.cli.terminal import Screen, json_line, one_line, readable, unfinished, visible
from codetether.wire import storable
from hypothesis import given
from hypothesis import strategies as st

BIDI = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def test_what_says_something_is_shown_as_it_is() -> None:
    assert visible("plain ☃ 汉字 é\tand\nlines\r\nok") == "plain ☃ 汉字 é\tand\nlines\nok"
    assert visible("e\u0301 is one mark") == "e\u0301 is one mark"


def test_T01_writing_to_the_clipboard_is_shown() -> None:
    assert visible("\x1b]52;c;aGk=\x07") == "␛]52;c;aGk=␇"


def test_T02_rewriting_the_screen_is_shown() -> None:
    assert visible("\x1b[2J\x1b[1A\x1b[2K\x1b[?1049h\x1b[2;5r") == "␛[2J␛[1A␛[2K␛[?1049h␛[2;5r"


def test_T03_eight_bit_controls_are_shown() -> None:
    assert visible("\x9b2J\x9d52;\x85\x90q") == "<U+009B>2J<U+009D>52;<U+0085><U+0090>q"
    assert all(visible(chr(code)) == f"<U+{code:04X}>" for code in range(0x80, 0xA0))


def test_T04_strings_for_devices_are_shown() -> None:
    assert visible("\x1bPq#0~\x1b\\ \x1b_Gf=24;AAAA\x1b\\ \x1b^pm\x1b\\ \x1bXsos\x1b\\ \x1bP+q544e\x1b\\") == (
        "␛Pq#0~␛\\ ␛_Gf=24;AAAA␛\\ ␛^pm␛\\ ␛Xsos␛\\ ␛P+q544e␛\\"
    )


def test_T05_going_back_over_a_line_is_shown() -> None:
    assert visible("safe\rEVIL a\b\bx\x7f\x00") == "safe␍EVIL a␈␈x␡␀"


def test_T06_nothing_forms_anew_where_something_was_shown() -> None:
    assert visible("\x1b\x1b[31m[2J \x1b[3\x1b[0m1m") == "␛␛[31m[2J ␛[3␛[0m1m"


def test_I02_hidden_characters_are_shown() -> None:
    assert visible("user\u202egnp.exe\u202c \u2066x\u2069") == "user<U+202E>gnp.exe<U+202C> <U+2066>x<U+2069>"
    assert visible("zero\u200bwidth\ufeff soft\u00adhyphen") == "zero<U+200B>width<U+FEFF> soft<U+00AD>hyphen"
    assert visible("tags \U000e0041\U000e007f lone \ud800") == "tags <U+E0041><U+E007F> lone <U+D800>"


def test_an_answer_keeps_the_joiners_of_its_script_and_shows_those_that_hide() -> None:
    assert readable("می\u200cشد 👩\u200d💻 क्\u200dष") == "می\u200cشد 👩\u200d💻 क्\u200dष"
    assert readable("pay\u200cpal \u200dx 👩\u200d\u200d💻") == ("pay<U+200C>pal <U+200D>x 👩<U+200D><U+200D>💻")
    assert visible("می\u200cشد") == "می<U+200C>شد"


@given(st.text(st.sampled_from("aم👩\u200c\u200d\ufe0f\r\n\x1b"), max_size=12), st.data())
def test_a_text_reads_the_same_in_whatever_pieces_it_comes(text: str, data: Any) -> None:
    shown, held, left = "", "", text
    while left:
        at = data.draw(st.integers(1, len(left)))
        piece, left = held + left[:at], left[at:]
        held = unfinished(piece)
        shown += readable(piece.removesuffix(held))
    assert shown + readable(held) == readable(text)


@given(st.text())
def test_nothing_that_a_terminal_acts_on_is_left(text: str) -> None:
    shown = visible(text)
    bad = [c for c in shown if c not in "\n\t" and unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp")]
    bidi = [
        c
        for c in shown
        if unicodedata.bidirectional(c) in ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
    ]
    assert (bad, bidi) == ([], [])
    assert visible(shown) == shown


@given(st.text(), st.integers(0, 40))
def test_T07_a_text_may_come_in_two_pieces(text: str, at: int) -> None:
    if "\r" not in text and not re.search("[\u0300-\u036f]{4}", text):
        assert visible(text[:at]) + visible(text[at:]) == visible(text)


@given(
    st.recursive(
        st.none() | st.integers(-(2**63), 2**63 - 1) | st.text(), lambda s: st.lists(s) | st.dictionaries(st.text(), s)
    )
)
def test_json_stays_the_same_json(value: object) -> None:
    import orjson

    value = storable(value)
    line = json_line(orjson.dumps(value))
    assert json.loads(line) == value
    assert visible(line) == line or re.search("[\u0300-\u20ff\ufe20-\ufe2f]", line)


def test_T09_tricks_with_colour_marks_and_length_show_and_take_no_time() -> None:
    assert visible("\x1b[8mhidden\x1b[37;47mwhite") == "␛[8mhidden␛[37;47mwhite"
    began = time.process_time()
    assert visible("z" + "\u0301" * 10_000 + "!") == "z" + "\u0301" * 4 + "…!"
    assert one_line("x" * 1_000_000, 80) == "x" * 66 + "… (+999,934)"
    assert time.process_time() - began < 0.1
    visible("\x1b[8m" * 250_000)
    assert time.process_time() - began < 1


def test_one_line_counts_what_it_cuts() -> None:
    assert one_line("short\nlines\tok", 80) == "short⏎lines ok"
    assert one_line("日本語🎉e\u0301", 9) == "日本語🎉e\u0301"
    assert one_line("日本語" * 10, 20) == "日本語日本語… (+24)"


def test_columns_of_a_table_hold_letters_of_any_width(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen()
    screen.out = StringIO()
    print_table(screen, ("A", "B"), [("日本", 1), ("e\u0301", 2)])
    assert screen.out.getvalue() == "A     B\n日本  1\ne\u0301     2\n"
    monkeypatch.setattr(Screen, "columns", 10)
    screen.out = StringIO()
    print_table(screen, ("A", "B"), [("a", "日本語日本語")])
    assert screen.out.getvalue() == "A\n  B\na\n  日本語…\n"
    assert one_line("0123456789" * 5, 20) == "0123456789012… (+37)"


def test_white_space_cannot_push_a_command_out_of_sight() -> None:
    assert unpadded("grep x f" + " " * 5000 + "; curl evil" + "\n" * 50 + "end") == (
        "grep x f <5000 white space characters> ; curl evil <50 white space characters> end"
    )
