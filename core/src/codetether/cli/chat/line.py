"""The line editor: history, several lines, paste, completion of commands and files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.formatted_text import FormattedText
from prompt_toolkit.history import FileHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.output import ColorDepth

from codetether.cli.chat.paths import path_completions
from codetether.cli.terminal import DIM, Screen, one_line
from codetether.storage.durable import private_directory

if TYPE_CHECKING:
    from codetether.cli.chat.slash import SlashCommands
    from codetether.session.running import RunningSession


PROMPT = "\u203a "


class Words(Completer):
    """Completes `/command argument` at the start of the prompt, and `@path` anywhere."""

    def __init__(self, commands: Mapping[str, Sequence[str]]) -> None:
        self.commands = commands
        self.helps: Mapping[str, str] = {}
        self.directory = Path.cwd()

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        """What can stand at the cursor."""
        text = document.text_before_cursor
        if text.startswith("/") and "\n" not in text:
            yield from self._of_command(text[1:])
            return
        yield from path_completions(document, self.directory)

    def _of_command(self, text: str) -> Iterable[Completion]:
        name, space, argument = text.partition(" ")
        if not space:
            for known in self.commands:
                if known.startswith(name):
                    yield Completion(known, -len(name), display_meta=self.helps.get(known, ""))
            return
        for word in self.commands.get(name, ()):
            if word.startswith(argument):
                yield Completion(word, -len(argument))


class LineEditor:
    """Reads prompts at a terminal."""

    def __init__(self, state: Path, screen: Screen, commands: Mapping[str, Sequence[str]]) -> None:
        self._screen = screen
        self._words = Words(commands)
        self._session: RunningSession | None = None
        history = private_directory(state) / "chat-history"
        history.touch(mode=0o600, exist_ok=True)
        self._editor: PromptSession[str] = PromptSession(
            history=FileHistory(str(history)),
            completer=self._words,
            complete_while_typing=False,
            complete_in_thread=True,
            multiline=True,
            key_bindings=_keys(),
            prompt_continuation=lambda width, line, wrapped: " " * (width - 2) + "· ",
            bottom_toolbar=self._toolbar,
            color_depth=ColorDepth.DEPTH_1_BIT if os.environ.get("NO_COLOR") else None,
            enable_open_in_editor=True,
            enable_suspend=True,
        )

    def about(self, session: RunningSession, slash: SlashCommands) -> None:
        """The session that the next prompts go to."""
        self._session = session
        self._words.directory = session.shared.directory
        self._words.helps = {name: command.help for name, command in slash.table.items()}

    async def read(self) -> str | None:
        """The next prompt that is not empty; None for Ctrl-D, or Ctrl-C twice. Ctrl-C empties the line."""
        leaving = False
        while True:
            try:
                text = await self._editor.prompt_async(FormattedText([("bold", PROMPT)]), handle_sigint=False)
            except KeyboardInterrupt:
                empty = not self._editor.default_buffer.text
                if empty and leaving:
                    return None
                if empty:
                    self._screen.say("Ctrl-C again, or Ctrl-D, leaves.", DIM)
                leaving = empty
                continue
            except EOFError:
                return None
            if text.strip():
                return text.strip()
            leaving = False

    def _toolbar(self) -> FormattedText:
        session = self._session
        if session is None:
            return FormattedText()
        usage = session.session.usage
        parts = [str(session.model), session.mode, f"{usage.total_tokens:,} tokens"]
        if usage.cost is not None:
            parts.append(f"${usage.cost:.4f}")
        parts.append(str(session.shared.directory))
        return FormattedText([("", " " + one_line(" · ".join(parts), max(self._screen.width - 2, 10)))])


def _keys() -> KeyBindings:
    """Enter sends, unless the line ends in a backslash; Alt-Enter begins a new line.

    Ctrl-J sends too: that is what Enter is while the terminal is not ours yet.
    """
    keys = KeyBindings()

    @keys.add("enter")
    @keys.add("c-j")
    def send(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if buffer.document.text_before_cursor.endswith("\\"):
            buffer.delete_before_cursor()
            buffer.insert_text("\n")
        else:
            buffer.validate_and_handle()

    @keys.add("escape", "enter")
    def new_line(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    return keys
