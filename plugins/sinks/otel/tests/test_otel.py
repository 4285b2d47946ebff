"""What a real OTLP receiver gets: whole spans, measurements, the caller's trace; and what an outage costs."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from codetether import LocalExecutor, RateLimited, RunningSession, ServerFailed, ToolContext, Usage, tool
from codetether.session import retries
from codetether.testing.scripted import Call, End, ScriptedProvider, Think, Wait
from codetether.testing.sessions import opened
from codetether_sink_otel import conventions, signals
from codetether_sink_otel.settings import CAPTURE, Destination, OtelSettings, destination

MODEL = {"gen_ai.provider.name": "scripted", "gen_ai.request.model": "model"}
CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@tool(effects=["read"])
async def look(path: str) -> str:
    """Looks at a path."""
    if path == "nowhere":
        raise FileNotFoundError("nowhere")
    return f"seen {path}"


@tool(effects=["write"])
async def change(path: str) -> str:
    """Changes a path."""
    return path


@tool(effects=["read"])
async def ask_another(ctx: ToolContext, prompt: str) -> str:
    """Has a subagent do it."""
    return (await ctx.delegate(prompt, agent="explore")).text


def session(
    receiver: Any, *script: Any, notices: list[str] | None = None, **how: Any
) -> AbstractAsyncContextManager[tuple[RunningSession, ScriptedProvider]]:
    otel = {"endpoint": receiver if isinstance(receiver, str) else receiver.url, **how.pop("otel", {})}
    tools = [look, change, ask_another]
    settings = {"plugins": {"only": ["otel"], "otel": otel}}
    return opened(*script, tools=tools, settings=settings, notices=notices, **how)


def usage(input_tokens: int, output_tokens: int, **more: int) -> dict[str, int]:
    told = {"gen_ai.usage.input_tokens": input_tokens, "gen_ai.usage.output_tokens": output_tokens}
    return told | {f"gen_ai.usage.{name}": tokens for name, tokens in more.items()}


def chat(session_id: str, number: int, reason: str, first: Any, **more: Any) -> dict[str, Any]:
    """A request that was answered."""
    return {
        "gen_ai.operation.name": "chat",
        **MODEL,
        "gen_ai.request.stream": True,
        "gen_ai.conversation.id": session_id,
        "gen_ai.response.id": f"response-{number}",
        "gen_ai.response.model": "model",
        "gen_ai.response.finish_reasons": [reason],
        "gen_ai.response.time_to_first_chunk": first,
        **(usage(10, 5) | more),
    }


def agent(session_id: str, **more: Any) -> dict[str, Any]:
    return {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": "build",
        "gen_ai.conversation.id": session_id,
        **MODEL,
        **more,
    }


def executed(session_id: str, name: str, call_id: str, **more: Any) -> dict[str, Any]:
    return {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": name,
        "gen_ai.tool.type": "function",
        "gen_ai.tool.call.id": call_id,
        "gen_ai.agent.name": "build",
        "gen_ai.conversation.id": session_id,
        **more,
    }


class _Seconds:
    """Equal to any time that a test may take."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, float) and 0 < other < 60

    __hash__ = None  # type: ignore[assignment]


SECONDS = _Seconds()


def span(name: str, kind: str, parent: str, attributes: dict[str, Any], failed: bool = False, why: str = "") -> Any:
    status = "error" if failed else ""
    return {"name": name, "kind": kind, "parent": parent, "attributes": attributes, "status": status, "why": why}


async def test_a_prompt_is_a_trace_of_its_requests_and_tool_calls(receiver: Any) -> None:
    script = [Think("hm"), Call("look", {"path": "a"}, "c1"), Call("look", {"path": "nowhere"}, "c2")], "Fine."
    async with session(receiver, *script) as (s, _):
        await s.prompt("look around")
    top, stop = "invoke_agent build", {"gen_ai.response.finish_reasons": ["stop"]}
    failed = {"error.type": "tool_error"}
    expected = [
        span(top, "internal", "", agent(s.id, **usage(20, 10), **stop)),
        span("chat model", "client", top, chat(s.id, 1, "tool_calls", SECONDS)),
        span("execute_tool look", "internal", top, executed(s.id, "look", "c1")),
        span("execute_tool look", "internal", top, executed(s.id, "look", "c2", **failed), failed=True),
        span("chat model", "client", top, chat(s.id, 2, "stop", SECONDS)),
    ]
    found = receiver.spans()
    assert sorted(found, key=str) == sorted(expected, key=str)
    assert found[0] == expected[0]
    raw = receiver.raw()
    assert len({each.trace_id for each in raw}) == 1
    assert all(raw[0].start_time_unix_nano <= each.start_time_unix_nano for each in raw)
    assert all(each.start_time_unix_nano <= each.end_time_unix_nano <= raw[0].end_time_unix_nano for each in raw)
    chats = [each for each in raw if each.name == "chat model"]
    assert all(a.end_time_unix_nano <= b.start_time_unix_nano for a, b in pairwise(chats))
    (resource,) = receiver.resources()
    assert (resource["service.name"], len(resource["service.instance.id"])) == ("codetether", 36)


