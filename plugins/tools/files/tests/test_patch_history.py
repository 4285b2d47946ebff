"""Stories about real diffs: those between consecutive commits of this project, applied and compared byte for byte."""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from codetether.testing.workbench import workbench
from codetether_tools_files import plugin

ROOT = Path(__file__).parents[4]
TRIED = 12
"""Commits, evenly spread over the history."""


def git(*words: str) -> bytes:
    return subprocess.run(["git", "-C", str(ROOT), *words], check=True, capture_output=True).stdout


def commits() -> list[str]:
    """Commits with one parent, and what each changed small enough to be read."""
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        return []
    lines = git("log", "--no-merges", "--min-parents=1", "--format=%H", "-n", "600").decode().split()
    return lines[:: max(1, len(lines) // TRIED)][:TRIED]


def linked(commit: str) -> set[str]:
    """What the commit touches that is no plain file: links and submodules, which no patch of ours makes."""
    raw = git("diff", "--raw", "--no-renames", "-z", f"{commit}^", commit).decode().split("\0")
    pairs = zip(raw[::2], raw[1::2], strict=False)  # `:100644 120000 …`, path
    return {path for told, path in pairs if {"120000", "160000"}.intersection(told.lstrip(":").split())}


def files(commit: str, paths: list[str]) -> dict[str, tuple[bytes, bool]]:
    """The files at a commit, each with its content and whether it is a program."""
    there = set(git("ls-tree", "-r", "-z", "--name-only", commit).decode().split("\0"))
    wanted = [path for path in paths if path in there]
    if not wanted:
        return {}
    with tarfile.open(fileobj=io.BytesIO(git("archive", "--format=tar", commit, "--", *wanted))) as tar:
        members = [member for member in tar.getmembers() if member.isfile()]
        return {m.name: (tar.extractfile(m).read(), bool(m.mode & 0o100)) for m in members}  # type: ignore[union-attr]


@pytest.mark.parametrize("commit", commits() or [""])
async def test_what_git_says_of_a_commit_makes_the_commit(commit: str, tmp_path: Path) -> None:
    if not commit:
        pytest.skip("not in a checkout with its history")
    names = git("diff", "--numstat", "--no-renames", "-z", f"{commit}^", commit).decode().split("\0")
    links = linked(commit)
    paths = [
        path for name in names if name and not name.startswith("-\t") and (path := name.split("\t")[2]) not in links
    ]
    before, after = files(f"{commit}^", paths), files(commit, paths)
    place = tmp_path / "W"
    place.mkdir()
    for path, (data, program) in before.items():
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        (place / path).write_bytes(data)
        (place / path).chmod(0o755 if program else 0o644)
    patch = git("diff", "-M", "-C", "--no-ext-diff", f"{commit}^", commit, "--", *paths).decode("utf-8")
    bench = await workbench(place, plugin, permissions={"allow": ["apply_patch"]}, mode="unsafe")
    call, ctx = bench.prepared("apply_patch", patch=patch)
    bench.tools["apply_patch"].resources(call, ctx)
    result = await bench.tools["apply_patch"].run(call, ctx)
    assert result.success, result.output
    found = {
        str(p.relative_to(place)): (p.read_bytes(), bool(p.stat().st_mode & 0o100))
        for p in place.rglob("*")
        if p.is_file()
    }
    assert found == after
    assert "fits at line" not in result.output
