"""Stories about one prompt: what is asked of the model, what runs, what comes back, how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import attrs
import codetether
import pytest
from codetether import (
    CompletionRequest,
    Done,
    Error,
    IncompleteResponse,
    InvalidRequest,
    ProviderError,
    Retry,
    ServerFailed,
    SessionResult,
    TextChunk,
    ToolCallComplete,
    ToolCallStart,
    ToolContext,
    ToolDefinition,
    Usage,
)
from codetether.functions import tool
from codetether.session import retries
from codetether.testing.scripted import Call, Cut, End, ScriptedProvider, Think, Wait
from codetether.testing.sessions import Yields, heard, kinds, opened, results

READ: tuple[codetether.Effect, ...] = ("read",)


@tool(effects=READ)
def echo(text: str, times: int = 1) -> str:
    """Says it again.

    Args:
        text: what to say
        times: how often
    """
    return text * times


@tool(effects=READ)
def fail(what: str) -> str:
    """Fails."""
    raise ValueError(what)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries wait for nothing, and no test eats another's quota."""
    monkeypatch.setattr(retries, "_jittered", lambda attempt: 0.0)
    fresh = retries.Quota()
    monkeypatch.setattr(retries, "quota", lambda: fresh)


async def test_an_answer_without_calls_ends_the_prompt() -> None:
    async with opened("Hello.\nHow are you?") as (session, provider):
        result = await session.prompt("hi")
    assert result == SessionResult(
        text="Hello.\nHow are you?",
        session_id=session.id,
        status="done",
        usage=Usage(input_tokens=10, output_tokens=5),
        provider="scripted",
        model="model",
        steps=1,
    )
    request = provider.requests[0]
    assert [m.text for m in request.messages] == ["hi"]
    assert (request.sampling.temperature, request.sampling.max_output_tokens) == (0.7, 8192)


async def test_calls_run_and_their_results_go_back() -> None:
    script = ["Let me see.", Call("echo", {"text": "ab", "times": 2}, id="c1")], "It said abab."
    async with opened(*script, tools=[echo]) as (session, provider):
        result = await session.prompt("try it")
    assert (result.text, result.status, result.steps) == ("Let me see.\nIt said abab.", "done", 2)
    assert [(c.id, c.name, c.success) for c in result.tool_calls] == [("c1", "echo", True)]
    assert result.usage == Usage(input_tokens=20, output_tokens=10)
    assert [m.role for m in provider.requests[1].messages] == ["user", "assistant", "tool"]
    assert results(session) == [("echo", True, "abab")]


async def test_events_come_in_order_and_carry_the_call_id() -> None:
    script = [Think("hm"), "Let me see.", Call("echo", {"text": "x"}, id="c1")], "Done."
    async with opened(*script, tools=[echo]) as (session, _):
        events = await heard(session)
    assert kinds(events) == [
        "UserMessage",
        "Thinking",
        "ThinkingChunk",
        "TextChunk",
        "ThinkingComplete",
        "TextComplete",
        "UsageReport",
        "ToolCallStart",
        "ToolCallComplete",
        "Thinking",
        "TextChunk",
        "TextComplete",
        "UsageReport",
        "SessionSync",
        "Done",
    ]
    started = next(e for e in events if isinstance(e, ToolCallStart))
    completed = next(e for e in events if isinstance(e, ToolCallComplete))
    assert (started.call_id, started.arguments) == ("c1", '{"text":"x"}')
    assert (completed.call_id, completed.output, completed.success) == ("c1", "x", True)
    assert isinstance(events[-1], Done)
    assert events[-1].text == "Let me see.\nDone."


