"""A turn on the terminal: Markdown as it streams, tool calls as they run, with their diffs."""

from __future__ import annotations

import time

from rich.console import Console, RenderableType
from rich.live import Live
from rich.markdown import Markdown
from rich.padding import Padding
from rich.syntax import Syntax
from rich.text import Text

from codetether.cli.chat.blocks import finished_blocks, parsed
from codetether.cli.outcome import Outcome
from codetether.cli.terminal import Screen, one_line, readable, unfinished, visible
from codetether.cli.tool_text import arguments_shown, lines_shown, next_try, subagent_shown
from codetether.models import events
from codetether.models.events import SessionEvent

HEAD, TAIL = 12, 4
"""Lines of a tool's output that are shown; what lies between them is counted."""
THOUGHT = 200
"""Characters of the model's latest thoughts that are kept to be shown."""
LONGEST = 400
"""Characters of a line that says what went wrong; it is not cut at the edge of the screen."""
FRAMES = 12
"""Times a second that what streams is drawn anew."""


class RichDisplay:
    """Draws what is finished for good, and what still grows below it."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self.console = Console(file=screen.out, highlight=False, soft_wrap=False)
        self._live: Live | None = None
        self._text = ""
        self._thought = ""
        self._above = False
        self._drawn = 0.0
        self._header = ""
        self._nested: set[str] = set()

    def show(self, event: SessionEvent) -> None:
        """One event; kinds that it does not know are passed over."""
        match event:
            case events.Thinking():
                self._thought, self._above = "", False
                self._status("thinking…")
            case events.ThinkingChunk():
                self._think(event.text)
            case events.TextChunk():
                self._grow(event.text)
            case events.TextComplete():
                self.pause()
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
        if usage.total_tokens:
            cost = f" · ${usage.cost}" if usage.cost is not None else ""
            self._say(f"{usage.input_tokens:,} in, {usage.output_tokens:,} out{cost}", "dim")

    def pause(self) -> None:
        """Draws what has streamed so far for good."""
        rest, self._text = readable(self._text.removesuffix("\r")), ""
        self._finish(rest)

    def _think(self, text: str) -> None:
        self._thought = (self._thought + text)[-THOUGHT:]
        if self._due():
            room = max(self.console.width - 12, 10)
            self._status(f"thinking… {' '.join(self._thought.split())[-room:]}")

    def _grow(self, text: str) -> None:
        self._text += text
        if not self._due():
            return
        waiting = unfinished(self._text)
        done, growing = finished_blocks(readable(self._text.removesuffix(waiting)))
        self._text = growing + waiting
        if done:
            self._finish(done)
        self._draw(self._tail(growing))

    def _due(self) -> bool:
        """Whether it is time to draw anew what streams."""
        now = time.monotonic()
        due = now - self._drawn >= 1 / FRAMES
        self._drawn = now if due else self._drawn
        return due

    def _finish(self, blocks: str) -> None:
        """Draws blocks for good, a blank line between them and those above."""
        self._stop()
        if blocks.strip():
            self.console.print(self._spaced(_markdown(blocks)))
            self._above = True

    def _spaced(self, what: RenderableType) -> RenderableType:
        return Padding(what, (1, 0, 0, 0)) if self._above else what

    def _tail(self, text: str) -> RenderableType:
        """What still grows, cut to what fits on the screen."""
        lines = text.split("\n")
        room = max(self.console.height - 4, 3)
        return self._spaced(Text("\n".join(lines[-room:])) if len(lines) > room else _markdown(text))

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
        withdrawn = ", what stands above since the last prompt is withdrawn" if self._above else ""
        self._text, self._above = "", False
        self._say(f"— {event.reason}: {next_try(event)}{withdrawn}", "yellow")

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
            self.console.print(Padding(Syntax(visible(diff), "diff", theme="ansi_dark", word_wrap=True), (0, 0, 0, 2)))
            return
        width = max(self.console.width - 3, 20) if event.success else LONGEST
        for line in lines_shown(event.output, HEAD, TAIL):
            self._say(one_line(line, width), "dim" if event.success else "red", indent=2)

    def _say(self, text: str, style: str, indent: int = 0) -> None:
        self._stop()
        self.console.print(Padding(Text(visible(text), style=style), (0, 0, 0, indent), expand=False))


def _markdown(text: str) -> Markdown:
    made = Markdown("", code_theme="ansi_dark", hyperlinks=False)
    made.parsed = parsed(text)
    return made
