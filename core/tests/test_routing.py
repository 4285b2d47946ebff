"""Tool-call routers at work: what a model is told, and what stays when a router fails."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import orjson
import pytest
from click.testing import CliRunner
from codetether import (
    CompletionRequest,
    CompletionResponse,
    Message,
    ModelRef,
    TextPart,
    ToolCallPart,
    ToolDefinition,
    UsageError,
    user,
)
from codetether.record.redact import Redactor
from codetether.session.routing import Routing
from codetether.testing.toolcall_text import judge, main, read, report, summary

TOOL = ToolDefinition(name="f", description="", schema={"type": "object"})
ASKED = CompletionRequest(
    model=ModelRef(provider="p", model="m"), messages=(user("go"),), system="Be kind.", tools=(TOOL,)
)


class Speaker:
    """Tells of tools, and reads `CALL`."""

    async def reformat(self, response: CompletionResponse, offered: Sequence[ToolDefinition]) -> CompletionResponse:
        if "CALL" not in response.message.text:
            return response
        part = ToolCallPart(id="1", name="f", arguments='{"a": 1}')
        rest = TextPart(text=response.message.text.replace("CALL", "").strip())
        return attrs.evolve(response, message=Message(role="assistant", parts=(rest, part)))

    def explanation(self, offered: Sequence[ToolDefinition]) -> str:
        return "You can " + ", ".join(tool.name for tool in offered)

    def spoken(self, message: Message) -> Message:
        return attrs.evolve(message, parts=(TextPart(text=f"({message.text})"),))


class Mute(Speaker):
    """Has nothing to tell."""

    def explanation(self, offered: Sequence[ToolDefinition]) -> str:
        return ""


class Broken(Speaker):
    """Fails at everything."""

    async def reformat(self, response: CompletionResponse, offered: Sequence[ToolDefinition]) -> CompletionResponse:
        raise RuntimeError("lost")

    def spoken(self, message: Message) -> Message:
        raise RuntimeError("dumb")


def routing(*routers: Any, native: bool = False, said: list[str] | None = None) -> Routing:
    told = [] if said is None else said
    return Routing(
        routers=[(type(router).__name__, router) for router in routers],
        tools=(TOOL,),
        native_calls=native,
        failed=lambda plugin, hook, error: told.append(f"{plugin}: {error}"),
        redactor=Redactor(),
    )


def test_a_model_without_structured_calls_gets_tools_in_its_prompt_and_no_structured_parts() -> None:
    told = routing(Mute(), Speaker()).told(ASKED)
    assert (told.system, told.tools) == ("Be kind.\n\nYou can f", ())
    assert [message.text for message in told.messages] == ["(go)"]


def test_each_message_is_spoken_once() -> None:
    routes = routing(Speaker())
    first, second = routes.told(ASKED), routes.told(attrs.evolve(ASKED, messages=(*ASKED.messages, user("on"))))
    assert second.messages[0] is first.messages[0]


@pytest.mark.parametrize("routes", [routing(Speaker(), native=True), routing(Mute()), routing(object()), routing()])
def test_otherwise_the_request_is_the_very_same(routes: Routing) -> None:
    assert routes.told(ASKED) is ASKED


def test_a_router_that_fails_to_tell_is_named_and_the_tools_are_offered_as_ever() -> None:
    said: list[str] = []
    assert routing(Broken(), said=said).told(ASKED) is ASKED
    assert said == ["Broken: dumb"]


def case(id_: str, text: str, calls: list[Any], *tags: str, content: str | None = None) -> bytes:
    tools = [{"name": "f", "description": "", "parameters": {"type": "object"}}]
    expect = {"calls": calls, "content": content}
    made = {"id": id_, "format": "x", "tools": tools, "text": text, "expect": expect, "tags": tags}
    return orjson.dumps(made) + b"\n"


ONE = {"name": "f", "arguments": {"a": 1}}
CASES = (
    case("right", "Well. CALL", [ONE], content="Well."),
    case("float", "CALL", [{"name": "f", "arguments": {"a": 1.0}}], content="else"),
    case("missed", "nothing", [ONE]),
    case("boolean", "CALL", [{"name": "f", "arguments": {"a": True}}]),
    case("quiet", "words", []),
    case("false", "CALL", []),
    case("lenient", "words", [ONE], "lenient"),
    case("lenient-read", "CALL", [ONE], "lenient"),
    case("lenient-wrong", "CALL", [{"name": "f", "arguments": {"a": 2}}], "lenient"),
)


async def test_routers_are_judged_by_cases(tmp_path: Path) -> None:
    (tmp_path / "cases.jsonl").write_bytes(b"".join(CASES) + b"\n")
    verdicts = await judge(read(tmp_path / "cases.jsonl"), [("speaker", Speaker())])
    assert summary(verdicts) == {
        "calls": {"right": 2, "of": 4},
        "no_calls": {"right": 1, "of": 2},
        "failed": ["missed", "boolean", "false", "lenient-wrong"],
    }
    assert list(report(verdicts))[-8:] == [
        "calls right: 2 of 4 (50.0%)",
        "texts left as they are: 1 of 2 (50.0%)",
        "lenient: 1 of 3 read, 1 left as they are, 1 wrong",
        "content: 2 of 3 that are compared are the same",
        "missed: no call was read",
        (
            "boolean: calls: [{'name': 'f', 'arguments': {'a': True}}] expected, "
            "got [{'name': 'f', 'arguments': {'a': 1}}]"
        ),
        'false: took for calls what is none: [{"name":"f","arguments":{"a":1}}]',
        "lenient-wrong: calls[0].arguments.a: 2 expected, got 1",
    ]


async def test_a_router_that_raises_fails_its_cases(tmp_path: Path) -> None:
    (tmp_path / "cases.jsonl").write_bytes(CASES[4])
    [verdict] = await judge(read(tmp_path / "cases.jsonl"), [("broken", Broken())])
    assert verdict.why == ("broken raised RuntimeError: lost",)


def test_a_line_that_is_no_case_is_named(tmp_path: Path) -> None:
    (tmp_path / "cases.jsonl").write_bytes(CASES[0] + b'{"id": 1}\n')
    with pytest.raises(UsageError, match=r"cases\.jsonl, line 2: no case: KeyError: 'tools'"):
        read(tmp_path / "cases.jsonl")


def test_a_router_that_is_not_installed_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "cases.jsonl").write_bytes(CASES[0])
    result = CliRunner().invoke(main, [str(tmp_path / "cases.jsonl"), "--router", "nobody"])
    assert (result.exit_code, "no router 'nobody' is installed" in result.output) == (2, True)