@pytest.mark.parametrize(
    ("call", "answer"),
    [
        (Call("nope"), "Error: Unknown tool 'nope'"),
        (Call("fail", {"what": "the disk is blue"}), "Error: ValueError: the disk is blue"),
        (Call("echo", '{"text": "cut of'), "Error: the arguments of echo are not valid JSON: "),
        (Call("echo", "[1]"), "Error: the arguments of echo are no JSON object. Expected: {"),
        (
            Call("echo", '{"text": 3}'),
            'Error: invalid arguments for echo: at $.text: 3 is not of type "string". Expected',
        ),
        (Call("echo", "{}"), 'Error: invalid arguments for echo: at $: "text" is a required property. Expected: {'),
        (Call("echo", ""), 'Error: invalid arguments for echo: at $: "text" is a required property. Expected: {'),
        (Call("echo", '{"text":"a","tone":1}'), "Error: invalid arguments for echo: at $: Additional properties"),
        (Call("echo", '{"text": NaN}'), "Error: the arguments of echo are not valid JSON: "),
    ],
)
async def test_a_call_that_cannot_run_is_answered_with_what_is_wrong(call: Call, answer: str) -> None:
    async with opened([call], "I see.", tools=[echo, fail]) as (session, _):
        result = await session.prompt("try")
    ((name, success, text),) = results(session)
    assert (name, success, text[: len(answer)]) == (call.name, False, answer)
    assert (result.status, [c.success for c in result.tool_calls]) == ("done", [False])


async def test_success_is_a_flag_and_never_guessed_from_the_text() -> None:
    @tool(effects=READ)
    def odd() -> codetether.ToolResult:
        """Succeeds with a text that looks like a failure."""
        return codetether.text_result("Error: this is the content of a log")

    async with opened([Call("odd")], "ok", tools=[odd]) as (session, _):
        await session.prompt("go")
    assert results(session) == [("odd", True, "Error: this is the content of a log")]


async def test_a_call_of_an_answer_that_was_cut_off_is_never_run() -> None:
    ran: list[str] = []

    @tool(effects=READ)
    def note(text: str) -> str:
        """Notes it."""
        ran.append(text)
        return text

    async with opened([Call("note", {"text": "half"}), End("length")], "shorter now", tools=[note]) as (session, _):
        result = await session.prompt("go")
    assert ran == []
    assert results(session)[0][2].startswith("Error: the answer was cut off at the output limit")
    assert result.status == "done"


async def test_an_answer_cut_off_at_the_output_limit_ends_as_limit() -> None:
    async with opened(["The whole truth is", End("length")]) as (session, _):
        result = await session.prompt("go")
    assert (result.status, result.text) == ("limit", "The whole truth is")
    assert result.reason == "the answer was cut off at the output limit"


async def test_the_step_limit_ends_with_a_status_of_its_own() -> None:
    endless = [[Call("echo", {"text": str(n)})] for n in range(9)]
    async with opened(*endless, tools=[echo], max_steps=3) as (session, provider):
        result = await session.prompt("go")
        assert session.journal.state.open_calls == {}
    assert (result.status, result.steps, len(provider.requests)) == ("limit", 3, 3)
    assert result.reason == "stopped after 3 steps (--max-steps)"
    assert [c.success for c in result.tool_calls] == [True, True, True]


async def test_read_only_calls_run_together_and_results_keep_the_order() -> None:
    running: list[str] = []
    most = 0

    @tool(effects=READ)
    async def slow(name: str, seconds: float) -> str:
        """Takes its time."""
        nonlocal most
        running.append(name)
        most = max(most, len(running))
        await asyncio.sleep(seconds)
        running.remove(name)
        return name

    calls = [Call("slow", {"name": n, "seconds": s}) for n, s in (("a", 0.05), ("b", 0.0), ("c", 0.02))]
    async with opened(calls, "ok", tools=[slow]) as (session, _):
        events = await heard(session)
    assert most == 3
    assert [e.output for e in events if isinstance(e, ToolCallComplete)] == ["a", "b", "c"]
    assert [text for _, _, text in results(session)] == ["a", "b", "c"]


