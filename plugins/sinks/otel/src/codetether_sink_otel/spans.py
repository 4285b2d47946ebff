"""The spans and measurements of one session, made of its events."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Self

from attrs import define, field
from codetether import (
    Done,
    Error,
    EventRecord,
    Retry,
    SessionContext,
    TextComplete,
    Thinking,
    ThinkingComplete,
    ToolCallComplete,
    ToolCallStart,
    Usage,
    UsageReport,
    UserMessage,
)
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, SpanKind, Status, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from codetether_sink_otel import content
from codetether_sink_otel import conventions as words
from codetether_sink_otel.signals import Signals

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NOTHING: Context = Context()


def nanoseconds(at: datetime) -> int:
    """Since the epoch."""
    return (at - EPOCH) // timedelta(microseconds=1) * 1000


@define(kw_only=True)
class _Call:
    """A tool call that has no result yet; `context` is that of the span to come."""

    start: ToolCallStart
    began: int
    context: SpanContext | None


@define(kw_only=True)
class _Answer:
    """What the parts of one journal record tell of a response."""

    begun: bool = False
    texts: list[content.Part] = field(factory=list)
    calls: list[ToolCallStart] = field(factory=list)
    report: UsageReport | None = None


@define(kw_only=True)
class _Turn:
    """A prompt at work.

    Attributes:
        asked: when the model was asked, in ns; 0: it has answered. `resumed`: tools' results were why.
        news: messages that the model has not answered yet.
        partial: what came of an answer that the user stopped.
    """

    span: Span | None
    context: Context
    began: int
    model: str
    asked: int
    resumed: bool = False
    usage: Usage = field(factory=Usage)
    requests: int = 0
    tools: int = 0
    finish: str = ""
    answer: list[content.Part] = field(factory=list)
    news: list[dict[str, Any]] = field(factory=list)
    partial: _Answer | None = None


class SessionSpans:
    """An EventSink: `invoke_agent` for each prompt, in it `chat` for each request and `execute_tool` for each call."""

    def __init__(self, signals: Signals, ctx: SessionContext) -> None:
        self._signals = signals
        self._ctx = ctx
        self._id = ctx.session.id
        self._agent = ""
        self._content = signals.target.content
        self._caller = _caller(os.environ)
        self._turn: _Turn | None = None
        self._answer = _Answer()
        self._calls: dict[str, _Call] = {}

    async def __aenter__(self) -> Self:
        self._signals.acquire()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._signals.making():
            self._end(nanoseconds(datetime.now(UTC)), "interrupted")
        await self._signals.release(self._ctx.notice)

    async def cursor(self) -> int:
        """Nothing is sent again."""
        return 0

    async def flush(self) -> None:
        """The SDK sends when it likes; that it does not arrive is said."""
        self._signals.say(self._ctx.notice)

    def write(self, record: EventRecord) -> None:
        """Takes one event; what is to be sent goes to the SDK's queue."""
        with self._signals.making():
            self._take(record)

    def _take(self, record: EventRecord) -> None:
        at = nanoseconds(record.recorded_at)
        match record.event:
            case UserMessage(message=message):
                said = content.message("user", [content.text(message.text)]) if self._content else None
                if self._turn is None or record.step == 0:
                    self._begin(record, at, said)
                self._ask(at, said)
            case Thinking():
                self._answer = _Answer(begun=True)
            case ThinkingComplete(text=text) if self._content:
                self._answer.texts.append(content.reasoning(text))
            case TextComplete(text=text) if self._content:
                self._answer.texts.append(content.text(text))
            case UsageReport() as report:
                self._answer.report = report
            case ToolCallStart() as call:
                self._answer.calls.append(call)
            case ToolCallComplete() as call:
                self._executed(call, at)
            case Retry() as retry:
                self._failed(retry.kind or "retry", retry.reason, at)
                if self._turn is not None:
                    self._turn.asked = at + int(retry.delay * 1e9)
                    self._turn.model = retry.model or self._turn.model
            case Done() as done:
                failure = "" if done.status == "done" else done.status
                self._end(at, failure, done.reason, asking=done.status == "interrupted")
            case Error() as error:
                self._end(at, error.kind, error.message, asking=error.status == "provider_failed")
            case _:
                return
        if record.part + 1 == record.parts:
            self._answered(record, at)

    def _begin(self, record: EventRecord, at: int, said: dict[str, Any] | None) -> None:
        if self._turn is not None:
            self._end(at, "interrupted")
        session = self._ctx.session
        model = session.metadata.model or ""
        above = self._signals.above(session.parent_id, session.parent_call_id)
        context = self._caller if above is None else set_span_in_context(NonRecordingSpan(above), NOTHING)
        attributes = {
            words.OPERATION: "invoke_agent",
            words.AGENT: record.agent,
            words.CONVERSATION: record.session_id,
            **_model(model),
            **({words.INPUT_MESSAGES: content.written([said])} if said else {}),
        }
        span = self._signals.span(f"invoke_agent {record.agent}", context, SpanKind.INTERNAL, attributes, at)
        if span is not None:
            context = set_span_in_context(span, context)
            self._signals.running[self._id, None] = span.get_span_context()
        self._turn = _Turn(span=span, context=context, began=at, model=model, asked=at)
        self._agent = record.agent

    def _ask(self, at: int, news: dict[str, Any] | None) -> None:
        turn = self._turn
        if turn is not None:
            turn.asked, turn.resumed = at, False
            if news is not None:
                turn.news.append(news)

    def _answered(self, record: EventRecord, at: int) -> None:
        """A whole response was recorded, or what came of it before the user stopped it."""
        answer, self._answer = self._answer, _Answer()
        turn, report = self._turn, answer.report
        if report is None:
            if turn is not None and answer.begun:
                turn.partial = answer
            return
        usage = report.usage
        attributes = {
            **_model(report.model),
            words.CONVERSATION: self._id,
            words.RESPONSE_MODEL: report.response_model or report.model.partition("/")[2],
            **_tokens(usage),
        }
        more: dict[str, Any] = {}
        if report.response_id:
            more[words.RESPONSE_ID] = report.response_id
        if report.finish_reason:
            more[words.FINISH_REASONS] = [report.finish_reason]
        if report.first_ms is not None:
            more |= {words.REQUEST_STREAM: True, words.FIRST_CHUNK: report.first_ms / 1000}
        if self._content:
            calls = [content.call(call.call_id, call.name, call.arguments) for call in answer.calls]
            said = content.message("assistant", [*answer.texts, *calls], finish_reason=report.finish_reason or "")
            more[words.OUTPUT_MESSAGES] = content.written([said])
            if turn is not None and turn.news and record.step:
                more[words.INPUT_MESSAGES] = content.written(turn.news)
        began = at - int(report.duration_ms * 1e6)
        context = self._chat(began, at, {**attributes, **more})
        self._measure(report, context)
        if turn is not None:
            turn.usage += usage
            turn.requests += 1
            if record.step:  # not a request that a plugin made beside the conversation
                turn.model, turn.finish = report.model, report.finish_reason or turn.finish
                turn.asked, turn.news, turn.answer = 0, [], answer.texts
        for call in answer.calls:
            self._calls[call.call_id] = self._opened(call, at)

    def _opened(self, call: ToolCallStart, at: int) -> _Call:
        """The call, and where its span will be, so that a subagent's spans can hang from it."""
        turn = self._turn
        if turn is None or turn.span is None:
            return _Call(start=call, began=at, context=None)
        above = turn.span.get_span_context()
        context = SpanContext(
            above.trace_id, self._signals.new_id(), False, above.trace_flags, trace_state=above.trace_state
        )
        self._signals.running[self._id, call.call_id] = context
        return _Call(start=call, began=at, context=context)

    def _executed(self, complete: ToolCallComplete, at: int) -> None:
        call = self._calls.pop(complete.call_id, None)
        self._signals.running.pop((self._id, complete.call_id), None)
        turn = self._turn
        if call is None or turn is None:  # it began in a process that is gone
            return
        failure = "" if complete.success else "denied" if complete.denied else "tool_error"
        named = {words.OPERATION: "execute_tool", words.TOOL: complete.name, words.TOOL_TYPE: "function"}
        attributes: dict[str, Any] = {
            **named,
            words.CALL_ID: complete.call_id,
            words.AGENT: self._agent,
            words.CONVERSATION: self._id,
        }
        if self._content:
            attributes[words.CALL_ARGUMENTS] = content.cut(call.start.arguments)
            attributes[words.CALL_RESULT] = content.cut(complete.output)
        began = max(call.began, at - int(complete.duration_ms * 1e6)) if complete.duration_ms else call.began
        span_id = call.context.span_id if call.context else None
        context = self._span(
            f"execute_tool {complete.name}", SpanKind.INTERNAL, began, at, attributes, failure=failure, span_id=span_id
        )
        turn.tools += 1
        measured = {words.TOOL: complete.name, words.TOOL_TYPE: "function", words.AGENT: self._agent, **_error(failure)}
        self._signals.record("gen_ai.execute_tool.duration", (at - began) / 1e9, measured, context)
        if not self._calls:
            self._ask(at, None)
            turn.resumed = True
        if self._content:
            turn.news.append(content.message("tool", [content.response(complete.call_id, complete.output)]))

    def _failed(self, kind: str, why: str, at: int) -> None:
        """A request that got no answer."""
        turn = self._turn
        if turn is None or not turn.asked:
            return
        attributes: dict[str, Any] = {**_model(turn.model), words.CONVERSATION: self._id}
        if self._content and turn.news:
            attributes[words.INPUT_MESSAGES] = content.written(turn.news)
        if self._content and turn.partial:
            attributes[words.OUTPUT_MESSAGES] = content.written([content.message("assistant", turn.partial.texts)])
        began = min(turn.asked, at)
        context = self._chat(began, at, attributes, failure=kind, why=why)
        measured = {words.OPERATION: "chat", **_model(turn.model), **_error(kind)}
        self._signals.record("gen_ai.client.operation.duration", (at - began) / 1e9, measured, context)
        turn.requests += 1

    def _end(self, at: int, failure: str, why: str = "", *, asking: bool = False) -> None:
        """The prompt ended; `asking`: perhaps while the model was asked, which then is a failed request."""
        turn = self._turn
        if turn is None:
            return
        if asking and (failure != "interrupted" or not turn.resumed or turn.partial):
            self._failed(failure, why, at)
        self._turn = None
        for call_id in (None, *self._calls):
            self._signals.running.pop((self._id, call_id), None)
        self._calls.clear()
        if turn.span is not None:
            span = turn.span
            span.set_attributes(_tokens(turn.usage))
            if turn.finish:
                span.set_attribute(words.FINISH_REASONS, [turn.finish])
            if self._content and turn.answer:
                span.set_attribute(words.OUTPUT_MESSAGES, content.written([content.message("assistant", turn.answer)]))
            self._close(span, at, failure, why)
        agent = {words.AGENT: self._agent}
        record, context = self._signals.record, turn.context
        record("gen_ai.invoke_agent.duration", (at - turn.began) / 1e9, {**agent, **_error(failure)}, context)
        record("gen_ai.invoke_agent.inference_calls", turn.requests, agent, context)
        record("gen_ai.invoke_agent.tool_calls", turn.tools, agent, context)

    def _chat(self, began: int, ended: int, attributes: dict[str, Any], failure: str = "", why: str = "") -> Context:
        name = f"chat {attributes[words.REQUEST_MODEL]}".strip()
        given = {words.OPERATION: "chat", **attributes}
        return self._span(name, SpanKind.CLIENT, began, ended, given, failure=failure, why=why)

    def _span(
        self,
        name: str,
        kind: SpanKind,
        began: int,
        ended: int,
        attributes: Mapping[str, Any],
        *,
        failure: str = "",
        why: str = "",
        span_id: int | None = None,
    ) -> Context:
        """A span that has ended already; gives its context."""
        above = self._turn.context if self._turn is not None else self._caller
        span = self._signals.span(name, above, kind, attributes, began, span_id)
        if span is None:
            return above
        self._close(span, ended, failure, why)
        return set_span_in_context(span, above)

    def _close(self, span: Span, at: int, failure: str, why: str) -> None:
        if failure:
            span.set_attribute(words.ERROR, failure)
            span.set_status(Status(StatusCode.ERROR, content.cut(why)[:1000] or None))
        span.end(at)

    def _measure(self, report: UsageReport, context: Context) -> None:
        """A response's tokens and times."""
        asked = _model(report.model)
        answering = report.response_model or asked[words.REQUEST_MODEL]
        common = {words.OPERATION: "chat", **asked, words.RESPONSE_MODEL: answering}
        record, usage = self._signals.record, report.usage
        if usage.total_tokens:
            tokens = "gen_ai.client.token.usage"
            record(tokens, usage.input_tokens, {**common, words.TOKEN_TYPE: "input"}, context)
            record(tokens, usage.output_tokens, {**common, words.TOKEN_TYPE: "output"}, context)
        record("gen_ai.client.operation.duration", report.duration_ms / 1000, common, context)
        if report.first_ms is not None:
            record("gen_ai.client.operation.time_to_first_chunk", report.first_ms / 1000, common, context)


def _caller(environment: Mapping[str, str]) -> Context:
    """The trace of whoever started this process; empty where there is none, or it is not well formed."""
    carrier = {name: environment.get(name.upper(), "") for name in ("traceparent", "tracestate")}
    return TraceContextTextMapPropagator().extract({k: v for k, v in carrier.items() if v}, NOTHING)


def _model(asked: str) -> dict[str, str]:
    """The attributes of a model that goes by `provider/model`."""
    provider, _, model = asked.partition("/")
    return {words.PROVIDER: words.provider_name(provider), words.REQUEST_MODEL: model}


def _error(failure: str) -> dict[str, str]:
    return {words.ERROR: failure} if failure else {}


def _tokens(usage: Usage) -> dict[str, int]:
    """Input counts those of the cache, output those of reasoning: the same as ours. Nothing where none are known."""
    if not usage.total_tokens:
        return {}
    told = {words.INPUT_TOKENS: usage.input_tokens, words.OUTPUT_TOKENS: usage.output_tokens}
    more = {
        words.CACHE_READ: usage.cache_read_tokens,
        words.CACHE_WRITE: usage.cache_write_tokens,
        words.REASONING: usage.reasoning_tokens,
    }
    return told | {name: tokens for name, tokens in more.items() if tokens}
