"""A turn on the terminal: Markdown as it streams, tool calls as they run, with their diffs."""

from __future__ import annotations

import time

from rich.console import Console, RenderableType
from rich.live import Live
from rich.markdown import Markdown
from rich.padding import Padding
from rich.syntax import Syntax
from rich.text import Text

from codetether.cli.chat.blocks import finished_blocks
from codetether.cli.outcome import Outcome
from codetether.cli.terminal import Screen, one_line, visible
from codetether.cli.tool_text import arguments_shown, lines_shown, subagent_shown
from codetether.models import events
from codetether.models.events import SessionEvent

HEAD, TAIL = 12, 4
"""Lines of a tool's output that are shown; what lies between them is counted."""
FRAMES = 12
"""Times a second that what streams is drawn anew."""


class RichDisplay:
    """Draws what is finished for good, and what still grows below it."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self.console = Console(file=screen.out, highlight=False, soft_wrap=False)
        self._live: Live | None = None
        self._text = ""
        self._drawn = 0.0
        self._header = ""
        self._nested: set[str] = set()

    def show(self, event: SessionEvent) -> None:
        """One event; kinds that it does not know are passed over."""
        match event:
            case events.Thinking():
                self._status("thinking…")
            case events.ThinkingChunk():
                self._status(f"thinking… {one_line(event.text, 60)}")
            case events.TextChunk():
                self._grow(event.text)
            case events.TextComplete():
                self._complete(event.text)
            case events.ToolCallStart(parent_call_id=str()):
                self._below(event, f"{event.name} {arguments_shown(event.arguments)}")
            case events.ToolCallStart():
                self.pause()
                self._call(event)
            case events.SubagentEvent():
                self._below(event, subagent_shown(event))
            case events.ToolCallOutput():
                self._status(one_line(event.text.rstrip().rpartition("\n")[2], max(self.console.width - 4, 20)))
            case events.ToolCallComplete() if event.call_id not in self._nested:  # else the caller tells of it
                self._result(event)
            case events.ApprovalRequired():
                self._say(f"  ! {event.name} was denied: {event.reason or event.rule}", "yellow")
            case events.Retry():
                self._retry(event)
            case events.Compaction():
                self.notice("context", event.text)
            case events.Notice():
                self.notice(event.source, event.text)
            case _:
                pass

    def notice(self, source: str, text: str) -> None:
        """Something the user should know."""
        self.pause()
        self._screen.notice(source, text, 2)

    def end(self, outcome: Outcome) -> None:
        """The turn is over: what is left is drawn, and a failure said."""
        self.pause()
        match outcome.status:
            case "done":
                pass
            case "denied" | "limit" | "interrupted":
                self._say(f"{outcome.status}: {outcome.error}".removesuffix(f": {outcome.status}"), "yellow")
            case _:
                self._say(f"error: {outcome.error}", "red")
                if outcome.remedy:
                    self._say(f"  {outcome.remedy}", "red")
        usage = outcome.usage
        cost = f" · ${usage.cost}" if usage.cost is not None else ""
        self._say(f"{usage.input_tokens:,} in, {usage.output_tokens:,} out{cost}", "dim")

    def pause(self) -> None:
        """Draws what has streamed so far for good."""
        rest, self._text = self._text, ""
        self._stop()
        if rest.strip():
            self._print(_markdown(rest))

    def _grow(self, text: str) -> None:
        self._text += visible(text)
        if "\n" in text:
            done, self._text = finished_blocks(self._text)
            if done.strip():
                self._stop()
                self._print(_markdown(done))
        now = time.monotonic()
        if now - self._drawn >= 1 / FRAMES:
            self._drawn = now
            self._draw(self._tail())

    def _complete(self, text: str) -> None:
        self.pause()

    def _tail(self) -> RenderableType:
        """What still grows, cut to what fits on the screen."""
        lines = self._text.split("\n")
        room = max(self.console.height - 4, 3)
        return Text("\n".join(lines[-room:])) if len(lines) > room else _markdown(self._text)

    def _status(self, text: str) -> None:
        self._draw(Text(visible(text), style="dim", no_wrap=True, overflow="ellipsis"))

    def _draw(self, what: RenderableType) -> None:
        if not self.console.is_terminal:
            return
        if self._live is None:
            self._live = Live(console=self.console, transient=True, auto_refresh=False, redirect_stderr=False)
            self._live.start()
        self._live.update(what, refresh=True)

    def _stop(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _retry(self, event: events.Retry) -> None:
        self._text = ""
        self._stop()
        what = f"{event.model} is asked instead" if event.model else "asked again"
        self._say(f"— {event.reason}: {what}, what stands above since the last prompt is withdrawn", "yellow")

    def _call(self, event: events.ToolCallStart) -> None:
        self._header = event.call_id
        room = max(self.console.width - len(event.name) - 4, 20)
        self.console.print(
            Text.assemble(
                ("● ", "cyan"), (event.name, "bold"), " ", (one_line(arguments_shown(event.arguments), room), "dim")
            )
        )

    def _below(self, event: events.SubagentEvent | events.ToolCallStart, line: str) -> None:
        if isinstance(event, events.ToolCallStart):
            self._nested.add(event.call_id)
        if line:
            self._header = ""
            self._say(f"  {one_line(line, max(self.console.width - 3, 20))}", "dim")

    def _result(self, event: events.ToolCallComplete) -> None:
        self._stop()
        if self._header != event.call_id:
            self._say(f"↳ {event.name}", "cyan")
        self._header = ""
        diff = event.metadata.get("diff")
        if event.success and isinstance(diff, str) and diff:
            self._print(Padding(Syntax(visible(diff), "diff", theme="ansi_dark", word_wrap=True), (0, 0, 0, 2)))
            return
        width = max(self.console.width - 3, 20)
        for line in lines_shown(event.output, HEAD, TAIL):
            self._say(f"  {one_line(line, width)}", "dim" if event.success else "red")

    def _say(self, text: str, style: str) -> None:
        self._stop()
        self.console.print(Text(visible(text), style=style))

    def _print(self, what: RenderableType) -> None:
        self.console.print(what)


def _markdown(text: str) -> Markdown:
    return Markdown(text, code_theme="ansi_dark", hyperlinks=False)