async def test_calls_that_change_something_run_one_after_another_in_order() -> None:
    log: list[str] = []

    @tool(effects=("write",))
    async def put(name: str) -> str:
        """Changes something."""
        log.append(f"{name} begins")
        await asyncio.sleep(0.01)
        log.append(f"{name} ends")
        return name

    calls = [Call("put", {"name": n}) for n in "ab"]
    async with opened(calls, "ok", tools=[put], allow=["put"]) as (session, _):
        await session.prompt("go")
    assert log == ["a begins", "a ends", "b begins", "b ends"]


async def test_a_call_that_nobody_can_allow_is_denied_even_when_text_follows() -> None:
    @tool(effects=("execute",))
    def launch() -> str:
        """Does it."""
        raise AssertionError("it ran")

    async with opened([Call("launch", id="c1")], "Then not.", tools=[launch]) as (session, _):
        events = await heard(session)
    why = "execute needs permission in mode default; --allow launch gives it"
    assert results(session) == [("launch", False, f"Error: launch was denied ({why}). Nobody can be asked here.")]
    approval = next(e for e in events if isinstance(e, codetether.ApprovalRequired))
    assert (approval.call_id, approval.name) == ("c1", "launch")
    assert isinstance(events[-1], Done)
    assert (events[-1].status, events[-1].text) == ("denied", "Then not.")


async def test_a_person_is_asked_and_may_allow_it_for_the_session() -> None:
    asked: list[str] = []

    class Person:
        async def ask(self, question: codetether.Question, deadline: float) -> codetether.Answer | None:
            assert question.request is not None
            asked.append(question.request.call.name)
            return codetether.Answer(text=question.choices[2])

    @tool(effects=("execute",))
    def launch() -> str:
        """Does it."""
        return "launched"

    async with opened([Call("launch"), Call("launch")], "ok", tools=[launch], person=Person()) as (session, _):
        result = await session.prompt("go")
    assert asked == ["launch"]
    assert [text for _, _, text in results(session)] == ["launched", "launched"]
    assert result.status == "done"


async def test_a_persons_no_is_told_to_the_model_and_is_no_failure_of_the_run() -> None:
    class Person:
        async def ask(self, question: codetether.Question, deadline: float) -> codetether.Answer | None:
            return None

    @tool(effects=("execute",))
    def launch() -> str:
        """Does it."""
        return "launched"

    async with opened([Call("launch")], "Understood.", tools=[launch], person=Person()) as (session, _):
        result = await session.prompt("go")
    assert results(session) == [
        ("launch", False, "Error: launch was denied (no answer came within 300 s, which means no).")
    ]
    assert result.status == "done"


async def test_interactive_tools_are_hidden_where_no_person_is_and_refused_when_called() -> None:
    async with opened([Call("question", {"question": "Which colour?"})], "ok") as (session, provider):
        await session.prompt("go")
    assert [t.name for t in provider.requests[0].tools] == []
    assert results(session) == [
        (
            "question",
            False,
            (
                "Error: Interactive tool 'question' is disabled in this interface. "
                "Ask the user directly in assistant text."
            ),
        )
    ]


async def test_a_person_answers_a_question() -> None:
    class Person:
        async def ask(self, question: codetether.Question, deadline: float) -> codetether.Answer | None:
            return codetether.Answer(text=f"{question.text} {question.choices[1]}")

    asked = Call("question", {"question": "Which colour?", "options": ["red", "blue"]})
    async with opened([asked], "ok", person=Person(), mode="plan") as (session, provider):
        await session.prompt("go")
    assert [t.name for t in provider.requests[0].tools] == ["question"]
    assert results(session) == [("question", True, "Which colour? blue")]


async def test_long_output_keeps_head_and_tail_and_lies_whole_in_a_side_file() -> None:
    @tool(effects=READ)
    def flood() -> str:
        """Says much."""
        return "A" * 50_000 + "é" * 50_000 + "Z" * 50_000

    async with opened([Call("flood", id="c1")], "ok", tools=[flood]) as (session, _):
        events = await heard(session)
    completed = next(e for e in events if isinstance(e, ToolCallComplete))
    text = results(session)[0][2]
    assert text.startswith("A" * 32_768 + "\n\n[…")
    assert text.endswith("…]\n\n" + "Z" * 32_768)
    path = Path(str(completed.metadata["whole_output"]))
    assert path.read_text() == "A" * 50_000 + "é" * 50_000 + "Z" * 50_000
    assert str(path) in text