async def test_a_subagent_hangs_from_the_call_that_asked_for_it(receiver: Any) -> None:
    script = [Call("ask_another", {"prompt": "one"}, "c1"), Call("ask_another", {"prompt": "two"}, "c2")]
    async with session(receiver, script, "1", "2", "both") as (s, provider):
        await s.prompt("go")
    raw = receiver.raw()
    ids = {each.span_id: each for each in raw}
    children = [each for each in raw if each.name == "invoke_agent explore"]
    parents = [ids[each.parent_span_id] for each in children]
    assert [each.name for each in parents] == ["execute_tool ask_another"] * 2
    assert len({each.span_id for each in parents}) == 2
    assert len({each.trace_id for each in raw}) == 1
    assert len(provider.requests) == 4
    inner = [ids[each.parent_span_id].name for each in raw if each.name == "chat model"]
    assert sorted(inner) == ["invoke_agent build"] * 2 + ["invoke_agent explore"] * 2


async def test_a_burst_that_the_queue_cannot_hold_is_said_and_the_rest_arrives(
    receiver: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "4")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "60000")
    said: list[str] = []
    async with session(receiver, [Call("look", {"path": "a"})] * 12, "end", notices=said) as (s, _):
        await s.prompt("go")
    lost = 15 - len(receiver.spans())
    full = f"otel: traces and metrics do not arrive at {receiver.url[7:]}: spans come faster than they are sent"
    assert said == ([full] if lost else [])


async def test_a_call_that_was_denied(receiver: Any) -> None:
    async with session(receiver, [Call("change", {"path": "a"}, "c1")], "No?") as (s, _):
        await s.prompt("change it")
    found = {each["name"]: each for each in receiver.spans() if each["status"]}
    assert found.keys() == {"invoke_agent build", "execute_tool change"}
    assert found["execute_tool change"]["attributes"] == executed(s.id, "change", "c1", **{"error.type": "denied"})
    assert found["invoke_agent build"]["attributes"]["error.type"] == "denied"


async def test_requests_that_failed_are_spans_of_their_own(receiver: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "delay", lambda error, attempt: 0.0 if attempt < 2 else None)
    script = ["Half", ServerFailed("busy", status=503)], [RateLimited("slow down", status=429)]
    async with session(receiver, *script) as (s, _):
        await s.prompt("go")
    top = "invoke_agent build"
    request = {"gen_ai.operation.name": "chat", **MODEL, "gen_ai.conversation.id": s.id}
    assert receiver.spans() == [
        span(top, "internal", "", agent(s.id, **{"error.type": "RateLimited"}), failed=True, why="slow down"),
        span("chat model", "client", top, {**request, "error.type": "ServerFailed"}, failed=True, why="busy"),
        span("chat model", "client", top, {**request, "error.type": "RateLimited"}, failed=True, why="slow down"),
    ]
    durations = [each[2:4] for each in receiver.points() if each[0] == "gen_ai.client.operation.duration"]
    named = {"gen_ai.operation.name": "chat", **MODEL}
    assert durations == [({**named, "error.type": kind}, 1) for kind in ("ServerFailed", "RateLimited")]


async def test_an_answer_that_was_stopped(receiver: Any) -> None:
    async with session(receiver, ["Half an answer", Wait(30)]) as (s, _):
        async for event in s.stream("go"):
            if type(event).__name__ == "TextChunk":
                s.cancel()
    found = receiver.spans()
    assert [(each["name"], each["attributes"].get("error.type")) for each in found] == [
        ("invoke_agent build", "interrupted"),
        ("chat model", "interrupted"),
    ]


