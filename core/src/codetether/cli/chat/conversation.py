"""The conversation: prompts and slash commands in, turns shown, the session reopened when a wish changes."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import aclosing, nullcontext
from io import StringIO, TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from attrs import evolve
from click import ClickException

from codetether.cli import started
from codetether.cli.app import EXIT, say_error
from codetether.cli.chat.slash import Leave, Next, Reopen, Send, SlashCommands, is_command
from codetether.cli.foreign import session_to_go_on_with
from codetether.cli.interrupts import Interrupts
from codetether.cli.keyboard import echo
from codetether.cli.outcome import Outcome
from codetether.cli.session_options import sandbox_settings
from codetether.cli.terminal import DIM, RED, YELLOW, Screen, one_line
from codetether.cli.text_output import TextOutput
from codetether.errors import CodetetherError
from codetether.models.events import SessionEvent, TextChunk, TextComplete
from codetether.models.messages import MessagePart, TextPart
from codetether.models.tools import Mode
from codetether.protocols import Person
from codetether.runtime import Runtime
from codetether.session.confinement import confinement_of
from codetether.values import define, frozen

if TYPE_CHECKING:
    from codetether.session.running import RunningSession


@frozen(kw_only=True)
class Wishes:
    """What the user wants of the session; a slash command changes them."""

    session_id: str | None = None
    resume: bool = False
    model: str | None = None
    agent: str | None = None
    mode: Mode | None = None
    allow: tuple[str, ...] = ()
    sandbox: str | None = None
    max_steps: int | None = None
    max_seconds: float | None = None
    max_tokens: int | None = None
    max_cost: float | None = None


class Display(Protocol):
    """What shows a turn."""

    def show(self, event: SessionEvent) -> None:
        """One event."""
        ...

    def end(self, outcome: Outcome) -> None:
        """The turn is over."""
        ...

    def notice(self, source: str, text: str) -> None:
        """Something the user should know."""
        ...

    def pause(self) -> None:
        """Something else will be written."""
        ...


class Prompts(Protocol):
    """Where the user's lines come from."""

    async def read(self) -> str | None:
        """The next one, None at the end."""
        ...


class PipedPrompts:
    """Each line of standard input; what is no UTF-8 in it is replaced."""

    def __init__(self) -> None:
        self._lines = sys.stdin or StringIO()
        if isinstance(self._lines, TextIOWrapper):
            self._lines.reconfigure(errors="replace")

    async def read(self) -> str | None:
        """The next line that is not empty."""
        while line := await asyncio.to_thread(self._lines.readline):
            if text := str(line).strip():
                return text
        return None


