"""Stories about protected paths: what is shut, what is put back, and that nothing is lost on the way."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from codetether_executor_sandbox.guard import Fences, Seals, Watch, fences

PROTECTED = (".codetether", ".git/hooks", ".git/config", ".envrc")


def tree(place: Path) -> dict[str, str]:
    """All that is there, with its content."""
    return {
        str(path.relative_to(place)): str(path.readlink()) if path.is_symlink() else path.read_text()
        for path in sorted(place.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


def test_what_is_there_is_shut_and_the_rest_is_watched(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "config").write_text("")
    (tmp_path / ".envrc").symlink_to("elsewhere")
    assert fences(tmp_path, PROTECTED) == Fences(
        pinned=(tmp_path / ".git",),
        shut=(tmp_path / ".git" / "config",),
        watched=(tmp_path / ".codetether", tmp_path / ".git" / "hooks", tmp_path / ".envrc"),
    )


def test_the_file_of_a_worktree_is_shut(tmp_path: Path) -> None:
    (tmp_path / ".git").write_text("gitdir: ../elsewhere\n")
    assert tmp_path / ".git" in fences(tmp_path, PROTECTED).shut


def test_seals_stand_in_for_what_is_missing_and_leave_nothing(tmp_path: Path) -> None:
    with Seals(workspace=tmp_path, protected=PROTECTED) as sealed:
        assert sealed == (tmp_path / ".codetether", tmp_path / ".git")
        with Seals(workspace=tmp_path, protected=PROTECTED) as others:
            assert others == sealed
        assert sorted(p.name for p in tmp_path.iterdir()) == [".codetether", ".git"], (
            "another command's end takes no seal away"
        )
    assert list(tmp_path.iterdir()) == []


def test_a_seal_that_was_filled_meanwhile_stays(tmp_path: Path) -> None:
    with Seals(workspace=tmp_path, protected=PROTECTED):
        (tmp_path / ".git" / "HEAD").write_text("made by the user, outside")
    assert tree(tmp_path) == {".git/HEAD": "made by the user, outside"}


def test_all_that_changed_is_put_back_and_kept_aside(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("aside")))
    for name, text in ((".git/config", "mine"), (".git/hooks/a", "mine"), (".codetether/x/y", "mine")):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (tmp_path / ".envrc").symlink_to("target")
    before = tree(tmp_path)
    with Watch(workspace=tmp_path, paths=[tmp_path / each for each in PROTECTED]) as watch:
        (tmp_path / ".git" / "config").write_text("theirs")
        (tmp_path / ".git" / "hooks" / "b").write_text("theirs")
        (tmp_path / ".git" / "hooks" / "a").unlink()
        (tmp_path / ".codetether" / "x" / "y").unlink()
        (tmp_path / ".codetether" / "x").rmdir()
        (tmp_path / ".codetether" / "x").symlink_to(tmp_path.parent)
        (tmp_path / ".envrc").unlink()
        (tmp_path / ".envrc").write_text("theirs")
        (tmp_path / "other").write_text("fine")
    assert tree(tmp_path) == {**before, "other": "fine"}
    (note,) = watch.notes
    aside = Path(note.partition("is in ")[2])
    assert {p.name: p.read_text() for p in aside.iterdir() if not p.is_symlink()} == {
        ".git__config": "theirs",
        ".git__hooks__b": "theirs",
        ".envrc": "theirs",
    }


def test_what_appeared_is_taken_away_once_as_a_whole(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("aside")))
    with Watch(workspace=tmp_path, paths=[tmp_path / ".vscode"]) as watch:
        (tmp_path / ".vscode").mkdir()
        (tmp_path / ".vscode" / "tasks.json").write_text("x")
    assert (watch.undone, list(tmp_path.iterdir())) == ([".vscode"], [])


def test_what_did_not_change_is_not_mentioned(tmp_path: Path) -> None:
    (tmp_path / ".envrc").write_text("mine")
    with Watch(workspace=tmp_path, paths=[tmp_path / ".envrc", tmp_path / ".vscode"]) as watch:
        pass
    assert (watch.notes, tree(tmp_path)) == ([], {".envrc": "mine"})