async def test_a_tool_that_was_stopped_is_no_failed_request(receiver: Any) -> None:
    @tool(effects=["read"])
    async def sleep() -> str:
        """Sleeps."""
        await asyncio.sleep(30)
        return ""

    otel = {"plugins": {"only": ["otel"], "otel": {"endpoint": receiver.url}}}
    async with opened([Call("sleep", {}, "c1")], tools=[sleep], settings=otel) as (s, _):
        async for event in s.stream("go"):
            if type(event).__name__ == "ToolCallStart":
                asyncio.get_running_loop().call_later(0.1, s.cancel)
    found = [(each["name"], each["attributes"].get("error.type")) for each in receiver.spans()]
    ends = [("invoke_agent build", "interrupted"), ("chat model", None), ("execute_tool sleep", "tool_error")]
    assert found == ends
    slept = receiver.raw()[2]
    assert slept.end_time_unix_nano - slept.start_time_unix_nano > 50e6


async def test_tokens_of_caches_and_of_reasoning(receiver: Any) -> None:
    spent = Usage(
        input_tokens=100,
        output_tokens=50,
        cache_read_tokens=60,
        cache_write_tokens=30,
        reasoning_tokens=20,
        cost=Decimal(1),
    )
    provider = ScriptedProvider("yes", name="mistral", usage=spent)
    settings = {"plugins": {"only": ["otel"], "otel": {"endpoint": receiver.url}}}
    async with opened(plugins=[provider], settings=settings, model="mistral/model") as (s, _):
        await s.prompt("go")
    told = {"cache_read.input_tokens": 60, "cache_creation.input_tokens": 30, "reasoning.output_tokens": 20}
    expected = chat(s.id, 1, "stop", SECONDS, **usage(100, 50, **told)) | {"gen_ai.provider.name": "mistral_ai"}
    assert receiver.spans()[1]["attributes"] == expected


async def test_measurements(receiver: Any) -> None:
    script = [Call("look", {"path": "a"}), Call("look", {"path": "nowhere"})], "Fine."
    async with session(receiver, *script) as (s, _):
        await s.prompt("go")
    request = {"gen_ai.operation.name": "chat", **MODEL, "gen_ai.response.model": "model"}
    build, looked = {"gen_ai.agent.name": "build"}, {"gen_ai.tool.name": "look", "gen_ai.tool.type": "function"}
    tokens, seconds = [4.0**n for n in range(14)], [round(0.01 * 2**n, 2) for n in range(14)]
    counts = [float(2**n) for n in range(8)]
    expected: list[tuple[Any, ...]] = [
        ("gen_ai.client.token.usage", "{token}", {**request, "gen_ai.token.type": "input"}, 2, 20.0, tokens),
        ("gen_ai.client.token.usage", "{token}", {**request, "gen_ai.token.type": "output"}, 2, 10.0, tokens),
        ("gen_ai.client.operation.duration", "s", request, 2, SECONDS, seconds),
        ("gen_ai.client.operation.time_to_first_chunk", "s", request, 2, SECONDS, seconds),
        ("gen_ai.execute_tool.duration", "s", {**looked, **build}, 1, SECONDS, seconds),
        ("gen_ai.execute_tool.duration", "s", {**looked, **build, "error.type": "tool_error"}, 1, SECONDS, seconds),
        ("gen_ai.invoke_agent.duration", "s", build, 1, SECONDS, [round(0.1 * 2**n, 1) for n in range(13)]),
        ("gen_ai.invoke_agent.inference_calls", "{inference_call}", build, 1, 2.0, counts),
        ("gen_ai.invoke_agent.tool_calls", "{tool_call}", build, 1, 2.0, counts),
    ]
    assert receiver.points() == expected


async def test_the_time_to_the_first_chunk_is_not_that_to_the_last(receiver: Any) -> None:
    async with session(receiver, ["a", Wait(0.2), "b"]) as (s, _):
        await s.prompt("go")
    raw = receiver.raw()[1]
    first = receiver.spans()[1]["attributes"]["gen_ai.response.time_to_first_chunk"]
    assert first < 0.15
    assert raw.end_time_unix_nano - raw.start_time_unix_nano > 0.19e9


