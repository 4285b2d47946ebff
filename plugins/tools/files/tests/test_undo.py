"""Stories about /undo: what a turn changed comes back as a whole, or nothing does, and it is said."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen
from codetether import RunningSession, Runtime, ToolResultPart
from codetether.cli.app import run as main
from codetether.cli.chat.conversation import Wishes
from codetether.cli.chat.slash import SlashCommands
from codetether.cli.terminal import Screen
from codetether.testing.scripted import Call, ScriptedProvider
from codetether_tools_files.changes import KEPT_DAYS, Changes, Undone
from codetether_tools_files.workspace import Refused

SETTINGS = {"plugins": {"only": ["files", "audit-jsonl"]}}


@frozen(kw_only=True)
class Talk:
    """A conversation in which the model plays a script, and the user may type commands."""

    session: RunningSession
    model: ScriptedProvider
    runtime: Runtime

    async def turn(self) -> None:
        """The next step of the script, to its end."""
        assert (await self.session.prompt("go")).status == "done"

    async def undo(self, capsys: pytest.CaptureFixture[str]) -> str:
        """What the user reads after typing /undo."""
        capsys.readouterr()
        await SlashCommands(self.runtime, self.session, Screen(), Wishes()).run("/undo")
        read = capsys.readouterr()
        return read.out + read.err


@asynccontextmanager
async def talk(work: Path, *script: Any, session: str | None = None, **how: Any) -> AsyncIterator[Talk]:
    """A conversation in a workspace; each step of the script is one answer."""
    model = ScriptedProvider(*script)
    wishes = {"model": "scripted", "mode": "edit", **how}
    async with (
        Runtime.open(SETTINGS, plugins=[model], directory=work) as runtime,
        runtime.session(session, **wishes) as running,
    ):
        yield Talk(session=running, model=model, runtime=runtime)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A workspace with one file in it."""
    place = tmp_path / "W"
    place.mkdir()
    (place / "a.txt").write_text("one\n")
    (place / "a.txt").chmod(0o755)
    return place


def tree(place: Path) -> dict[str, str]:
    """Every file and its content; directories with nothing."""
    return {str(p.relative_to(place)): p.read_text() if p.is_file() else "" for p in sorted(place.rglob("*"))}


def edit(path: str, old: str, new: str) -> Call:
    return Call("edit", {"path": path, "old": old, "new": new})


def write(path: str, content: str) -> Call:
    return Call("write", {"path": path, "content": content})


