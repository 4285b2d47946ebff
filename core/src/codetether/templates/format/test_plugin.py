"""Stories about the session format."""

from __future__ import annotations

from pathlib import Path

import pytest
from codetether import UsageError
from codetether_kind_change_me.plugin import Transcript

NAME = "change-me"


async def test_a_conversation_is_read(tmp_path: Path) -> None:
    file = tmp_path / "talk.txt"
    file.write_text("user: hello\nassistant: grüß dich\n", encoding="utf-8")
    assert Transcript().recognises(file)
    (session,) = [session async for session in Transcript().read(file)]
    assert [(m.role, m.text) for m in session.messages] == [("user", "hello"), ("assistant", "grüß dich")]
    assert (session.id, session.metadata.directory) == ("change-me_talk", str(tmp_path))


@pytest.mark.parametrize(("name", "content"), [("a.txt", "Dear diary"), ("b.md", "user: hello"), ("c.txt", "")])
def test_other_files_are_left_to_other_formats(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    assert not Transcript().recognises(tmp_path / name)


async def test_a_line_of_nobody_is_named(tmp_path: Path) -> None:
    file = tmp_path / "talk.txt"
    file.write_text("user: hello\nhi\n")
    with pytest.raises(UsageError, match=r"talk\.txt:2"):
        _ = [session async for session in Transcript().read(file)]