async def test_the_trace_of_the_caller_goes_on(receiver: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACEPARENT", CALLER)
    monkeypatch.setenv("TRACESTATE", "vendor=1")
    async with session(receiver, "1", "2") as (s, _):
        await s.prompt("one")
        await s.prompt("two")
    raw = receiver.raw()
    assert {each.trace_id.hex() for each in raw} == {"0af7651916cd43dd8448eb211c80319c"}
    tops = [each.parent_span_id.hex() for each in raw if each.name == "invoke_agent build"]
    assert tops == ["b7ad6b7169203331"] * 2
    assert {each.trace_state for each in raw} == {"vendor=1"}


@pytest.mark.parametrize("parent", ["", "nonsense", "00-" + "0" * 32 + "-b7ad6b7169203331-01", CALLER + "-more"])
async def test_without_a_whole_trace_of_a_caller_each_prompt_is_its_own(
    parent: str, receiver: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACEPARENT", parent)
    async with session(receiver, "1", "2") as (s, _):
        await s.prompt("one")
        await s.prompt("two")
    assert len({each.trace_id for each in receiver.raw()}) == 2


async def test_a_caller_that_is_not_sampled_gets_measurements_alone(
    receiver: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACEPARENT", CALLER[:-2] + "00")
    async with session(receiver, [Call("look", {"path": "a"})], "1") as (s, _):
        await s.prompt("one")
    assert receiver.spans() == []
    assert len(receiver.points()) == 8


async def test_K14_no_word_of_the_conversation_is_sent_unless_asked_for(receiver: Any) -> None:
    script = [Think("secret thought"), "secret answer", Call("look", {"path": "secret path"}), ServerFailed("secret?")]
    async with session(receiver, [*script[:3]], "secret end") as (s, _):
        await s.prompt("secret prompt")
    sent = b"".join(each.SerializeToString() for each in (*receiver.traces, *receiver.metrics))
    assert b"secret" not in sent


@pytest.mark.parametrize("by", ["setting", "variable"])
async def test_content_where_it_is_asked_for(by: str, receiver: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    if by == "variable":
        monkeypatch.setenv(CAPTURE, "SPAN_ONLY")
    key = "ghp_" + "a1B2" * 9
    script = [Think("hm"), "I look.", Call("look", {"path": key}, "c1")], "Seen " + "x" * 10_001
    async with session(receiver, *script, otel={"content": by == "setting"}) as (s, _):
        s.agent.redactor.add("hunter2-hunter2", "password")
        await s.prompt("Find hunter2-hunter2")
    told = {each["name"]: each["attributes"] for each in receiver.spans()}
    every = [each["attributes"] for each in receiver.spans() if each["name"] == "chat model"]
    prompt = [{"role": "user", "parts": [{"type": "text", "content": "Find [redacted:password]"}]}]
    path = {"path": "[redacted:github-token]"}
    call = {"type": "tool_call", "id": "c1", "name": "look", "arguments": path}
    parts = [{"type": "reasoning", "content": "hm"}, {"type": "text", "content": "I look."}, call]
    result = {"type": "tool_call_response", "id": "c1", "response": "seen [redacted:github-token]"}
    end = {"type": "text", "content": "Seen " + "x" * 9_995 + "… [6 characters left out]"}
    read = [
        {name.split(".")[1]: json.loads(value) for name, value in each.items() if name.endswith(".messages")}
        for each in [*every, told["invoke_agent build"]]
    ]
    assert read == [
        {"input": prompt, "output": [{"role": "assistant", "parts": parts, "finish_reason": "tool_calls"}]},
        {
            "input": [{"role": "tool", "parts": [result]}],
            "output": [{"role": "assistant", "parts": [end], "finish_reason": "stop"}],
        },
        {"input": prompt, "output": [{"role": "assistant", "parts": [end]}]},
    ]
    looked = told["execute_tool look"]
    assert json.loads(looked["gen_ai.tool.call.arguments"]) == path
    assert looked["gen_ai.tool.call.result"] == "seen [redacted:github-token]"


async def test_headers_and_compression_are_the_sdks_to_say(receiver: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "api-key=k%201")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "ours")
    async with session(receiver, "1") as (s, _):
        await s.prompt("one")
    assert [(each["api-key"], each["content-encoding"]) for each in receiver.headers] == [("k 1", "gzip")] * 2
    assert receiver.resources()[0]["service.name"] == "ours"


async def until(seen: Callable[[], bool]) -> None:
    for _ in range(2000):
        if seen():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it never came")


def test_commands_of_the_agent_are_not_given_the_receivers_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"):
        monkeypatch.setenv(name, "api-key=k")
    assert not [name for name in LocalExecutor().environment() if name.endswith("HEADERS")]


def closed_port() -> str:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}"


async def test_a_receiver_that_is_gone_costs_nothing_and_is_said_once(
    receiver: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    said: list[str] = []
    url = closed_port()
    began = time.monotonic()
    async with session(url, "1", "2", notices=said) as (s, _):
        assert (await s.prompt("one")).text == "1"
        assert (await s.prompt("two")).text == "2"
    assert time.monotonic() - began < 1.5
    assert said == [f"otel: traces and metrics do not arrive at {url[7:]}: Connection refused"]
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("status", "word"), [(400, "HTTP 400 Bad Request"), (503, "Service Unavailable")])
async def test_a_receiver_that_refuses(status: int, word: str, receiver: Any) -> None:
    receiver.status = status
    said: list[str] = []
    began = time.monotonic()
    async with session(receiver, "1", notices=said) as (s, _):
        await s.prompt("one")
    assert time.monotonic() - began < 1.5
    assert said == [f"otel: traces and metrics do not arrive at {receiver.url[7:]}: {word}"]


async def test_a_slow_receiver_holds_up_nobody(receiver: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals, "CLOSE_LIMIT", 0.5)
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "1")
    receiver.delay = 20
    said: list[str] = []
    began = time.monotonic()
    async with session(receiver, "1", "2", notices=said) as (s, _):
        await s.prompt("one")
        await asyncio.sleep(0.1)
        await s.prompt("two")
        assert time.monotonic() - began < 1
    assert 0.5 < time.monotonic() - began < 2
    assert said == [f"otel: traces and metrics do not arrive at {receiver.url[7:]}: no answer within 0.5 s"]


async def test_what_failed_for_a_moment_is_sent_again(receiver: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "1")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "60")  # each pause is twice the one before
    receiver.status = 503
    said: list[str] = []
    async with session(receiver, "1", notices=said) as (s, _):
        running = asyncio.create_task(s.prompt("one"))
        await until(lambda: bool(receiver.asked))
        receiver.status = 200
        await running
        await until(lambda: len(receiver.spans()) == 2)
    assert {each["name"] for each in receiver.spans()} == {"chat model", "invoke_agent build"}


