"""A command of a plugin may send the model a message, as though the user had typed it."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterable
from pathlib import Path

import pytest
from codetether import ImagePart, Message, Runtime, Screen, SessionContext, SlashCommandSpec, hookimpl, user
from codetether.cli.chat.conversation import Conversation, Wishes
from codetether.cli.interrupts import Interrupts
from codetether.cli.text_output import TextOutput
from codetether.testing.scripted import ScriptedProvider

PICTURE = ImagePart(media_type="image/png", data=b"png")


class Asking:
    """A plugin whose command `/ask` sends a prompt with a picture."""

    __codetether_name__ = "asking"

    @hookimpl
    def codetether_slash_commands(self) -> Iterable[SlashCommandSpec]:
        """`/ask`."""
        yield SlashCommandSpec(name="ask", create=Ask)


class Ask:
    """Sends what stands after the command."""

    def __init__(self, ctx: SessionContext) -> None:
        self._ctx = ctx

    async def run(self, arguments: str) -> Message:
        """The message."""
        return user(f"please: {arguments}", [PICTURE])


async def test_a_commands_message_is_a_turn_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.txt").write_text("unread")
    monkeypatch.setattr("sys.stdin", io.StringIO("/ask look at @a.txt\nand now?\n"))
    model = ScriptedProvider("first", "second")
    interrupts = Interrupts(asyncio.get_running_loop(), asyncio.create_task(asyncio.sleep(0, 0)))
    conversation = Conversation(wishes=Wishes(), screen=Screen(), directory=tmp_path, interactive=False)
    async with (
        Runtime.open({"plugins": {"only": []}}, plugins=[model, Asking()], directory=tmp_path) as runtime,
        runtime.session(model="scripted") as session,
    ):
        await conversation._converse(runtime, session, TextOutput(conversation.screen), interrupts)
        said = [(m.role, m.text, [part for part in m.parts if part == PICTURE]) for m in session.session.messages]
    assert said == [
        ("user", "please: look at @a.txt", [PICTURE]),
        ("assistant", "first", []),
        ("user", "and now?", []),
        ("assistant", "second", []),
    ]
