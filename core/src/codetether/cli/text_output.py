"""A run for people: the answer on standard output, tool calls and all else on standard error."""

from __future__ import annotations

import time

from codetether.cli.denied import denied_lines
from codetether.cli.outcome import Outcome
from codetether.cli.terminal import BOLD, CYAN, DIM, RED, YELLOW, Screen, json_line, one_line, readable, unfinished
from codetether.cli.tool_text import arguments_shown, lines_shown, next_try, subagent_shown
from codetether.models import events
from codetether.models.events import SessionEvent
from codetether.models.session import Session

HEAD, TAIL = 40, 10
"""Lines of a tool's output that are shown; what lies between them is counted."""
LINE = 400
"""Characters of one such line."""


class TextOutput:
    """Shows a run as it happens.

    Where nobody watches standard output, a step's text is written when the step is whole, so that text which a
    retry withdraws is never written.
    """

    def __init__(self, screen: Screen) -> None:
        self.screen = screen
        self._streamed = False
        self._header = ""
        self._nested: set[str] = set()
        self._unfinished = ""
        self._began = time.monotonic()

    def begin(self, session: Session) -> None:
        """The session is open."""

    def notice(self, source: str, text: str) -> None:
        """Something the user should know; `source` may be empty."""
        self.pause()
        self.screen.notice(source, text, DIM)

    def show(self, event: SessionEvent) -> None:
        """One event; kinds that it does not know are passed over."""
        match event:
            case events.TextChunk():
                self._stream(event.text)
            case events.TextComplete():
                self._complete(event.text)
            case events.ToolCallStart(parent_call_id=str()):
                self._below(event, f"{event.name} {arguments_shown(event.arguments)}")
            case events.ToolCallStart():
                self.pause()
                self._call(event.call_id, event.name, arguments_shown(event.arguments))
            case events.ToolCallComplete() if event.call_id not in self._nested:  # else the caller tells of it
                self._result(event)
            case events.SubagentEvent():
                self._below(event, subagent_shown(event))
            case events.Retry():
                self._retry(event)
            case events.Compaction():
                self.notice("context", event.text)
            case events.Notice():
                self.notice(event.source, event.text)
            case _:
                pass

    def end(self, outcome: Outcome) -> None:
        """The run is over."""
        self.pause()
        if outcome.status == "denied":
            self.screen.say(outcome.error or "denied", YELLOW)
        elif outcome.status in ("limit", "interrupted"):
            self.screen.say(f"{outcome.status}: {outcome.error}".removesuffix(f": {outcome.status}"), YELLOW)
            if outcome.status == "limit" and outcome.session_id:
                self.screen.say(f'  To go on: codetether run -s {outcome.session_id} "go on"', YELLOW)
        elif outcome.status != "done":
            self.screen.say(f"error: {outcome.error}" + (f"\n  {outcome.remedy}" if outcome.remedy else ""), RED)
        for line in denied_lines(outcome.unanswered, outcome.session_id) if outcome.unanswered else ():
            self.screen.say(line, YELLOW)
        if outcome.steps:
            self.screen.say(self._usage(outcome), DIM)

    def _stream(self, text: str) -> None:
        if not self.screen.live:
            return
        text = self._unfinished + text
        self._unfinished = unfinished(text)
        self.screen.write(readable(text.removesuffix(self._unfinished)))
        self._streamed = True

    def _complete(self, text: str) -> None:
        if not self._streamed:
            self.screen.write(readable(text).strip("\n"))
        self._end_line()

    def pause(self) -> None:
        """Ends a line of the answer that a notice or an error cuts off."""
        if self._streamed:
            self._end_line()

    def _end_line(self) -> None:
        self.screen.write(readable(self._unfinished).removesuffix("\u240d") + "\n")
        self._streamed, self._unfinished = False, ""

    def _retry(self, event: events.Retry) -> None:
        withdrawn = self._streamed
        self.pause()
        above = ", the text above is withdrawn" if withdrawn else ""
        self.screen.say(f"— {event.reason}: {next_try(event)}{above}", YELLOW)

    def _call(self, call_id: str, name: str, arguments: str) -> None:
        self._header = call_id
        self.screen.say(
            f"● {name} {one_line(arguments, max(self.screen.width - len(name) - 3, 20))}".rstrip(), BOLD, CYAN
        )

    def _below(self, event: events.SubagentEvent | events.ToolCallStart, line: str) -> None:
        """What a call has others do, on a line; what comes of it is in the call's own result."""
        if isinstance(event, events.ToolCallStart):
            self._nested.add(event.call_id)
        if line:
            self.pause()
            self._header = ""
            self.screen.say(f"  {one_line(line, max(self.screen.width - 2, 20))}".rstrip(), DIM)

    def _result(self, event: events.ToolCallComplete) -> None:
        if self._header != event.call_id:  # others ran beside it: say whose output this is
            self.screen.say(f"↳ {event.name}", BOLD, CYAN)
        self._header = ""
        for line in lines_shown(event.output, HEAD, TAIL) if event.output else ():
            self.screen.say(f"  {one_line(line, LINE)}".rstrip(), *((DIM,) if event.success else (RED,)))

    def _usage(self, outcome: Outcome) -> str:
        usage, seconds = outcome.usage, time.monotonic() - self._began
        cached = f" ({usage.cache_read_tokens:,} cached)" if usage.cache_read_tokens else ""
        cost = f" · ${usage.cost}" if usage.cost is not None else ""
        steps = f"{outcome.steps} step{'s' if outcome.steps != 1 else ''}"
        tokens = f"{usage.input_tokens:,} in{cached}, {usage.output_tokens:,} out"
        return f"{outcome.model} · {steps} · {tokens}{cost} · {seconds:.1f} s · session {outcome.session_id}"


class FormedOutput(TextOutput):
    """A run whose answer is a JSON value: it alone is written, once it is known to fit."""

    def _stream(self, text: str) -> None:
        """What is written on the way may not fit, or be no answer yet."""

    def _complete(self, text: str) -> None:
        """Nor is a whole text of the way."""

    def end(self, outcome: Outcome) -> None:
        """The run is over."""
        if outcome.status == "done":
            self.screen.write(json_line(outcome.text.encode()) + "\n")
        super().end(outcome)
