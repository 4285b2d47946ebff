"""Stories about what a command sees: programs and the workspace, and of home nothing that is nobody's business."""

from __future__ import annotations

from pathlib import Path

import pytest
from codetether_executor_sandbox.environment import program_file, search_path
from codetether_executor_sandbox.layout import Layout, plan


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home directory with programs, projects and secrets."""
    names = (
        ".cargo/bin/cargo",
        ".cargo/credentials.toml",
        ".pyenv/shims/python",
        ".local/bin/tool",
        ".local/share/keyrings/login",
        ".ssh/id_rsa",
        ".config/codetether/config.toml",
        "bin/mine",
        "work/main/a.py",
        "work/main/sub/b.py",
        "work/main/.git/HEAD",
        "work/other/secret",
        "venv/bin/python",
    )
    for name in names:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("")
    (tmp_path / "venv" / "pyvenv.cfg").write_text(f"home = {tmp_path}/base/bin\n")
    (tmp_path / "base" / "bin").mkdir(parents=True)
    return tmp_path


def planned(home: Path, workspace: str = "work/main", path: tuple[str, ...] = (), **how: object) -> Layout:
    """The layout for a directory below home."""
    return plan(home / workspace, home=home, path=[str(home / p) for p in path], **how)  # type: ignore[arg-type]


def at_home(layout: Layout, home: Path) -> set[str]:
    """What is readable below home."""
    return {str(Path(tree).relative_to(home)) for tree in layout.readable if Path(tree).is_relative_to(home)}


def test_programs_are_seen_with_what_belongs_to_them_and_nothing_else(home: Path) -> None:
    layout = planned(home, path=("bin", ".pyenv/shims", ".local/bin", "venv/bin"))
    assert at_home(layout, home) == {".cargo", ".pyenv", ".local/bin", "bin", "venv", "base"}
    assert [Path(h).relative_to(home) for h in layout.hidden] == [Path(".cargo/credentials.toml")]
    seen = {name: layout.sees(home / name) for name in ("work/main", "work/other", ".ssh", ".", "bin", ".config")}
    assert seen == {"work/main": True, "work/other": False, ".ssh": False, ".": False, "bin": True, ".config": False}


def test_a_part_of_a_repository_sees_the_whole(home: Path) -> None:
    assert "work/main" in at_home(planned(home, "work/main/sub"), home)


def test_where_home_is_the_workspace_its_secrets_are_hidden(home: Path) -> None:
    layout = planned(home, ".", own=[home / ".config" / "codetether"])
    hidden = {str(Path(h).relative_to(home)) for h in layout.hidden}
    assert {".ssh", ".cargo/credentials.toml", ".config/codetether", ".local/share/keyrings"} <= hidden
    assert not layout.home_is_private


def test_what_may_be_read_is_read_without_its_secrets(home: Path) -> None:
    layout = planned(home, readable=[str(home)])
    assert str(home / ".ssh") in layout.hidden


def test_programs_are_looked_for_in_absolute_places_outside_the_workspace(home: Path) -> None:
    workspace = home / "work" / "main"
    assert search_path(f".::{workspace}:/usr/bin:bin:{workspace}/.venv/bin", workspace) == (
        "/usr/bin",
        f"{workspace}/.venv/bin",
    )
    (workspace / "tool").write_text("")
    (workspace / "tool").chmod(0o755)
    (home / "link").symlink_to(workspace)
    assert program_file("tool", f"{workspace}:{home}/link:{home}/bin", workspace) is None
    (home / "bin" / "mine").chmod(0o755)
    assert program_file("mine", f"{workspace}:{home}/bin", workspace) == f"{home}/bin/mine"


def test_a_worktree_sees_its_repository_if_that_knows_it(home: Path) -> None:
    repository, workspace = home / "work" / "main" / ".git", home / "tree"
    own = repository / "worktrees" / "tree"
    own.mkdir(parents=True)
    workspace.mkdir()
    (workspace / ".git").write_text(f"gitdir: {own}\n")
    (own / "commondir").write_text("../..\n")
    (own / "gitdir").write_text(f"{home}/another/.git\n")
    assert "work/main/.git" not in at_home(planned(home, "tree"), home)
    (own / "gitdir").write_text(f"{workspace}/.git\n")
    assert "work/main/.git" in at_home(planned(home, "tree"), home)