async def test_an_image_goes_under_its_own_type_and_one_that_models_refuse_beside_the_journal() -> None:
    gif, cut, svg = b"GIF89a" + bytes(10) + b";", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"<svg/>"

    @tool(effects=READ)
    def draw() -> codetether.ToolResult:
        """Draws."""
        drawn = (codetether.ImagePart(media_type="image/png", data=data) for data in (gif, cut))
        far = codetether.ImagePart(media_type="image/*", url="https://pictures.test/a")
        return codetether.ToolResult(content=(*drawn, codetether.ImagePart(media_type="image/svg+xml", data=svg), far))

    async with opened([Call("draw", id="c1")], "ok", tools=[draw]) as (session, _):
        await session.prompt("go")
    [result] = [p for p in session.session.messages[2].parts if isinstance(p, codetether.ToolResultPart)]
    words = [part.text for part in result.content if isinstance(part, codetether.TextPart)]
    assert [part for part in result.content if not isinstance(part, codetether.TextPart)] == [
        codetether.ImagePart(media_type="image/gif", data=gif),
        codetether.ImagePart(media_type="image/*", url="https://pictures.test/a"),
    ]
    assert [text.partition(", and models")[0] for text in words] == [
        "[image/png, 16 bytes: it is damaged or cut",
        "[image/svg+xml, 6 bytes: it is neither PNG, JPEG, GIF nor WebP",
    ]
    kept = [Path(text.removesuffix("]").rpartition(" in ")[2]) for text in words]
    assert [path.read_bytes() for path in kept] == [cut, svg]


async def test_a_tool_that_takes_too_long_is_stopped() -> None:
    @tool(effects=READ, timeout=0.05)
    async def sleepy() -> str:
        """Sleeps."""
        await asyncio.sleep(30)
        return "awake"

    async with opened([Call("sleepy")], "ok", tools=[sleepy]) as (session, _):
        await session.prompt("go")
    assert results(session) == [("sleepy", False, "Error: sleepy took longer than 0.05 s and was stopped")]


@pytest.mark.usefixtures("at_once")
async def test_a_failure_that_may_pass_is_tried_again_and_withdraws_what_was_shown() -> None:
    script = ["Half an answer,", ServerFailed("busy", status=503)], [Think("x"), "Whole answer"]
    async with opened(*script) as (session, provider):
        events = await heard(session)
    assert kinds(events)[1:6] == ["Thinking", "TextChunk", "Retry", "Thinking", "ThinkingChunk"]
    retry = next(e for e in events if isinstance(e, Retry))
    assert retry == Retry(attempt=1, delay=0.0, reason="busy", kind="ServerFailed")
    assert isinstance(events[-1], Done)
    assert events[-1].text == "Whole answer"
    assert len(provider.requests) == 2


@pytest.mark.usefixtures("at_once")
async def test_four_attempts_are_the_most() -> None:
    async with opened(*[ServerFailed("busy", status=503)] * 9) as (session, provider):
        result = await session.prompt("go")
    assert (result.status, result.text, len(provider.requests)) == ("provider_failed", "", 4)
    assert result.error.startswith("busy")


async def test_a_refused_request_is_not_repeated_and_nothing_said_is_lost() -> None:
    script = [["First.", Call("echo", {"text": "x"})], InvalidRequest("no such parameter", status=400)]
    async with opened(*script, tools=[echo]) as (session, provider):
        events = await heard(session)
        result_text = [m.text for m in session.session.messages if m.role == "assistant"]
    assert result_text == ["First."]
    assert events[-1] == Error(message="no such parameter", kind="InvalidRequest", status="provider_failed")
    assert len(provider.requests) == 2


