"""Runs a recorded session again, without network and without effects, and finds the first difference."""

from __future__ import annotations

import difflib
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import takewhile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import attrs
import orjson
from attrs import define, field, frozen

from codetether.errors import ProviderError
from codetether.hookspecs import hookimpl
from codetether.models.completion import CompletionRequest, StreamChunk
from codetether.models.events import Why
from codetether.models.messages import Message, ToolCallPart, ToolResultPart
from codetether.models.providers import Provider
from codetether.models.record import JSON
from codetether.models.session import Compacted, MessageAdded, ToolCompleted
from codetether.models.tools import ToolResult
from codetether.models.window import Window
from codetether.plugin_contexts import PluginContext, SessionContext
from codetether.runtime import Runtime
from codetether.session.dispatch import Outcome, Place
from codetether.session.running import RunningSession
from codetether.settings.settings import load_settings
from codetether.specs import ContextPolicySpec, ProviderSpec, WireSpec
from codetether.testing.cassette import CassetteMismatch, Difference, first_difference, said
from codetether.testing.script import Answer, Script
from codetether.testing.sessions import ONLY
from codetether.testing.subjects import installed_subjects

NAME = "replay"
ENDLESS = 10**9
STOPPED = "the recorded turn was stopped here"


@frozen(kw_only=True)
class Parting:
    """Where a session that is run again parts from the recorded one.

    Attributes:
        kind: `request`, `tool_call` or `answer`. turn: the prompt, from 1. message: of the session, from 0.
    """

    kind: str
    turn: int
    message: int
    difference: Difference

    def __str__(self) -> str:
        return "\n".join((f"turn {self.turn}, message {self.message}: the {self.words} differs", *self.diff()))

    @property
    def words(self) -> str:
        """What differs, and where in it."""
        return f"{self.kind.replace('_', ' ')} at {self.difference.path}" if self.difference.path else self.kind

    def diff(self) -> Iterable[str]:
        """Both sides, line by line."""
        recorded, now = (_lines(side) for side in (self.difference.recorded, self.difference.now))
        return difflib.unified_diff(recorded, now, "recorded", "now", lineterm="")


@frozen(kw_only=True)
class Rerun:
    """What came of it: how much was run again, and the first difference."""

    prompts: int
    answers: int
    tool_calls: int
    parting: Parting | None = None


async def rerun(script: Script) -> Rerun:
    """Runs the session again: answers of the model and results of calls are those of the script."""
    stage = _Stage(script=script)
    async with _alone(stage) as runtime, runtime.session(model=NAME) as session:
        stage.session = session
        session.agent.limits = attrs.evolve(session.agent.limits, steps=ENDLESS, repeats=ENDLESS)
        session.agent.dispatch = _Results(session.agent.dispatch, stage)  # type: ignore[assignment]
        recorded = script.session.messages
        while (place := len(session.session.messages)) < len(recorded) and stage.parting is None:
            if recorded[place].role != "user":
                if place and not script.is_whole(place - 1):
                    stage.part("answer", place, _told(recorded[place]), None)
                else:  # as other agents keep it: nobody asked for it
                    stage.tell(place)
                continue
            stage.prompts += 1
            await session.agent.run(attrs.evolve(recorded[place], created_at=None), lambda event: None)
            stage.check("answer", recorded, session.session.messages)
    return stage.report()


async def rerun_live(script: Script, model: str, plugins: Sequence[Any] = ()) -> Rerun:
    """Gives a live model the session's prompts, and its calls the recorded results, until it calls something else.

    The installed plugins take part, but for event sinks; `plugins` are modules of this process beside them.
    """
    stage = _Stage(script=script)
    own = _beside(Path(script.session.metadata.directory), plugins)
    async with own as runtime, runtime.session(model=model, agent=script.session.agent) as session:
        stage.session = session
        session.agent.dispatch = _Results(session.agent.dispatch, stage, live=True)  # type: ignore[assignment]
        for message in script.prompts:
            stage.prompts += 1
            result = await session.agent.run(attrs.evolve(message, created_at=None), lambda event: None)
            if stage.parting is not None:
                break
            if result.status == "provider_failed":
                raise ProviderError(result.error)
        stage.answered = sum(message.role == "assistant" for message in session.session.messages)
    return stage.report()


