"""The loop: prompt -> model -> tool calls -> results -> answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from functools import partial

import attrs
import orjson
from attrs import field

from codetether.errors import CodetetherError, ContextFull, PluginError, ProviderError, StorageError
from codetether.models import events
from codetether.models.completion import (
    CompletionRequest,
    CompletionResponse,
    ModelRef,
    Usage,
)
from codetether.models.events import SessionEvent, Why
from codetether.models.messages import Message, RefusalPart, TextPart, ThinkingPart, ToolCallPart, user
from codetether.models.replay import closing_result
from codetether.models.session import (
    Announced,
    JournalEntry,
    JournalRecord,
    MessageAdded,
    SessionResult,
    TitleChanged,
    ToolCompleted,
    TurnEnded,
    automatic_title,
)
from codetether.models.tools import ToolDefinition, error_result
from codetether.plugins.boundary import BROKEN, reason_of
from codetether.record.projection import compaction, completion
from codetether.record.redact import Redactor
from codetether.record.sinks import EventFeed
from codetether.session.asking import Asking
from codetether.session.assemble import with_unique_ids
from codetether.session.calls import CUT_OFF, completed_call, outcomes
from codetether.session.circles import Circle
from codetether.session.dispatch import Dispatch, Outcome, Place
from codetether.session.limits import Limits, counted
from codetether.session.patience import undisturbed
from codetether.session.recorded import recorded
from codetether.session.structured import AGAIN, Form
from codetether.session.turn import Emit, End, Turn
from codetether.session.view import View
from codetether.storage.journal import Journal
from codetether.values import define, frozen


@define(kw_only=True)
class Agent:
    """A session's loop, with everything it asks.

    Attributes:
        system: renders the prompt.
        turn: the one at work. answer: the last record of an answer of the model.
        delegated: what the subagents of a call used, until the call has its result.
    """

    journal: Journal
    feed: EventFeed
    dispatch: Dispatch
    asking: Asking
    tools: tuple[ToolDefinition, ...]
    system: Callable[[], Awaitable[str]]
    view: View
    redactor: Redactor
    limits: Limits
    parent: Agent | None = None
    turn: Turn | None = None
    answer: JournalRecord | None = None
    delegated: dict[str, Usage] = field(factory=dict)
    _ids: set[str] = field(init=False)

    @property
    def model(self) -> ModelRef:
        """The model that is asked now."""
        return self.asking.line.ref

    def __attrs_post_init__(self) -> None:
        self._ids = {use.id for use in self.journal.state.session.tool_uses}

    async def run(self, message: Message, emit: Emit, form: Form | None = None) -> SessionResult:
        """One prompt, to its end. Never raises for what a provider, a tool or the disk does: the result says it.

        A cancellation ends the turn as `interrupted`, with every open call answered.
        """
        number, above = self.journal.state.session.turn + 1, self.parent.turn if self.parent else None
        circle = Circle(most=self.limits.repeats)
        self.turn = turn = Turn(number=number, emit=emit, form=form, limits=self.limits, above=above, circle=circle)
        clock = asyncio.timeout(self.limits.seconds)
        try:
            async with clock:
                end = await self._turn(turn, message)
        except asyncio.CancelledError:
            end = End(status="interrupted", reason="interrupted")
        except ProviderError as error:
            end = End(status="provider_failed", reason=error.message, error=error)
        except ContextFull as error:
            end = End(status="limit", reason=f"{error.message}. {error.remedy}", limit="context", error=error)
        except CodetetherError as error:
            end = End(status="error", reason=error.message, error=error)
        except BROKEN as error:  # what a plugin let through ends the turn, not the process: it is recorded and said
            failure = PluginError(f"the turn failed: {reason_of(error)}")
            end = End(status="error", reason=failure.message, error=failure)
            if clock.expired():
                end = End(
                    status="limit", reason=f"stopped after {self.limits.seconds:g} s (--max-time)", limit="max_time"
                )
        return await undisturbed(self._finish(turn, end))

    async def _turn(self, turn: Turn, message: Message) -> End:
        message = self.redactor.value(message)
        self._record(MessageAdded(message=message, turn=turn.number))
        turn.emit(events.UserMessage(message=message))
        self._title()
        system = "\n\n".join(filter(None, (await self.system(), turn.form.instruction if turn.form else "")))
        system = self.redactor.text(system)
        while not (reached := turn.reached()):
            turn.step += 1
            response = await self._complete(turn, system)
            self._keep(turn, response)
            if not response.tool_calls:
                if (end := self._ending(turn, response)) is not None:
                    return end
                continue
            await self._run_calls(turn, response)
            if turn.answer and turn.form is None:
                return self._answered(turn)
            if hint := turn.circle.turned():
                self._tell(turn, hint)
            if turn.circle.closed:
                return End(status="limit", reason=turn.circle.closed, limit="runaway")
        word, reason = reached
        return End(status="limit", reason=reason, limit=word)

    async def _complete(self, turn: Turn, system: str) -> CompletionResponse:
        """The model's answer, its calls under ids that are new in this session."""
        await self.compact("threshold", turn.emit)
        request = await self._request(turn, system)
        listener = _Listener(agent=self, turn=turn, system=system)
        ask = partial(self.asking.answer, request, turn.step, listener)
        response = await recorded(self.dispatch.audit, request, turn.number, ask)
        return with_unique_ids(response, self._ids)

    def offer(self, more: Sequence[ToolDefinition]) -> None:
        """Gives the model more tools, from the next step on."""
        self.tools = (*self.tools, *map(self.redactor.lasting, more))
        self.asking.routing = attrs.evolve(self.asking.routing, tools=self.tools)

    def meter(self, response: CompletionResponse) -> None:
        """An answer that was asked for aside counts for the turn too."""
        if self.turn is not None:
            self.turn.usage += response.usage
            self.turn.spend(counted(response, lambda: self.journal.state.session.messages))

    async def compact(self, why: Why, emit: Emit) -> events.Compaction | None:
        """Compacts what the model sees where that is needed. Raises ContextFull."""
        made = await self.view.compaction(self.asking.line, why)
        if made is None:
            return None
        self._record(made)
        await self.journal.sync()
        told = compaction(made)
        emit(told)
        return told

    async def smaller(self, turn: Turn, system: str) -> CompletionRequest | None:
        return await self._request(turn, system) if await self.compact("overflow", turn.emit) else None

    async def _request(self, turn: Turn, system: str) -> CompletionRequest:
        return CompletionRequest(
            model=self.model,
            messages=await self.view.messages(),
            system=system,
            tools=self.tools,
            sampling=self.asking.line.sampling,
            session_id=self.journal.state.session.id,
            schema=turn.form.schema if turn.form else None,
            directory=self.journal.state.session.metadata.directory,
        )

    def keep_part(self, turn: Turn, part: Message | None) -> None:
        """What came of an answer that the user stopped: its text, marked as no whole answer; its calls are left out."""
        if part is not None:
            entry = MessageAdded(message=part, turn=turn.number, step=turn.step, raw_finish_reason="interrupted")
            self._record(attrs.evolve(entry, finish_reason="error"))
            turn.texts.append(self.redactor.text(part.text))

    def _keep(self, turn: Turn, response: CompletionResponse) -> None:
        """Records the answer, then announces it whole."""
        turn.spend(counted(response, lambda: self.journal.state.session.messages))
        self.answer = self._record(
            MessageAdded(
                message=response.message,
                turn=turn.number,
                step=turn.step,
                usage=response.usage,
                duration_ms=round(response.duration_ms, 3),
                finish_reason=response.finish_reason,
                raw_usage=response.raw_usage,
                raw_finish_reason=response.raw_finish_reason,
                response_id=response.response_id,
                first_ms=None if response.first_ms is None else round(response.first_ms, 3),
                response_model=response.other_model,
            )
        )
        turn.usage += response.usage
        parts = response.message.parts
        thinking = "".join(p.text for p in parts if isinstance(p, ThinkingPart))
        text = "\n".join(p.text for p in parts if isinstance(p, TextPart | RefusalPart) and p.text)
        if thinking:
            turn.emit(events.ThinkingComplete(text=self.redactor.text(thinking)))
        if text:
            text = self.redactor.text(text)
            turn.texts.append(text)
            turn.emit(events.TextComplete(text=text))
        turn.emit(events.usage_report(response, str(self.model)))

    def _ending(self, turn: Turn, response: CompletionResponse) -> End | None:
        """How a turn ends whose last answer asks for nothing more; None where it is asked for in another form."""
        if denied := turn.denied:
            return denied
        if response.finish_reason == "length":
            return End(status="limit", reason="the answer was cut off at the output limit", limit="output")
        if response.finish_reason in ("content_filter", "error"):
            word = response.raw_finish_reason or response.finish_reason
            return End(status="provider_failed", reason=f"the provider ended the answer with {word!r}")
        if turn.form is not None:
            return self._formed(turn, turn.form, response.message.text)
        if not any(text.strip() for text in turn.texts):
            return End(status="error", reason="the model gave an empty answer")
        return End(status="done")

    def _answered(self, turn: Turn) -> End:
        """The end where a tool gave the answer: it stands in the session as the agent's own words."""
        turn.step += 1
        turn.emit(events.Thinking(step=turn.step))
        message = Message(role="assistant", parts=(TextPart(text=turn.answer),))
        self._record(MessageAdded(message=message, turn=turn.number, step=turn.step, finish_reason="stop"))
        turn.texts.append(self.redactor.text(turn.answer))
        turn.emit(events.TextComplete(text=turn.texts[-1]))
        return turn.denied or End(status="done")

    def _formed(self, turn: Turn, form: Form, text: str) -> End | None:
        """The end where the answer fits the form; else it is asked for again, twice."""
        value, why = form.read(text)
        if not why:
            turn.structured = self.redactor.data(value)
            turn.texts = [orjson.dumps(turn.structured, option=orjson.OPT_INDENT_2).decode()]
            return End(status="done")
        if turn.misses == AGAIN:
            return End(status="error", reason=f"the answer does not fit the schema: {why}")
        turn.misses += 1
        self._tell(turn, form.asked_again(why))
        return None

    def _tell(self, turn: Turn, text: str) -> None:
        """Tells the model something in the user's place."""
        message = user(text)
        self._record(MessageAdded(message=message, turn=turn.number, step=turn.step))
        turn.emit(events.UserMessage(message=message))

    async def _run_calls(self, turn: Turn, response: CompletionResponse) -> None:
        """Read-only calls together, others in order; results keep the model's order."""
        for call in response.tool_calls:
            arguments = self.redactor.text(call.arguments)
            turn.emit(events.ToolCallStart(call_id=call.id, name=call.name, arguments=arguments))
        why_not = CUT_OFF.get(response.finish_reason)
        if why_not:
            for call in response.tool_calls:
                await self.complete_call(turn, call, Outcome(result=error_result(why_not)))
            return
        async with aclosing(outcomes(self.dispatch, response.tool_calls, self.place(turn))) as found:
            async for call, outcome in found:
                await self.complete_call(turn, call, outcome)

    def place(self, turn: Turn) -> Place:
        """Where the turn stands."""
        return Place(session_id=self.journal.state.session.id, turn=turn.number, step=turn.step)

    async def complete_call(self, turn: Turn, call: ToolCallPart, outcome: Outcome) -> None:
        """Records a result, then announces it; an unsafe one is on the disk before it counts."""
        result = outcome.result
        if outcome.unanswered is not None:
            turn.unanswered.append(f"{call.name} ({outcome.unanswered.rule})")
            self.announce(turn, outcome.unanswered)
        completed = completed_call(turn, call, outcome, self.delegated.pop(call.id, None))
        turn.answer = turn.answer or result.answer
        turn.circle.add(call.name, call.arguments, result.output)
        if call.id in turn.nested:  # the conversation holds the result of its caller alone
            self._record(Announced(event=completion(completed), turn=turn.number, step=turn.step))
        else:
            self._record(completed)
        if outcome.unsafe:
            await self.journal.sync()
        turn.tell(completed)

    async def _finish(self, turn: Turn, end: End) -> SessionResult:
        """Answers open calls, records the end, and announces it; works also where the disk does not."""
        end = attrs.evolve(end, reason=self.redactor.text(end.reason))
        self.redactor.clean(end.error)
        try:
            for closing in self.close_open_calls(turn.number, turn.step):
                turn.tell(closing)
            self._record(
                TurnEnded(
                    turn=turn.number,
                    status=end.status,
                    steps=turn.step,
                    usage=turn.usage,
                    reason=end.reason,
                    limit=end.limit,
                    error=type(end.error).__name__ if end.error else "",
                )
            )
            await self.journal.sync()
        except StorageError as failure:
            end = End(status="error", reason=failure.message, error=failure)
        await self.feed.flush()
        turn.emit(events.SessionSync(session=self.journal.state.session))
        if end.status in ("error", "provider_failed"):
            kind = type(end.error).__name__ if end.error else end.status
            remedy = end.error.remedy if end.error else ""
            turn.emit(events.Error(message=end.reason, kind=kind, status=end.status, remedy=remedy))
        else:
            done = events.Done(status=end.status, text=turn.text, usage=turn.usage, steps=turn.step, reason=end.reason)
            turn.emit(attrs.evolve(done, limit=end.limit, structured=turn.structured))
        return turn.result(end, self.journal.state.session.id, self.model)

    def close_open_calls(self, turn: int, step: int) -> list[ToolCompleted]:
        """Gives every open call a result, so that the journal always replays; the results, recorded."""
        closings = []
        for opened in tuple(self.journal.state.open_calls.values()):
            spent = self.delegated.pop(opened.call.id, None)
            closing = ToolCompleted(result=closing_result(opened), turn=turn, step=step, usage=spent)
            self._record(closing)
            closings.append(closing)
        return closings

    def _title(self) -> None:
        session = self.journal.state.session
        if session.title is None and session.turn == 1:
            self._record(TitleChanged(title=automatic_title(session.messages), automatic=True))

    def announce(self, turn: Turn, event: SessionEvent) -> None:
        self._record(Announced(event=event, turn=turn.number, step=turn.step))
        turn.emit(event)

    def _record(self, entry: JournalEntry) -> JournalRecord:
        item = self.journal.append(entry)
        self.feed.feed(item)
        return item


@frozen(kw_only=True)
class _Listener:
    """Hears of an answer for one turn."""

    agent: Agent
    turn: Turn
    system: str

    def smaller(self) -> Awaitable[CompletionRequest | None]:
        return self.agent.smaller(self.turn, self.system)

    def emit(self, event: SessionEvent) -> None:
        self.turn.emit(event)

    def announce(self, event: SessionEvent) -> None:
        self.agent.announce(self.turn, event)

    def keep_part(self, part: Message | None) -> None:
        self.agent.keep_part(self.turn, part)