@pytest.mark.usefixtures("at_once")
async def test_an_answer_without_its_end_is_no_answer() -> None:
    async with opened(["It is safe to", Cut()], ["It is safe to", Cut()], *[[Cut()]] * 4) as (session, _):
        result = await session.prompt("go")
        assert [m.role for m in session.session.messages] == ["user"]
    assert (result.status, result.text) == ("provider_failed", "")
    assert result.error.startswith("scripted: the answer ended before its terminal event")


async def test_an_empty_answer_is_an_error() -> None:
    async with opened([""]) as (session, _):
        result = await session.prompt("go")
    assert (result.status, result.error) == ("error", "the model gave an empty answer")


async def test_D14_a_repeated_call_id_gets_a_new_one_so_that_results_pair() -> None:
    script = (
        [Call("echo", {"text": "a"}, id="x"), Call("echo", {"text": "b"}, id="x")],
        [Call("echo", {"text": "c"}, id="x")],
    )
    async with opened(*script, "ok", tools=[echo]) as (session, provider):
        result = await session.prompt("go")
    ids = [c.id for c in result.tool_calls]
    assert len(set(ids)) == 3
    assert ids[0] == "x"
    sent = [c.id for m in provider.requests[-1].messages for c in m.tool_calls]
    assert sent == ids


async def test_cancelling_answers_open_calls_and_the_session_goes_on() -> None:
    begun = asyncio.Event()

    @tool(effects=("write",))
    async def forever() -> str:
        """Never ends."""
        begun.set()
        await asyncio.sleep(60)
        return ""

    script = [Call("forever", id="c1"), Call("forever", id="c2")], "Back again."
    async with opened(*script, tools=[forever], allow=["forever"]) as (session, provider):
        running = asyncio.create_task(session.prompt("go"))
        await begun.wait()
        session.cancel()
        result = await running
        assert (result.status, [(c.id, c.success) for c in result.tool_calls]) == (
            "interrupted",
            [("c1", False), ("c2", False)],
        )
        assert [(name, ok, text[:20]) for name, ok, text in results(session)] == [
            ("forever", False, "unknown: may have ru"),
            ("forever", False, "Error: cancelled bef"),
        ]
        again = await session.prompt("and now?")
    assert (again.status, again.text) == ("done", "Back again.")
    assert [m.role for m in provider.requests[-1].messages] == ["user", "assistant", "tool", "tool", "user"]


async def test_leaving_the_stream_cancels_the_turn() -> None:
    async with opened(["one\n", Wait(60), "two"], "fresh") as (session, _):
        stream = session.stream("go")
        async for event in stream:
            if isinstance(event, TextChunk):
                break
        await stream.aclose()  # type: ignore[attr-defined]
        result = await session.prompt("again")
    assert result.text == "fresh"


async def test_what_was_shown_of_a_stopped_answer_is_kept_as_no_whole_one() -> None:
    async with opened(["Half of it.\n", Wait(60), "never"], "And on.") as (session, provider):
        said: list[codetether.SessionEvent] = []
        async for event in session.stream("go"):
            said.append(event)
            if isinstance(event, TextChunk):
                session.cancel()
        last = said[-1]
        assert isinstance(last, Done)
        assert (last.status, last.text) == ("interrupted", "Half of it.")
        kept = [item.entry for item in session.journal.records() if isinstance(item.entry, codetether.MessageAdded)]
        assert (kept[1].message.text, kept[1].finish_reason, kept[1].raw_finish_reason) == (
            "Half of it.\n",
            "error",
            "interrupted",
        )
        await session.prompt("go on")
    assert [m.text for m in provider.requests[1].messages] == ["go", "Half of it.\n", "go on"]


async def test_white_space_is_an_empty_answer() -> None:
    async with opened([" \n"]) as (session, _):
        result = await session.prompt("go")
    assert (result.status, result.error) == ("error", "the model gave an empty answer")


async def test_a_second_prompt_meanwhile_is_an_error() -> None:
    async with opened([Wait(5), "late"]) as (session, _):
        running = asyncio.create_task(session.prompt("go"))
        await asyncio.sleep(0)
        with pytest.raises(codetether.SessionBusy, match="is working on a prompt"):
            await session.prompt("me too")
        session.cancel()
        assert (await running).status == "interrupted"


