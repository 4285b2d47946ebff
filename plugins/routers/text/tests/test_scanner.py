"""What is a call and what is none, in whatever pieces it comes."""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from codetether import ToolDefinition
from codetether.testing.toolcall_text import judge, judged, read
from codetether_router_text.offers import Offers
from codetether_router_text.router import Screen, TextRouter
from codetether_router_text.scanner import Found, Scanner, prose, scanned
from codetether_router_text.table import ROWS, Row
from hypothesis import given
from hypothesis import strategies as st

OWN = read(Path(__file__).with_name("cases.jsonl"))
"""Hand-written for these tests."""


def offering(name: str = "f", **properties: Any) -> Offers:
    schema = {"type": "object", "properties": properties or {"a": {"type": "integer"}}, "required": ["a"]}
    return Offers.of([ToolDefinition(name=name, description="", schema=schema)])


def calls(text: str, offers: Offers) -> list[tuple[str, dict[str, Any]]]:
    return [(call.name, call.arguments) for found in scanned(text, offers) for call in found.calls]


def merged(found: Iterable[Found]) -> list[tuple[str, Any]]:
    """The pieces, prose that stands together as one."""
    made: list[tuple[str, Any]] = []
    for piece in found:
        if made and not piece.calls and not made[-1][1]:
            made[-1] = (made[-1][0] + piece.text, ())
        else:
            made.append((piece.text, piece.calls))
    return made


def in_pieces(text: str, sizes: Iterable[int], offers: Offers) -> list[Found]:
    scanner, found, at = Scanner(offers), [], 0
    for size in sizes:
        found += scanner.feed(text[at : at + size])
        at += size
    return [*found, *scanner.feed(text[at:]), *scanner.finish()]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.wrapper}-{row.header}-{row.body}")
def test_each_row_of_the_table_reads_its_example(row: Row) -> None:
    kind = "string" if row.header == "child" or row.body == "text" else "integer"
    value: Any = "1" if kind == "string" else 1
    found = scanned(row.example, offering(a={"type": kind}))
    assert [(call.name, call.arguments) for piece in found for call in piece.calls] == [("f", {"a": value})]
    assert prose(found) == ""


async def test_our_own_cases() -> None:
    verdicts = await judge(OWN, [("text", TextRouter())])
    assert [(v.case.id, v.why) for v in verdicts if v.why] == []


async def test_a_strict_reader_leaves_what_breaks_its_format_as_it_is() -> None:
    verdicts = await judge(OWN, [("text", TextRouter(lenient=False))])
    assert [v.case.id for v in verdicts if v.why] == []
    assert [v.case.id for v in verdicts if v.read and "lenient" in v.case.tags] == []


async def test_the_shared_cases(shared: Path) -> None:
    verdicts = await judged(read(shared / "cases.jsonl"), "text")
    by_kind = {kind: [v for v in verdicts if v.case.expected == kind] for kind in ("calls", "no_calls", "lenient")}
    shares = {kind: sum(not v.why for v in of) / len(of) for kind, of in by_kind.items()}
    assert (shares["calls"] >= 0.99, shares["no_calls"] >= 0.99, shares["lenient"]) == (True, True, 1.0)