@define
class Conversation:
    """A conversation over one runtime and, one after another, its sessions."""

    wishes: Wishes
    screen: Screen
    directory: Path
    interactive: bool
    last_status: str = "done"

    async def run(self, interrupts: Interrupts) -> int:
        """Until the user leaves. The exit code of a piped conversation is that of its last turn."""
        with echo(False) if self.interactive else nullcontext():  # what is typed is shown by the prompt it is for
            return await self._run(interrupts)

    async def _run(self, interrupts: Interrupts) -> int:
        display = self._display()
        person = self._person(display)
        settings = sandbox_settings(self.wishes.sandbox)
        opened = Runtime.open(settings, directory=self.directory, person=person, on_notice=display.notice)
        async with opened as runtime:
            wanted, resume = self.wishes.session_id, self.wishes.resume
            session_id = await session_to_go_on_with(runtime, wanted, self.directory, display.notice, resume=resume)
            self.wishes = evolve(self.wishes, session_id=session_id)
            while await self._session(runtime, display, interrupts):
                pass
        return 0 if self.interactive else EXIT[self.last_status]

    def _display(self) -> Display:
        if not self.interactive:
            return TextOutput(self.screen)
        from codetether.cli.chat.display import RichDisplay

        return RichDisplay(self.screen)

    def _person(self, display: Display) -> Person | None:
        from codetether.cli.person import TerminalPerson

        return TerminalPerson(self.screen, display.pause) if self.interactive else None

    async def _session(self, runtime: Runtime, display: Display, interrupts: Interrupts) -> bool:
        """One opened session, until the user leaves (False) or a wish needs it opened anew (True)."""
        wishes = self.wishes
        try:
            async with runtime.session(
                wishes.session_id,
                model=wishes.model,
                agent=wishes.agent,
                mode=wishes.mode,
                allow=wishes.allow,
                max_steps=wishes.max_steps,
                max_seconds=wishes.max_seconds,
                max_tokens=wishes.max_tokens,
                max_cost=wishes.max_cost,
            ) as session:
                self.wishes = evolve(wishes, session_id=session.id)
                self._begun = self._begun if wishes.session_id else session.id
                if self._restricted is not None and self._restricted[0] == session.id:
                    session.shared.restrict(self._restricted[1])  # only /mode, typed anew, ends it
                going_on = await self._converse(runtime, session, display, interrupts)
            if not (going_on and self.wishes.session_id == session.id):
                await self._forget_empty(runtime, session)
            return going_on
        except CodetetherError as error:
            if not self.interactive or self._opened_as is None or wishes == self._opened_as:
                raise
            # A wish that cannot be had (/model typo) is said, and the session goes on as it was.
            say_error(self.screen, error)
            self.wishes = self._opened_as
            return True

    async def _forget_empty(self, runtime: Runtime, session: RunningSession) -> None:
        """A session begun here in which nothing was said: nobody would go on with it."""
        left = session.session
        if session.id == self._begun and not left.messages and not left.title:
            from codetether.cli.session_changes import deleted_session

            await deleted_session(runtime, session.id)

    _begun: str | None = None
    _opened_as: Wishes | None = None
    _restricted: tuple[str, Mode | None] | None = None
    _prompts: Prompts | None = None

    async def _converse(
        self, runtime: Runtime, session: RunningSession, display: Display, interrupts: Interrupts
    ) -> bool:
        from codetether.cli.chat.mentions import mentioned

        slash = SlashCommands(runtime, session, self.screen, self.wishes)
        if self._opened_as is None:
            started()
        if self.interactive and self.wishes != self._opened_as:
            self._greet(session, display)
        self._opened_as = self.wishes
        prompts = self._prompts = self._prompts or await self._input(runtime, session, slash)
        if hasattr(prompts, "about"):
            prompts.about(session, slash)
        while (text := await prompts.read()) is not None:
            if self.interactive and text in ("exit", "quit"):
                return False
            if is_command(text):
                match await self._command(slash.run(text), interrupts):
                    case Leave():
                        return False
                    case Reopen(wishes=wishes):
                        self.wishes, self._restricted = wishes, (session.id, session.shared.restriction)
                        return True
                    case Send(message=message):
                        others = [part for part in message.parts if not isinstance(part, TextPart)]
                        await self._turn(session, message.text, others, display, interrupts)
                continue
            try:
                files = mentioned(text, session.shared.directory)
            except ClickException as error:
                self.screen.say(f"error: {error.message}", RED)
                self.last_status = "error"
                continue
            await self._turn(session, text, files, display, interrupts)
        return False

    async def _command(self, running: Coroutine[Any, Any, Next], interrupts: Interrupts) -> Next:
        """What a slash command comes to; Ctrl-C stops it and nothing else."""
        task = asyncio.create_task(running)
        interrupts.begin(task.cancel)
        try:
            return await task
        except asyncio.CancelledError:
            conversation = asyncio.current_task()
            if conversation is not None and conversation.cancelling():
                raise
            self.screen.say("interrupted", YELLOW)
            return None
        finally:
            interrupts.begin(None)

    async def _turn(
        self,
        session: RunningSession,
        text: str,
        parts: Sequence[MessagePart],
        display: Display,
        interrupts: Interrupts,
    ) -> None:
        outcome = Outcome(session_id=session.id, model=session.model)
        interrupts.begin(session.cancel)
        stream: AsyncIterator[SessionEvent] = session.stream(text, parts)
        async with aclosing(stream) as events:  # type: ignore[type-var]
            async for event in events:
                outcome.take(event)
                display.show(event)
        self.last_status = outcome.status
        display.end(outcome)
        interrupts.begin(None)

    def _greet(self, session: RunningSession, display: Display) -> None:
        title = f" · {session.session.title}" if session.session.title else ""
        confinement = confinement_of(session.shared.executor)
        fence = f" · sandbox {confinement.backend}" if confinement else ""
        self.screen.say(f"{session.model} · mode {session.mode}{fence} · {session.shared.directory}{title}", DIM)
        if self._opened_as is None:
            self.screen.say("/help lists the commands, Ctrl-D leaves.", DIM)
        if session.mode == "unsafe":
            self.screen.say("Mode unsafe: nothing is asked, nothing is confined.", YELLOW)
        if self._opened_as is None or self._opened_as.session_id != session.id:
            self._recall(session, display)

    def _recall(self, session: RunningSession, display: Display) -> None:
        """The last words of a session that is gone on with."""
        messages = session.session.messages
        asked = next((m for m in reversed(messages) if m.role == "user"), None)
        answer = next((m.text for m in reversed(messages) if m.role == "assistant" and m.text.strip()), None)
        if asked is not None:
            self.screen.say(one_line(f"\u203a {asked.text.strip()}", self.screen.width - 1), DIM)
        if answer is not None:
            display.show(TextChunk(answer))
            display.show(TextComplete(text=answer))

    async def _input(self, runtime: Runtime, session: RunningSession, slash: SlashCommands) -> Prompts:
        if not self.interactive:
            return PipedPrompts()
        from codetether.cli.chat.line import LineEditor

        return LineEditor(runtime.settings.directories.state, self.screen, await slash.words())