async def test_the_title_is_the_first_prompt_folded_and_cut() -> None:
    async with opened("a", "b") as (session, _):
        before = session.session.title
        await session.prompt("Explain  the\nfollowing 🙂 module, its tests and why they fail")
        first = session.session.title
        await session.prompt("something else")
        assert (before, session.session.title) == (None, first)
        await session.set_title("Mine")
        assert session.session.title == "Mine"
        await session.clear_title()
        assert session.session.title is None
        await session.regenerate_title()
    assert first == "Explain the following 🙂 module, its tests and w..."
    assert session.session.title == first


async def test_a_session_is_resumed_with_all_it_was() -> None:
    async with opened([Call("echo", {"text": "x"}, id="c1")], "Done.", tools=[echo]) as (session, _):
        await session.prompt("go")
        before = session.session
    async with opened("More.", id=before.id) as (session, provider):
        assert session.session == before
        await session.prompt("and?")
    assert [m.role for m in provider.requests[0].messages] == ["user", "assistant", "tool", "assistant", "user"]
    assert session.session.usage == Usage(input_tokens=30, output_tokens=15)


async def test_known_secrets_reach_neither_model_nor_screen_nor_disk(
    monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    secret = "sk-canary-0123456789"
    monkeypatch.setenv("CANARY_API_KEY", secret)

    @tool(effects=READ)
    def leak() -> str:
        """Leaks."""
        return f"key={secret}"

    settings = {"providers": {"canary": {"base_url": "http://127.0.0.1:9/v1", "api_key_env": "CANARY_API_KEY"}}}
    script = [Call("leak")], ["the key is sk-canary-", "0123456789!"]
    async with opened(*script, tools=[leak], settings=settings) as (session, provider):
        events = await heard(session)
        shown = "".join(e.text for e in events if isinstance(e, TextChunk))
        sent = repr(provider.requests[-1].messages)
    assert "[redacted:canary.api_key]" in shown
    assert secret not in shown + sent + repr(events)
    assert not [f for f in home.rglob("*") if f.is_file() and secret.encode() in f.read_bytes()]


async def test_a_router_turns_a_described_call_into_a_real_one() -> None:
    class Router:
        async def reformat(
            self, response: codetether.CompletionResponse, offered: Iterable[ToolDefinition]
        ) -> codetether.CompletionResponse:
            if "CALL" not in response.message.text:
                return response
            call = codetether.ToolCallPart(id="r1", name="echo", arguments='{"text":"routed"}')
            message = attrs.evolve(response.message, parts=(call,))
            return attrs.evolve(response, message=message, finish_reason="tool_calls")

        def scanner(self, offered: Any, native: bool) -> None:
            return None

    plugin = Yields("codetether_tool_call_routers", codetether.RouterSpec(name="r", create=lambda ctx: Router()))
    async with opened("CALL echo", "ok", tools=[echo], plugins=[plugin]) as (session, _):
        result = await session.prompt("go")
    assert results(session) == [("echo", True, "routed")]
    assert result.text == "ok"


async def test_a_router_that_fails_leaves_the_answer_and_is_named() -> None:
    class Router:
        async def reformat(self, response: Any, offered: Any) -> Any:
            raise RuntimeError("lost")

        def scanner(self, offered: Any, native: bool) -> None:
            raise RuntimeError("blind")

    notices: list[str] = []
    plugin = Yields("codetether_tool_call_routers", codetether.RouterSpec(name="r", create=lambda ctx: Router()))
    async with opened("the answer", tools=[echo], plugins=[plugin], notices=notices) as (session, _):
        result = await session.prompt("go")
    assert result.text == "the answer"
    assert notices == [
        "plugins: yields (codetether_tool_call_routers): RuntimeError: blind",
        "plugins: yields (codetether_tool_call_routers): RuntimeError: lost",
    ]


async def test_a_required_audit_sink_that_fails_stops_the_effect() -> None:
    class Sink:
        async def record(self, entry: codetether.AuditEntry) -> None:
            if entry.category == "tool_execution":
                raise OSError("no space left")

    @tool(effects=("write",))
    def put() -> str:
        """Changes something."""
        raise AssertionError("it ran")

    plugin = Yields(
        "codetether_audit_sinks",
        codetether.AuditSinkSpec(name="vault", create=lambda ctx: Sink(), required=True),
    )
    async with opened([Call("put")], "ok", tools=[put], plugins=[plugin], allow=["put"]) as (session, _):
        result = await session.prompt("go")
    assert result.status == "error"
    assert "could not record the intent of tool:put" in result.error


async def test_a_subagent_works_in_a_session_of_its_own() -> None:
    @tool(effects=READ)
    async def ask_other(ctx: ToolContext) -> str:
        """Asks another agent."""
        return (await ctx.delegate("look around", agent="explore")).text

    async with opened([Call("ask_other")], "found it", "so it is", tools=[ask_other]) as (session, provider):
        result = await session.prompt("go")
    assert results(session) == [("ask_other", True, "found it")]
    assert result.text == "so it is"
    assert [m.text for m in provider.requests[1].messages] == ["look around"]


async def test_events_are_the_same_whatever_the_provider_is() -> None:
    provider_error = ProviderError("out of order")
    async with opened(provider_error) as (session, _):
        events = await heard(session)
    assert kinds(events) == ["UserMessage", "Thinking", "SessionSync", "Error"]


def incomplete(request: CompletionRequest) -> Exception:
    return IncompleteResponse(f"cut after {len(request.messages)} messages")


@pytest.mark.usefixtures("at_once")
async def test_a_script_may_look_at_the_request() -> None:
    provider = ScriptedProvider()
    assert provider.requests == []
    async with opened(incomplete, "fine") as (session, _):
        result = await session.prompt("go")
    assert result.text == "fine"


async def test_an_impatient_second_cancel_loses_nothing() -> None:
    @tool(effects=("write",))
    async def forever() -> str:
        """Never ends, and does not like to be stopped."""
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.01)
        return ""

    async with opened([Call("forever", id="c1")], "fine", tools=[forever], allow=["forever"]) as (session, _):
        running = asyncio.create_task(session.prompt("go"))
        await asyncio.sleep(0.05)
        for _ in range(5):
            session.cancel()
            await asyncio.sleep(0.003)
        assert (await running).status == "interrupted"
        assert session.journal.state.open_calls == {}
        assert (await session.prompt("again")).text == "fine"


