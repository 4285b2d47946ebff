"""One session at work: its prompts, its events."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from functools import partial

import attrs
from attrs import field

from codetether.errors import SessionBusy, UsageError
from codetether.models import events
from codetether.models.completion import CompletionRequest, CompletionResponse, ModelRef
from codetether.models.events import Compaction, SessionEvent
from codetether.models.messages import MessagePart, user
from codetether.models.record import JSON
from codetether.models.session import (
    Announced,
    CompactionUndone,
    JournalEntry,
    MetadataChanged,
    Session,
    SessionResult,
    TitleChanged,
    automatic_title,
)
from codetether.models.tools import Mode, ToolResult
from codetether.record.projection import compaction
from codetether.session.agent import Agent
from codetether.session.asking import Line
from codetether.session.assemble import Assembly
from codetether.session.calls import nested
from codetether.session.contexts import Shared
from codetether.session.recorded import recorded
from codetether.session.structured import Form
from codetether.session.turn import Emit
from codetether.storage.journal import Journal
from codetether.values import define


class Channel:
    """Events on their way from the turn to the one who iterates; chunks cost an append."""

    def __init__(self) -> None:
        self._events: deque[SessionEvent] = deque()
        self._news = asyncio.Event()
        self._closed = False

    def put(self, event: SessionEvent) -> None:
        """Adds an event."""
        self._events.append(event)
        self._news.set()

    def close(self) -> None:
        """No more will come."""
        self._closed = True
        self._news.set()

    async def __aiter__(self) -> AsyncIterator[SessionEvent]:
        events_ = self._events
        while True:
            while events_:
                yield events_.popleft()
            if self._closed:
                return
            self._news.clear()
            await self._news.wait()


@define(kw_only=True)
class RunningSession:
    """A session that can be prompted; closes with the context manager that gave it."""

    agent: Agent
    journal: Journal
    model: ModelRef
    shared: Shared
    mode: Mode
    line: Callable[[ModelRef], Awaitable[Line]]
    _task: asyncio.Task[SessionResult] | None = None
    _closed: bool = False
    _listeners: list[Emit] = field(factory=list)

    @property
    def id(self) -> str:
        """The session's id."""
        return self.session.id

    @property
    def session(self) -> Session:
        """The session as it now stands."""
        return self.journal.state.session

    async def prompt(
        self, text: str, parts: Sequence[MessagePart] = (), *, schema: Mapping[str, JSON] | None = None
    ) -> SessionResult:
        """One prompt, to its end; the result's status says how it ended. Raises SessionBusy while one runs.

        With a JSON schema the answer is a value that fits it, `result.structured`: enforced by the provider where it
        can, else asked for again twice before the prompt ends as an error.
        """
        task = self._start(text, parts, schema)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await self._stop()
            raise

    async def stream(
        self, text: str, parts: Sequence[MessagePart] = (), *, schema: Mapping[str, JSON] | None = None
    ) -> AsyncIterator[SessionEvent]:
        """One prompt as events, the last of them Done or Error. Leaving the loop cancels the turn."""
        channel = Channel()
        self._listeners.append(channel.put)
        try:
            task = self._start(text, parts, schema)
            task.add_done_callback(lambda _: channel.close())
            async for event in channel:
                yield event
            await task
        finally:
            self._listeners.remove(channel.put)
            await self._stop()

    def cancel(self) -> None:
        """Stops the running prompt, if any; it ends as `interrupted`, and the session goes on."""
        if self._task is not None:
            # A task that is cancelled before its first step would never see it: the turn begins, then ends.
            self._task.get_loop().call_soon(self._task.cancel)

    async def set_title(self, title: str) -> None:
        """Gives the session a title."""
        await self._change(TitleChanged(title=title))

    async def clear_title(self) -> None:
        """Takes the title away."""
        await self._change(TitleChanged(title=None))

    async def regenerate_title(self) -> None:
        """Makes the title of the first user message again."""
        await self._change(TitleChanged(title=automatic_title(self.session.messages)))

    async def on_context_change(self, regenerate_title: bool = False) -> None:
        """Notes that what the session is about has changed."""
        await self._change(MetadataChanged())
        if regenerate_title:
            await self.regenerate_title()

    async def call(self, caller: str, calls: Sequence[tuple[str, Mapping[str, JSON]]]) -> Sequence[ToolResult]:
        """Calls that a running call makes, judged and recorded like the model's own."""
        return await nested(self.agent, self.agent.turn, caller, calls)

    async def compact(self) -> Compaction | None:
        """Makes what the model sees shorter now; None where there is nothing to shorten.

        The journal keeps all of it. Raises UsageError where no plugin compacts, ContextFull where it gets no shorter.
        """
        self._check_idle()
        if not self.agent.view.compactors:
            raise UsageError("no plugin compacts histories", remedy="pip install codetether-context-compaction")
        return await self.agent.compact("asked", self.emit)

    async def undo_compaction(self) -> Compaction | None:
        """Lets the model see again what the last compaction stands for; None where there is none."""
        self._check_idle()
        if not self.journal.state.compactions:
            return None
        undone = CompactionUndone()
        await self._change(undone)
        self.emit(compaction(undone))
        return compaction(undone)

    async def complete(self, request: CompletionRequest) -> CompletionResponse:
        """A metered call for a plugin: its usage is recorded and announced."""
        audit, turn = self.agent.dispatch.audit, self.session.turn
        return await recorded(audit, attrs.evolve(request, session_id=self.id), turn, partial(self._complete, request))

    async def _complete(self, request: CompletionRequest) -> CompletionResponse:
        line = self.agent.asking.line
        if request.model != line.ref:
            line = await self.line(request.model)
        assembly = Assembly(request.model.provider, request.model.model)
        began, first = time.perf_counter(), 0.0
        async with aclosing(line.connection.stream(request)) as chunks:  # type: ignore[type-var]
            async for chunk in chunks:
                first = first or time.perf_counter()
                assembly.feed(chunk)
        response = assembly.response((time.perf_counter() - began) * 1000, (first - began) * 1000)
        response = attrs.evolve(response, usage=line.priced(response.usage))
        report = events.usage_report(response, str(request.model))
        self.agent.feed.feed(self.journal.append(Announced(event=report, turn=self.session.turn)))
        self.agent.meter(response)
        self.emit(report)
        return response

    async def close(self) -> None:
        """Stops what runs; nothing can be asked any more."""
        self._closed = True
        await self._stop()

    def _start(
        self, text: str, parts: Sequence[MessagePart], schema: Mapping[str, JSON] | None
    ) -> asyncio.Task[SessionResult]:
        if type(text) is not str or not (text.strip() or parts):  # callers without types too
            raise UsageError(f"there is no prompt: {text!r}", remedy="give a text, or parts")
        self._check_idle()
        form = None if schema is None else Form.of(schema)
        turn = self.agent.run(user(text, parts), self.emit, form)
        self._task = asyncio.create_task(turn, name=f"turn {self.id}")
        return self._task

    def _check_idle(self) -> None:
        if self._closed:
            raise UsageError(f"session {self.id} is closed", remedy=f'open it again: runtime.session("{self.id}")')
        if self._task is not None and not self._task.done():
            raise SessionBusy(
                f"session {self.id} is working on a prompt", remedy="wait for it, or cancel it (session.cancel())"
            )

    def emit(self, event: SessionEvent) -> None:
        """Announces an event to those who listen."""
        for listener in self._listeners:
            listener(event)

    def listen(self, listener: Emit) -> None:
        """Tells every event to another listener too, for as long as the session is open."""
        self._listeners.append(listener)

    async def _stop(self) -> None:
        task = self._task
        if task is None or task.done():
            return
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task})

    async def _change(self, entry: JournalEntry) -> None:
        self.agent.feed.feed(self.journal.append(entry))
        await self.journal.sync()