async def test_a_turn_comes_back_as_a_whole(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = tree(work)
    calls = [edit("a.txt", "one", "two"), edit("a.txt", "two", "three"), write("new/deep/b.txt", "b\n")]
    async with talk(work, calls, "Done.") as chat:
        await chat.turn()
        assert tree(work) == {"a.txt": "three\n", "new": "", "new/deep": "", "new/deep/b.txt": "b\n"}
        (work / "a.txt").chmod(0o700)
        said = await chat.undo(capsys)
        again = await chat.undo(capsys)
    assert tree(work) == before
    assert stat.S_IMODE((work / "a.txt").stat().st_mode) == 0o755
    assert said == "turn 1 undone:\n  a.txt has its former content\n  new/deep/b.txt removed\n"
    assert again == "nothing to undo: the tools changed no file in this session\n"


async def test_the_model_takes_back_its_own_changes_and_goes_on(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As a whole, by the rules for each file; what it changes afterwards is a change set of its own."""
    calls = [edit("a.txt", "one", "two"), write("b.txt", "b\n")]
    script = [Call("undo"), calls, Call("undo"), edit("a.txt", "one", "three"), "Done."]
    async with talk(work, *script, "Ok.", [Call("undo")], "Hm.") as chat:
        await chat.turn()
        results = [p for m in chat.session.session.messages for p in m.parts if isinstance(p, ToolResultPart)]
        assert [result.text for result in results if result.name == "undo"] == [
            "nothing to undo: the tools changed no file in this session",
            "turn 1 undone:\n  a.txt has its former content\n  b.txt removed",
        ]
        assert tree(work) == {"a.txt": "three\n"}
        assert await chat.undo(capsys) == "turn 1 undone:\n  a.txt has its former content\n"
        assert tree(work) == {"a.txt": "one\n"}


async def test_what_a_rule_keeps_from_being_written_is_not_taken_back(work: Path) -> None:
    async with talk(work, edit("a.txt", "one", "two"), "Done.") as chat:
        await chat.turn()
        same = chat.session.id
    async with talk(work, Call("undo"), "Hm.", session=same, mode="default", allow=("undo(b.txt)",)) as chat:
        assert (await chat.session.prompt("go")).status == "denied"
        (result,) = [p for m in chat.session.session.messages[-2:] for p in m.parts if isinstance(p, ToolResultPart)]
    assert result.text.startswith("Error: undo was denied (writing a.txt needs permission")
    assert tree(work) == {"a.txt": "two\n"}


PATCH = """\
diff --git a/a.txt b/sub/b.txt
rename from a.txt
rename to sub/b.txt
--- a/a.txt
+++ b/sub/b.txt
@@ -1 +1,2 @@
 one
+more
diff --git a/gone.txt b/gone.txt
deleted file mode 100644
--- a/gone.txt
+++ /dev/null
@@ -1 +0,0 @@
-gone
diff --git a/run.sh b/run.sh
old mode 100644
new mode 100755
diff --git a/new.txt b/new.txt
new file mode 100644
--- /dev/null
+++ b/new.txt
@@ -0,0 +1 @@
+new
"""


async def test_what_a_patch_moved_and_removed_comes_back(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (work / "gone.txt").write_text("gone\n")
    (work / "run.sh").write_text("echo\n")
    (work / "run.sh").chmod(0o644)
    before = tree(work)
    script = [[Call("apply_patch", {"patch": PATCH}), edit("sub/b.txt", "more", "less")], "Done."]
    async with talk(work, *script) as chat:
        await chat.turn()
        assert tree(work) == {"new.txt": "new\n", "run.sh": "echo\n", "sub": "", "sub/b.txt": "one\nless\n"}
        (work / "gone.txt").write_text("mine\n")
        refused = await chat.undo(capsys)
        (work / "gone.txt").unlink()
        said = await chat.undo(capsys)
    assert refused == "error: turn 1 cannot be undone: gone.txt was changed since. Nothing was changed\n"
    assert sorted(said.splitlines()[1:]) == [
        "  a.txt has its former content",
        "  gone.txt has its former content",
        "  new.txt removed",
        "  run.sh has its former content",
        "  sub/b.txt removed",
    ]
    assert tree(work) == before
    modes = [stat.S_IMODE((work / name).stat().st_mode) for name in ("a.txt", "run.sh")]
    assert modes == [0o755, 0o644]


async def test_turns_come_back_one_by_one_and_in_a_later_run(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = [edit("a.txt", "one", "two"), "Done.", edit("a.txt", "two", "three"), "Done."]
    async with talk(work, *script) as chat:
        await chat.turn()
        await chat.turn()
    async with talk(work, session=chat.session.id) as later:
        assert "turn 2 undone" in await later.undo(capsys)
        assert (work / "a.txt").read_text() == "two\n"
        assert "turn 1 undone" in await later.undo(capsys)
    assert (work / "a.txt").read_text() == "one\n"


async def test_a_file_that_changed_since_keeps_everything_as_it_is(
    work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with talk(work, [edit("a.txt", "one", "two"), write("b.txt", "b\n"), write("c.txt", "c\n")], "Done.") as chat:
        await chat.turn()
        (work / "b.txt").write_text("mine\n")
        (work / "c.txt").unlink()
        (work / "a.txt").unlink()
        now = tree(work)
        said = await chat.undo(capsys)
        assert tree(work) == now
        (work / "a.txt").write_text("two\n")
        (work / "b.txt").write_text("b\n")
        mended = await chat.undo(capsys)
    assert said == (
        "error: turn 1 cannot be undone: b.txt was changed since; a.txt was removed since. Nothing was changed\n"
    )
    assert mended == ("turn 1 undone:\n  a.txt has its former content\n  b.txt removed\n  c.txt was so already\n")
    assert tree(work) == {"a.txt": "one\n"}


async def test_a_directory_that_holds_something_else_stays(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with talk(work, write("new/b.txt", "b\n"), "Done.") as chat:
        await chat.turn()
        (work / "new" / "mine").write_text("mine")
        await chat.undo(capsys)
    assert tree(work) == {"a.txt": "one\n", "new": "", "new/mine": "mine"}


async def test_nothing_outside_of_the_workspace_is_touched(
    work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outside = tmp_path / "outside.txt"
    async with talk(work, write(str(outside), "out\n"), "Done.", mode="unsafe") as chat:
        await chat.turn()
        assert outside.read_text() == "out\n"
        said = await chat.undo(capsys)
    assert "outside.txt lies outside the workspace" in said
    assert outside.read_text() == "out\n"


async def test_a_link_put_in_a_files_place_leads_nowhere(
    work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "secret").write_text("two\n")
    async with talk(work, edit("a.txt", "one", "two"), "Done.") as chat:
        await chat.turn()
        (work / "a.txt").unlink()
        (work / "a.txt").symlink_to(tmp_path / "secret")
        said = await chat.undo(capsys)
    assert "a.txt" in said
    assert "Nothing was changed" in said
    assert (tmp_path / "secret").read_text() == "two\n"


async def test_the_model_is_told_what_was_taken_back(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with talk(work, edit("a.txt", "one", "two"), "Done.", "I see.") as chat:
        await chat.turn()
        await chat.undo(capsys)
        await chat.turn()
    first, *_, last = [request.system for request in chat.model.requests]
    assert "took back" not in (first or "")
    assert "The user took back changes of yours; read these files again before you change them:\n- turn 1: a.txt" in (
        last or ""
    )


async def test_it_is_in_the_audit_trail(work: Path, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with talk(work, edit("a.txt", "one", "two"), "Done.") as chat:
        await chat.turn()
        await chat.undo(capsys)
    trail = "".join(file.read_text() for file in sorted(home.rglob("*.jsonl")) if "audit" in str(file))
    lines = [line for line in trail.splitlines() if '"slash:undo"' in line]
    assert [outcome for line in lines for outcome in ("intent", "success") if f'"outcome":"{outcome}"' in line] == [
        "intent",
        "success",
    ]


async def test_what_was_kept_is_private_and_goes_after_a_while(work: Path, home: Path) -> None:
    async with talk(work, edit("a.txt", "one", "two"), "Done.") as chat:
        await chat.turn()
    kept = home / "state" / "plugins" / "files" / "changes"
    old = kept / chat.session.id
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (kept, old)}
    assert (modes, {stat.S_IMODE(path.stat().st_mode) for path in old.iterdir()}) == ({0o700}, {0o600})
    long_ago = time.time() - (KEPT_DAYS + 1) * 86400
    os.utime(old / "changes.jsonl", (long_ago, long_ago))
    async with talk(work, edit("a.txt", "two", "three"), "Done.") as chat:
        await chat.turn()
    assert [path.name for path in kept.iterdir()] == [chat.session.id]


def test_a_change_that_was_refused_is_none(tmp_path: Path, work: Path) -> None:
    (tmp_path / "state").mkdir()
    changes = Changes(tmp_path / "state", "s", work)
    file = work / "a.txt"
    with pytest.raises(Refused):
        changes.replace(1, str(file.resolve()), "a.txt", b"x", None)  # somebody else made it meanwhile
    assert (changes.turns(), changes.undo(), file.read_text()) == ([], None, "one\n")


def test_a_change_that_was_announced_and_never_made_stops_nothing(tmp_path: Path, work: Path) -> None:
    """As a process leaves it that is killed before the second change of a file, while it writes the log."""
    (tmp_path / "state").mkdir()
    changes = Changes(tmp_path / "state", "s", work)
    file = work / "a.txt"
    real, status = str(file.resolve()), file.stat()
    changes.replace(1, real, "a.txt", b"two\n", (b"one\n", status))
    changes.replace(1, real, "a.txt", b"three\n", (b"two\n", file.stat()))
    file.write_text("two\n")
    log = tmp_path / "state" / "changes" / "s" / "changes.jsonl"
    log.write_bytes(log.read_bytes() + b'{"turn": 2, "pa')
    assert changes.undo() == Undone(turn=1, restored=("a.txt",))
    assert (changes.turns(), file.read_text()) == ([], "one\n")


def test_a_former_content_that_is_lost_is_said(tmp_path: Path, work: Path) -> None:
    (tmp_path / "state").mkdir()
    changes = Changes(tmp_path / "state", "s", work)
    file = work / "a.txt"
    changes.replace(1, str(file.resolve()), "a.txt", b"two\n", (b"one\n", file.stat()))
    (kept,) = [path for path in (tmp_path / "state" / "changes" / "s").iterdir() if path.name != "changes.jsonl"]
    kept.write_text("something else\n")
    with pytest.raises(Refused, match=r"the former content of a\.txt is lost"):
        changes.undo()
    assert file.read_text() == "two\n"


async def test_without_a_conversation_it_is_the_same(
    work: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with talk(work, edit("a.txt", "one", "two"), "Done.", "I see.") as chat:
        await chat.turn()
    monkeypatch.chdir(work)
    here = chat.session.id

    async def undo(*words: str) -> tuple[int, str]:
        code = await asyncio.to_thread(lambda: main(["undo", *words]))
        read = capsys.readouterr()
        return code, read.out + read.err

    told = {"session_id": here, "dry_run": True, "turn": 1, "restored": ["a.txt"], "removed": [], "untouched": []}
    code, said = await undo("--json", "--dry-run")
    assert (code, json.loads(said), tree(work)) == (0, told, {"a.txt": "two\n"})
    (work / "a.txt").write_text("mine\n")
    refused = await undo()
    assert refused == (1, "error: turn 1 cannot be undone: a.txt was changed since. Nothing was changed\n")
    (work / "a.txt").write_text("two\n")
    assert await undo(here) == (0, f"session {here}: turn 1 undone:\n  a.txt has its former content\n")
    assert tree(work) == {"a.txt": "one\n"}
    assert await undo() == (0, f"session {here}: nothing to undo: the tools changed no file in this session\n")
    async with talk(work, "I see.", session=here) as later:
        await later.turn()
        assert "The user took back changes of yours" in (later.model.requests[0].system or "")
        code, said = await undo()
        assert (code, "is in use" in said or "locked" in said or "open" in said) == (1, True), said