def test_the_pieces_make_no_difference() -> None:
    for case in OWN[::2]:
        offers = Offers.of(case.tools)
        whole = merged(scanned(case.text, offers))
        assert "".join(text for text, _ in whole) == case.text, case.id
        for size in (1, 2, 7):
            assert merged(in_pieces(case.text, [size] * (len(case.text) // size), offers)) == whole, case.id


FRAGMENTS = [
    *('{"name": "f", "arguments": {"a": 1}}', '{"name": "', '"arguments": {', "}}", "{", "}", "[", "]", '"', "'", ","),
    *(
        "f",
        "\n",
        "\n\n",
        " ",
        "`",
        "```",
        "```json\n",
        "~~~",
        "> ",
        "<tool_call>",
        "</tool_call>",
        "<f>",
        "</f>",
        "<a>",
    ),
    *(
        "</a>",
        "<function=f>",
        "<parameter=a>",
        "</parameter>",
        "</function>",
        "<arg_key>a</arg_key>",
        "<arg_value>",
        "1",
    ),
    *(
        "</arg_value>",
        "<|tool_call>",
        "call:f{a:",
        '<|"|>',
        "<escape>",
        "<|a|>",
        "[TOOL_CALLS]",
        "[ARGS]",
        "to=f",
        " to=",
    ),
    *(
        "<|message|>",
        "<|channel|>final",
        "<|end|>",
        "<think>",
        "</think>",
        "<tool_response>",
        "</tool_response>",
        "<!--",
    ),
    *(
        "-->",
        "]<]x[>[",
        "<|open|>",
        'call tool="f"',
        "<|sep|>",
        "Action: f\nAction Input: ",
        "Action:",
        "functools[",
        ">>>",
    ),
    *(
        "f(a=",
        ")",
        "None",
        "\\",
        "\\n",
        "\ud800",
        "\0",
        "日本",
        "\uff5c",
        "</",
        "<",
        "/>",
        "=",
        "->",
        '"""',
        "example: ",
    ),
]


@given(st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=4), max_size=24), st.randoms(use_true_random=False))
def test_nothing_is_lost_and_nothing_raises_however_it_is_cut(pieces: list[str], cuts: random.Random) -> None:
    text, offers = "".join(pieces), offering()
    whole = merged(scanned(text, offers))
    assert "".join(piece for piece, _ in whole) == text
    sizes = [cuts.randint(1, 9) for _ in text]
    assert merged(in_pieces(text, sizes, offers)) == whole


LONG = 100_000 if os.environ.get("CODETETHER_PROOF") else 25_000
ENDLESS = [
    *("{", "<", "[", "`", "``x`", "```\n", "<tool_call>", "<tool_call>{", '{"a":', '{"name":"f","arguments":{', "[1,"),
    *("<function=f>", "<function=f><parameter=a>", "<function=f><parameter=a><parameter=b></parameter></function>"),
    *("<f><a>", "<f><a></a>", "<tool_call>f<arg_key>a</arg_key><arg_value>", '<|tool_call>call:f{a:<|"|>', "[f(a=["),
    *(
        "Action: f\nAction Input: {",
        "> ",
        '{\\"',
        "<think>",
        "```json\n{",
        "<!--",
        "]<]x[>[<f>",
        "<|a|>b ",
        " to=x<|message|>",
    ),
]


@pytest.mark.parametrize("piece", ENDLESS)
def test_a_long_text_of_openings_takes_no_more_than_seconds(piece: str) -> None:
    text = piece * (LONG // len(piece))
    began = time.perf_counter()
    assert "".join(found.text for found in scanned(text, offering())) == text
    assert time.perf_counter() - began < LONG / 10_000


def test_prose_is_shown_at_once_and_only_what_could_be_a_call_is_held() -> None:
    screen = Screen(lambda: Scanner(offering()))
    assert screen.feed("Some words, a < b") == "Some words, a < b"
    assert screen.feed(" and <b>bold</b>") == " and <b>bold</b>"
    assert screen.feed("\nThen <tool_ca") == "\nThen"
    assert screen.feed("ll> is only named") == " <tool_call> is only named"
    assert screen.feed(' {"name": "f", "argum') == ""
    assert screen.feed('ents": {"a": 1}}') == ""
    assert screen.feed("\nmore") == "\n\nmore"
    assert screen.finish() == ""


def test_a_text_without_calls_is_shown_to_the_last_space() -> None:
    screen = Screen(lambda: Scanner(offering()))
    assert screen.feed("words \n") + screen.feed("\n") + screen.finish() == "words \n\n"


@pytest.mark.parametrize(
    ("schema", "written", "read_as"),
    [
        ({"type": "integer"}, "007", 7),
        ({"type": "integer"}, "seven", "seven"),
        ({"type": "string"}, "007", "007"),
        ({"type": "string"}, "true", "true"),
        ({"type": "boolean"}, "True", True),
        ({"type": "number"}, "1e3", 1000.0),
        ({"type": "number"}, "9223372036854775807", 9223372036854775807),
        ({"type": ["string", "null"]}, "null", None),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "3", 3),
        ({"type": "array", "items": {"type": "integer"}}, '["1", 2]', [1, 2]),
        ({"type": "array"}, "['x', None]", ["x", None]),
        ({"type": "object", "properties": {"b": {"type": "boolean"}}}, '{"b": "false"}', {"b": False}),
        ({"enum": [1, 2]}, "2", 2),
        ({}, "3", "3"),
        ({"$ref": "#/$defs/N"}, "3", "3"),
    ],
)
def test_a_value_becomes_what_the_schema_says(schema: Any, written: str, read_as: Any) -> None:
    found = calls(f"<function=f><parameter=a>{written}</parameter></function>", offering(a=schema))
    assert json.dumps(found) == json.dumps([("f", {"a": read_as})])


@pytest.mark.parametrize(
    ("name", "written", "meant"),
    [
        ("f", "f", True),
        ("f", "functions.f", True),
        ("f", "functions.f:0", True),
        ("f", "f:12", True),
        ("f", "F", False),
        ("f", "ff", False),
        ("f", "other.f", False),
        ("a.b", "a.b", True),
        ("a.b", "b", False),
        ("tools.f", "tools.f", True),
    ],
)
def test_a_name_counts_only_where_it_is_offered(name: str, written: str, meant: bool) -> None:
    text = f"<|tool_call_begin|>{written}<|tool_call_argument_begin|>" + '{"a": 1}<|tool_call_end|>'
    assert calls(text, offering(name)) == ([(name, {"a": 1})] if meant else [])
