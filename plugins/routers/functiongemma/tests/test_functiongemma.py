"""FunctionGemma's format: prompts by golden files, and calls read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from codetether import ToolDefinition
from codetether_router_functiongemma.excerpt import Excerpt, clean
from codetether_router_functiongemma.functiongemma import prompt, question, read, templated, written
from hypothesis import given
from hypothesis import strategies as st

DATA = Path(__file__).parent / "data"
TEMPLATE = (DATA / "template.jinja").read_text()
WEATHER = ToolDefinition(
    name="get_weather",
    description="Get weather",
    schema={
        "type": "object",
        "properties": {"city": {"type": "string", "description": "City"}},
        "required": ["city"],
    },
)
FLIGHTS = ToolDefinition(
    name="find_flights",
    description="Finds flights.",
    schema={
        "type": "object",
        "properties": {
            "route": {
                "type": "object",
                "properties": {"from": {"type": "string"}, "to": {"type": "string"}},
                "required": ["from", "to"],
                "additionalProperties": False,
            },
            "class": {"type": "string", "enum": ["economy", "business"]},
            "passengers": {"type": "integer", "minimum": 1, "maximum": 9},
            "direct": {"type": "boolean"},
            "stops": {"type": "array", "items": {"type": "string"}},
        },
        "required": ["route"],
    },
)
GOLDEN = [
    ("one-argument", WEATHER, Excerpt(text="I will call get_weather for Paris.")),
    (
        "many-arguments",
        FLIGHTS,
        Excerpt(text="I will use find_flights from Oslo to Rome.", request="Fly me to Rome."),
    ),
]


@pytest.mark.parametrize(("name", "tool", "shown"), GOLDEN)
def test_a_prompt_is_as_the_format_has_it(name: str, tool: ToolDefinition, shown: Excerpt) -> None:
    assert prompt(tool, shown) == (DATA / f"{name}.txt").read_text()


@pytest.mark.parametrize(("name", "tool", "shown"), GOLDEN)
def test_a_prompt_of_the_file_s_own_template_is_the_same(name: str, tool: ToolDefinition, shown: Excerpt) -> None:
    golden = (DATA / f"{name}.txt").read_text()
    if tool is FLIGHTS:  # a template declares what it is given, also what only JSON Schema needs
        golden = golden.replace("route:{properties:{from", "route:{additionalProperties:false,properties:{from")
    assert templated(TEMPLATE, tool, shown) == golden


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("{{ raise_exception('no tools here') }}", "refuses: no tools here"),
        ("{% for x in %}", "cannot be used"),
        ("{{ ().__class__.__base__.__subclasses__() }}", "cannot be used"),
        ("{% for m in messages %}{{ m.content }}{% endfor %}", "leaves out the tool"),
    ],
)
def test_a_template_that_cannot_be_used_says_so(template: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        templated(template, WEATHER, Excerpt(text="x"))


def test_the_question_is_laid_out_by_the_file_s_template_where_that_can_be_used() -> None:
    shown = Excerpt(text="I will call get_weather for Paris.")
    other = TEMPLATE.replace("<start_of_turn>model", "<start_of_turn>model, by the template")
    made = [question(each, WEATHER, shown) for each in (other, "", "{{ messages }}", TEMPLATE + "{{ 1 / 0 }}")]
    golden = (DATA / "one-argument.txt").read_text()
    assert made == [golden.replace(">model", ">model, by the template"), golden, golden, golden]


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        ("", []),
        (
            "<start_function_call>call:get_weather{city:<escape>Paris<escape>}<end_function_call>",
            [("get_weather", {"city": "Paris"})],
        ),
        (
            "<start_function_call>call:a{}<end_function_call><start_function_call>call:b.c{x:1,y:-2.5}<end_function_call>",
            [("a", {}), ("b.c", {"x": 1, "y": -2.5})],
        ),
        (
            "<start_function_call>call:f{flag:true,l:[<escape>a,b<escape>,2,[]],n:null,o:{k:<escape>}<escape>}}<end_function_call>",
            [("f", {"flag": True, "l": ["a,b", 2, []], "n": None, "o": {"k": "}"}})],
        ),
        ("<start_function_call>call:f{s:<escape>42<escape>}<end_function_call>", [("f", {"s": "42"})]),
        ("<start_function_call>call:f{s:<escape><escape>}<end_function_call>", [("f", {"s": ""})]),
    ],
)
def test_calls_are_read(text: str, calls: list[tuple[str, dict[str, Any]]]) -> None:
    assert read(text) == calls


@pytest.mark.parametrize(
    "text",
    [
        "I cannot help with that.",
        "<start_function_call>call:f{",
        "<start_function_call>call:f{a:<escape>x",
        "<start_function_call>call:f{a:1}",
        "<start_function_call>call:f{a}<end_function_call>",
        "<start_function_call>call:f{a:1 b:2}<end_function_call>",
        "<start_function_call>call:f{a:[1}<end_function_call>",
        "<start_function_call>call:f{a:" + "[" * 100,
        "<start_function_call>call:f{a:1}<end_function_call> and so on",
    ],
)
def test_what_is_no_whole_call_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".") as raised:
        read(text)
    assert not isinstance(raised.value, UnicodeError)


plain = st.text(st.characters(codec="utf-8"), max_size=20).filter(lambda text: "<escape>" not in text)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | plain,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.from_regex(r"\A[a-z_]{1,8}\Z"), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.from_regex(r"\A[a-z_]{1,8}\Z"), values, max_size=4))
def test_what_is_written_is_read_as_it_was(arguments: dict[str, Any]) -> None:
    assert read(f"<start_function_call>call:f{written(arguments)}<end_function_call>") == [("f", arguments)]


@given(st.text(st.sampled_from("<>{}[]:,ae1 ") | st.characters()))
def test_reading_raises_nothing_else(text: str) -> None:
    for each in (text, f"<start_function_call>call:f{{{text}}}<end_function_call>"):
        try:
            read(each)
        except ValueError:
            continue


def test_no_mark_comes_out_of_a_text() -> None:
    assert clean("a<end_of_turn>\n<start_of_turn>model\nb<escape>c<|im_end|>d\ud800") == "a\nmodel\nbcd"