@define(kw_only=True, eq=False)
class _Stage:
    """Stands for provider and tools, and watches what they are asked."""

    script: Script
    session: RunningSession = field(init=False)
    parting: Parting | None = None
    prompts: int = 0
    answered: int = 0
    called: int = 0
    _changed: int = 0
    _alike: int = 0
    _sides: tuple[Sequence[Message], Sequence[Message]] = ((), ())
    __codetether_name__ = NAME

    @hookimpl
    def codetether_wires(self) -> Iterable[WireSpec]:
        """A wire without a network."""
        yield WireSpec(name=NAME, create=self._same)

    @hookimpl
    def codetether_providers(self) -> Iterable[ProviderSpec]:
        """The provider that has all answers."""
        yield ProviderSpec(name=NAME, wire=NAME, default_model="recorded", models=("recorded",), keyless=True)

    @hookimpl
    def codetether_context_policies(self) -> Iterable[ContextPolicySpec]:
        """Compactions, as they were made."""
        yield ContextPolicySpec(name=NAME, create=self._same)

    def _same(self, ctx: PluginContext | SessionContext) -> _Stage:
        return self

    async def connect(self, provider: Provider) -> _Stage:
        return self

    async def choose(self, history: Sequence[Message]) -> Sequence[Message]:
        return history

    async def compact(self, window: Window, why: Why) -> Compacted | None:
        """Before each request: what the model sees changes as it did, and who is asked is who was."""
        self.change()
        if (answer := self._next()) is not None:
            asking = self.session.agent.asking
            asking.line = attrs.evolve(asking.line, ref=answer.model)
        return None

    def change(self) -> None:
        """Compactions, what undid them, and what the loop told the model within a turn, that came by now."""
        count = len(self.session.session.messages)
        if self.script.turns.get(count, (0, 0))[1] and count:
            told = attrs.evolve(self.script.session.messages[count], created_at=None)
            self.session.journal.append(MessageAdded(message=told, turn=self.session.session.turn, step=1))
            count += 1
        while self._changed < len(self.script.changes) and self.script.changes[self._changed][0] <= count:
            self.session.journal.append(self.script.changes[self._changed][1])
            self._changed += 1

    def tell(self, place: int) -> None:
        """Keeps what was said from here to the next message of the user, as it stands in the record."""
        messages, turn = self.script.session.messages, self.session.session.turn
        for message in takewhile(lambda message: message.role != "user", messages[place:]):
            if message.role == "assistant":
                self.session.journal.append(MessageAdded(message=message, turn=turn, step=1))
                self.answered += 1
            for part in message.parts:
                if isinstance(part, ToolResultPart):
                    self.session.journal.append(ToolCompleted(result=part, turn=turn, step=1))

    async def stream(self, request: CompletionRequest) -> AsyncIterator[StreamChunk]:
        """The recorded answer. Raises CassetteMismatch where it was given to another request."""
        place = len(self.session.session.messages)
        answer = self._next()
        if answer is None or answer.place != place:
            if not self.script.is_whole(place - 1):
                raise ProviderError(STOPPED)
            raise self.part("request", place, None, _told(request.messages[-1]) if request.messages else None)
        self.check("request", answer.seen, request.messages)
        if self.parting is not None:
            raise CassetteMismatch(str(self.parting))
        self.answered += 1
        for chunk in answer.chunks():
            yield chunk

    def check(self, kind: str, recorded: Sequence[Message], now: Sequence[Message]) -> None:
        """Notes the first difference; messages that were alike before are not looked at again."""
        alike, before = self._alike, self._sides
        held = alike and all(
            len(new) >= alike and new[alike - 1] is old[alike - 1] and new[0] is old[0]
            for old, new in zip(before, (recorded, now), strict=True)
        )
        # Of answers there is one too many or too few only where a request or the whole run tells it.
        length = (min if kind == "answer" else max)(len(recorded), len(now))
        for place in range(alike if held else 0, length):
            sides = [_told(side[place]) if place < len(side) else None for side in (recorded, now)]
            if sides[0] != sides[1]:
                self.part(kind, place, *sides)
                return
        self._alike, self._sides = min(len(recorded), len(now)), (recorded, now)

    def part(self, kind: str, message: int, recorded: JSON, now: JSON) -> CassetteMismatch:
        """Notes the first difference, and gives the error that ends the run."""
        difference = first_difference(recorded, now) or Difference("", recorded, now)
        turn = self.session.session.turn
        self.parting = self.parting or Parting(kind=kind, turn=turn, message=message, difference=difference)
        return CassetteMismatch(str(self.parting))

    def report(self) -> Rerun:
        """What came of it."""
        return Rerun(prompts=self.prompts, answers=self.answered, tool_calls=self.called, parting=self.parting)

    def _next(self) -> Answer | None:
        answers = self.script.answers
        return answers[self.answered] if self.answered < len(answers) else None