PROGRAM = """
import asyncio, sys
from codetether.testing.scripted import *
from codetether.testing.sessions import opened

async def main():
    settings = {"plugins": {"only": ["otel"]}}
    async with opened("hello", settings=settings) as (session, _):
        print((await session.prompt("go")).text)
    print(sorted(name for name in sys.modules if name.startswith(("opentelemetry", "requests", "google"))))

asyncio.run(main())
"""


def program(before: str = "", **environment: str) -> tuple[list[str], float]:
    """What a process with these variables says, and how many seconds it took."""
    began = time.monotonic()
    own = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    done = subprocess.run(
        [sys.executable, "-c", before + PROGRAM],
        env=own | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.splitlines(), time.monotonic() - began


def test_without_a_receiver_nothing_is_even_imported() -> None:
    assert program()[0] == ["hello", "[]"]


def test_a_process_ends_though_the_receiver_never_answers(receiver: Any) -> None:
    receiver.delay = 30
    impatient = "from codetether_sink_otel import signals; signals.CLOSE_LIMIT = 0.3"
    (text, *_), seconds = program(impatient, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)
    assert text == "hello"
    assert seconds < 8


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, Destination(traces="http://r/v1/traces", metrics="http://r/v1/metrics")),
        ({"OTEL_SDK_DISABLED": "TRUE"}, Destination()),
        ({"OTEL_TRACES_EXPORTER": "none"}, Destination(metrics="http://r/v1/metrics")),
        ({"OTEL_METRICS_EXPORTER": "none"}, Destination(traces="http://r/v1/traces")),
        (
            {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://t/x"},
            Destination(traces="https://t/x", metrics="http://r/v1/metrics"),
        ),
        (
            {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            Destination(refused="grpc is not spoken here, only http/protobuf (usually on port 4318)"),
        ),
        (
            {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"},
            Destination(),
        ),
        ({CAPTURE: "true"}, Destination(traces="http://r/v1/traces", metrics="http://r/v1/metrics", content=True)),
        ({CAPTURE: "EVENT_ONLY"}, Destination(traces="http://r/v1/traces", metrics="http://r/v1/metrics")),
    ],
)
def test_where_it_goes(environment: dict[str, str], expected: Destination) -> None:
    assert destination(OtelSettings(endpoint="http://r/"), environment) == expected


def test_the_variable_for_content_is_above_the_setting() -> None:
    settings = OtelSettings(endpoint="http://r", content=True)
    assert destination(settings, {}).content
    assert not destination(settings, {CAPTURE: "false"}).content
    assert destination(OtelSettings(), {}).off


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [("openai", "openai"), ("bedrock", "aws.bedrock"), ("google", "gcp.gemini"), ("xai", "x_ai"), ("zai", "zai")],
)
def test_names_of_providers(ours: str, theirs: str) -> None:
    assert conventions.provider_name(ours) == theirs


async def test_odd_text_is_sent_too(receiver: Any) -> None:
    async with session(receiver, ["a \ud800 b", End("stop")], otel={"content": True}) as (s, _):
        await s.prompt("\0 \udfff")
    assert len(receiver.spans()) == 2
