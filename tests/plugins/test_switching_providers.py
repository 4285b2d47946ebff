"""A session that one provider began goes on with any other: no marks of the old one, no call without its result."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest
from codetether import (
    CompletionRequest,
    Finished,
    ModelRef,
    Provider,
    Runtime,
    StreamChunk,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    WholePart,
    tool,
)
from codetether.models.replay import UNKNOWN_OUTCOME
from codetether.testing.scripted import ScriptedProvider
from codetether.testing.sessions import ONLY, Tools

MARK = "c2VhbGVkIGJ5IHRoZSBwcm92aWRlcg=="
OWN: Mapping[str, Mapping[str, Any]] = {
    "openai": {"field": "reasoning_content"},
    "responses": {"item": {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": MARK}},
    "anthropic": {"signature": MARK},
    "google": {"thoughtSignature": MARK},
    "bedrock": {"signature": MARK},
}
"""What each provider's thoughts carry."""
MODELS = {"bedrock": "anthropic.claude-sonnet-4-20250514-v1:0", "google": "gemini-2.5-pro"}


@tool(effects=("read",))
def look(n: int) -> str:
    """Looks at something."""
    return f"saw {n}"


@tool(effects=("read",))
async def wait() -> str:
    """Waits for ever."""
    await asyncio.sleep(600)
    return ""


def answers(name: str) -> Iterator[Sequence[Any]]:
    """What the provider says in its turns: thoughts, calls, an answer, a call that is never answered."""
    own = {name: dict(OWN[name])}
    thought = ThinkingPart(text="I should look.", provider_data=own)
    calls = [ToolCallPart(id=f"call_{name}_{n}", name="look", arguments=f'{{"n": {n}}}') for n in (1, 2)]
    yield [thought, TextPart(text="I look."), *calls]
    yield [ThinkingPart(text="I saw it.", provider_data=own), TextPart(text="It is there.")]
    yield [thought, ToolCallPart(id=f"call_{name}_3", name="wait", arguments="{}")]


class Native(ScriptedProvider):
    """Answers as a provider of that name does, and keeps each request as that provider's own codec writes it."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name)
        self.__codetether_name__ = f"native-{name}"
        self.model = ModelRef(provider=name, model=MODELS.get(name, "model"))
        self.bodies: list[bytes] = []
        self._answers = answers(name)
        self._render = renderer(name)

    async def connect(self, provider: Provider) -> Native:
        """Itself, with a codec that has kept nothing."""
        self._render = renderer(self.name)
        return self

    async def stream(self, request: CompletionRequest) -> AsyncIterator[StreamChunk]:
        """Its next answer."""
        self.bodies.append(self._render(request))
        for part in next(self._answers, [TextPart(text="ok")]):
            yield WholePart(part)
        yield Finished("stop")


def renderer(name: str) -> Callable[[CompletionRequest], bytes]:
    """A provider's codec."""
    from importlib import import_module

    package = f"codetether_provider_{name}"
    quirks = import_module(f"{package}.quirks").Quirks
    made: Callable[[CompletionRequest], bytes] = import_module(f"{package}.render").Renderer(name, quirks()).render
    return made


@cache
def adapter(module: str, name: str) -> Any:
    """What takes a value of an official SDK's type."""
    from importlib import import_module

    from pydantic import TypeAdapter

    return TypeAdapter[Any](getattr(import_module(module), name))


def read_out(value: Any) -> Any:
    """A validated value in full: lists are looked into when they are read."""
    if isinstance(value, Mapping):
        return {name: read_out(inner) for name, inner in value.items()}
    return value if isinstance(value, str | int | float | bool | None) else [read_out(inner) for inner in value]


def check_google(body: dict[str, Any]) -> None:
    from google.genai import types

    for content in body["contents"]:
        assert types.Content.model_validate_json(orjson.dumps(content)).parts


def check_bedrock(body: dict[str, Any]) -> None:
    from botocore.session import Session  # type: ignore[import-untyped]
    from botocore.validate import ParamValidator  # type: ignore[import-untyped]

    shape = Session().get_service_model("bedrock-runtime").operation_model("ConverseStream").input_shape
    report = ParamValidator().validate({"modelId": "m", **body}, shape)
    assert not report.has_errors(), report.generate_report()


def check(name: str, body: dict[str, Any]) -> None:
    """The official types take the request; by default only the one whose types are read quickly, in the proof all."""
    if name != "bedrock" and not os.environ.get("CODETETHER_PROOF"):
        return
    match name:
        case "google":
            check_google(body)
        case "bedrock":
            check_bedrock(body)
        case "anthropic":
            body.pop("temperature")  # which the SDK's types no longer know
            kind = adapter("anthropic.types.message_create_params", "MessageCreateParamsStreaming")
            assert read_out(kind.validate_python(body)) == body
        case "openai":
            for message in body["messages"]:
                message.pop("reasoning_content", None)  # a field of other vendors
            kind = adapter("openai.types.chat.completion_create_params", "CompletionCreateParamsStreaming")
            assert read_out(kind.validate_python(body)) == body
        case _:
            for item in body["input"]:
                if item["type"] == "reasoning":  # servers take it without an id
                    item.setdefault("id", "rs")
            kind = adapter("openai.types.responses.response_create_params", "ResponseCreateParamsStreaming")
            assert read_out(kind.validate_python(body)) == body


@pytest.mark.parametrize("source", OWN)
async def test_a_session_goes_on_with_any_provider_and_back(source: str, tmp_path: Path) -> None:
    providers = {name: Native(name) for name in OWN}
    plugins = [*providers.values(), Tools(look, wait)]
    async with Runtime.open(ONLY, plugins=plugins, directory=tmp_path) as runtime:
        async with runtime.session(model=str(providers[source].model)) as session:
            id_ = session.id
            assert (await session.prompt("look at it")).text == "I look.\nIt is there."
            waiting = asyncio.ensure_future(session.prompt("wait for it"))
            while not session.journal.state.open_calls:  # noqa: ASYNC110 - until the call runs
                await asyncio.sleep(0.01)
            session.cancel()
            assert (await waiting).status == "interrupted"
        for name in (name for name in OWN if name != source):
            target = providers[name]
            target._answers = iter([[TextPart(text="ok")]])
            async with runtime.session(id_, model=str(target.model)) as session:
                assert (await session.prompt("go on")).text == "ok"
            [body] = target.bodies
            check(name, orjson.loads(body))
            assert MARK.encode() not in body
            assert body.count(b"saw 1") == body.count(b"saw 2") == 1
            assert UNKNOWN_OUTCOME.encode() in body
        async with runtime.session(id_, model=str(providers[source].model)) as session:
            assert (await session.prompt("and back")).text == "ok"
        check(source, orjson.loads(providers[source].bodies[-1]))
        assert (MARK.encode() in providers[source].bodies[-1]) == (source != "openai")
