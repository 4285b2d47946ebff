"""Stories about the session format."""

from __future__ import annotations

from pathlib import Path

import pytest
from codetether import ForeignSession, Unreadable
from codetether_kind_change_me.plugin import Talks

NAME = "change-me"


async def test_a_conversation_is_read(tmp_path: Path) -> None:
    file = tmp_path / "talk.txt"
    file.write_text("user: hello\nassistant: grüß dich\n", encoding="utf-8")
    assert Talks().recognises(file)
    (found,) = [found async for found in Talks().read(file)]
    assert isinstance(found, ForeignSession)
    assert [(m.role, m.text) for m in found.session.messages] == [("user", "hello"), ("assistant", "grüß dich")]
    assert found.session.id == f"{NAME}_talk"
    assert found.session.metadata.directory == str(tmp_path)
    assert found.lost == ()


@pytest.mark.parametrize(("name", "content"), [("a.txt", "Dear diary"), ("b.md", "user: hello"), ("c.txt", "")])
def test_other_files_are_left_to_other_formats(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    assert not Talks().recognises(tmp_path / name)


async def test_a_line_of_nobody_is_named_and_the_rest_is_read(tmp_path: Path) -> None:
    file = tmp_path / "talk.txt"
    file.write_text("user: hello\nhi\n")
    found, problem = [found async for found in Talks().read(file)]
    assert isinstance(found, ForeignSession)
    assert found.lost == ("lines of nobody: 1",)
    why = "the line begins with neither user: nor assistant:"
    assert problem == Unreadable(source=f"{file}:2", why=why)