@pytest.mark.parametrize("text", ["", " \n", None, 5])
async def test_no_prompt_is_refused_before_anything_is_recorded(text: Any) -> None:
    async with opened("hello") as (session, provider):
        with pytest.raises(codetether.UsageError, match="there is no prompt"):
            await session.prompt(text)
        assert (session.session.messages, provider.requests) == ((), [])


async def test_a_closed_session_says_how_to_open_it_again() -> None:
    async with opened("hello") as (session, _):
        pass
    with pytest.raises(codetether.UsageError, match=f"session {session.id} is closed"):
        await session.prompt("hello")


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"mode": "bold"}, "no mode 'bold'; there are: plan, default, edit, auto, unsafe"),
        ({"max_steps": 0}, "max_steps: 0 is no whole number of 1 or more"),
        ({"max_steps": "3"}, "max_steps: '3' is no whole number of 1 or more"),
        ({"directory": "/no/such/place"}, "/no/such/place is no directory"),
    ],
)
async def test_a_wish_that_is_none_opens_no_session(wish: dict[str, Any], said: str) -> None:
    async with codetether.Runtime.open(plugins=[ScriptedProvider("hello")]) as runtime:
        with pytest.raises(codetether.UsageError) as caught:
            async with runtime.session(model="scripted", **wish):
                pass
    assert caught.value.message == said