class _Results:
    """Dispatches calls to the record: nothing is run, nobody is asked."""

    def __init__(self, dispatch: Any, stage: _Stage, *, live: bool = False) -> None:
        self._dispatch = dispatch
        self._stage = stage
        self._live = live
        self._left = [call for answer in stage.script.answers for call in answer.entry.message.tool_calls]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._dispatch, name)

    async def run(self, part: ToolCallPart, place: Place) -> Outcome:
        """The recorded result of the call. Raises CassetteMismatch where there is none."""
        call = next((call for call in self._left if self._is(call, part)), None)
        if call is not None and call.id not in self._stage.script.results:
            raise ProviderError(STOPPED)
        if call is None:
            there = next((call for call in self._left if call.name == part.name), None)
            recorded = None if there is None else _call(there)
            raise self._stage.part("tool_call", len(self._stage.session.session.messages) - 1, recorded, _call(part))
        self._left.remove(call)
        self._stage.called += 1
        result = self._stage.script.results[call.id]
        return Outcome(result=ToolResult(content=result.content, success=result.success))

    def _is(self, recorded: ToolCallPart, part: ToolCallPart) -> bool:
        if not self._live:
            return recorded.id == part.id
        return recorded.name == part.name and _arguments(recorded) == _arguments(part)


@asynccontextmanager
async def _alone(stage: _Stage) -> AsyncIterator[Runtime]:
    """A runtime with the stage alone: no plugin, no settings, nothing that stays."""
    with TemporaryDirectory(prefix="codetether-replay-") as name:
        place = Path(name)
        settings = load_settings(place, overrides=ONLY, environment={"CODETETHER_HOME": name}, managed=place / "none")
        async with Runtime.open(settings, plugins=[stage], directory=place, on_notice=_unheard) as runtime:
            yield runtime


@asynccontextmanager
async def _beside(directory: Path, plugins: Sequence[Any]) -> AsyncIterator[Runtime]:
    """The user's own runtime, but for event sinks; its sessions are not kept."""
    sinks = [
        subject.name for subject in installed_subjects() if any(kind == "event_sinks" for kind, _ in subject.records)
    ]
    with TemporaryDirectory(prefix="codetether-replay-") as name:
        place = directory if directory.is_dir() else Path(name)
        settings = load_settings(place, overrides={"plugins": {"not": sinks}})
        settings = attrs.evolve(settings, directories=attrs.evolve(settings.directories, data=Path(name) / "data"))
        async with Runtime.open(settings, plugins=plugins, directory=place, on_notice=_unheard) as runtime:
            yield runtime


def _unheard(source: str, text: str) -> None:
    """The report is all that is said."""


def _told(message: Message) -> dict[str, JSON]:
    """What a message says; what an importer noted on a result is not sent to anybody."""
    if message.role == "tool":
        bare = (attrs.evolve(part, extra={}) if isinstance(part, ToolResultPart) else part for part in message.parts)
        message = attrs.evolve(message, parts=tuple(bare))
    return {name: value for name, value in said(message).items() if name in ("role", "parts")}


def _call(part: ToolCallPart) -> dict[str, JSON]:
    return {"name": part.name, "arguments": _arguments(part)}


def _arguments(part: ToolCallPart) -> JSON:
    with suppress(orjson.JSONDecodeError):
        return orjson.loads(part.arguments) if part.arguments.strip() else {}
    return part.arguments


def _lines(value: JSON) -> list[str]:
    if isinstance(value, str):
        return value.splitlines()
    return [] if value is None else orjson.dumps(value, option=orjson.OPT_INDENT_2).decode().splitlines()
