"""Attacks on the borders of the workspace: links, races and spellings that would lead outside."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest
from codetether import CodetetherError
from codetether.testing.workbench import Workbench
from codetether_tools_files import beneath

WRITES = [
    ("read", {"path": "{}"}),
    ("write", {"path": "{}", "content": "x"}),
    ("edit", {"path": "{}", "old": "secret", "new": "x"}),
    ("grep", {"pattern": "secret", "path": "{}"}),
]

TRIES = 10_000 if os.environ.get("CODETETHER_PROOF") else 300


def filled(arguments: dict[str, str], path: str) -> dict[str, str]:
    return {name: value.format(path) for name, value in arguments.items()}


@pytest.mark.parametrize("judged", [True, False], ids=["judged", "unjudged"])
@pytest.mark.parametrize(("tool", "arguments"), WRITES, ids=[tool for tool, _ in WRITES])
@pytest.mark.parametrize("path", ["l", "d/secret", "../O/secret", "{O}/secret"])
async def test_F01_S13_links_and_paths_that_lead_outside_are_refused(
    bench: Workbench, outside: Path, tool: str, arguments: dict[str, str], path: str, judged: bool
) -> None:
    (bench.directory / "l").symlink_to(outside / "secret")
    (bench.directory / "d").symlink_to("../O")
    given = filled(arguments, path.replace("{O}", str(outside)))
    if judged:
        result = await bench.call(tool, **given)
    else:
        call, ctx = bench.prepared(tool, **given)
        result = await bench.tools[tool].run(call, ctx)
    assert (result.success, "secret\n" in result.output) == (False, False)
    assert ("outside the workspace" in result.output) is True
    assert (outside / "secret").read_text() == "secret\n"


async def test_F01_a_link_inside_is_followed_and_stays_a_link(bench: Workbench) -> None:
    (bench.directory / "real").write_text("old\n")
    (bench.directory / "l").symlink_to("real")
    result = await bench.call("edit", path="l", old="old", new="new")
    assert (result.success, (bench.directory / "real").read_text()) == (True, "new\n")
    assert (bench.directory / "l").is_symlink()


async def test_a_path_outside_that_the_user_allows_is_opened(bench: Workbench, outside: Path) -> None:
    bench.permissions = {"allow": [f"read({outside}/*)"]}
    (bench.directory / "l").symlink_to(outside / "secret")
    outputs = [(await bench.call("read", path=path)).output for path in (f"{outside}/secret", "l")]
    allowed = "1 line\n     1\tsecret"
    assert outputs == [f"{outside}/secret: {allowed}", "Error: read was denied (outside the workspace: read asks)"]


@pytest.mark.parametrize("links", ["absolute", "relative"])
@pytest.mark.parametrize("way", ["in one call", "by a walk"])
async def test_F02_a_link_swapped_in_while_editing_leads_nowhere(
    bench: Workbench, outside: Path, monkeypatch: pytest.MonkeyPatch, links: str, way: str
) -> None:
    if way == "by a walk":
        monkeypatch.setattr(beneath, "available", lambda: False)
    elif not beneath.available():
        pytest.skip("this system has no openat2")
    file, folder = (outside / "secret", outside) if links == "absolute" else (Path("../O/secret"), Path("../O"))
    target, link, inside = bench.directory / "x", bench.directory / "link", bench.directory / "plain"
    victim = outside / "secret"
    directory, aside = bench.directory / "sub", bench.directory / "aside"
    directory.mkdir()
    target.write_text("secret\n")
    (directory / "secret").write_text("secret\n")
    stop = threading.Event()

    def flip() -> None:
        while not stop.is_set():
            link.symlink_to(file)
            link.replace(target)
            inside.write_text("secret\n")
            inside.replace(target)
            directory.rename(aside)
            with suppress(FileExistsError):  # an edit may have made the folder anew meanwhile
                directory.symlink_to(folder)
                directory.unlink()
            while aside.exists():
                shutil.rmtree(directory, ignore_errors=True)
                with suppress(OSError):
                    aside.rename(directory)

    flipping = threading.Thread(target=flip)
    flipping.start()
    decided: Counter[str] = Counter()
    try:
        for number in range(TRIES):
            path = "x" if number % 2 else "sub/secret"
            call, ctx = bench.prepared("edit", path=path, old="secret", new="hacked")
            try:
                resources = bench.tools["edit"].resources(call, ctx)
            except CodetetherError:
                continue
            verdict = bench.decide(call, resources).verdict
            decided[verdict] += 1
            if verdict == "allow":
                await bench.tools["edit"].run(call, ctx)
    finally:
        stop.set()
        flipping.join()
    assert (victim.read_text(), os.listdir(outside)) == ("secret\n", ["secret"])  # noqa: PTH208
    assert min(decided["allow"], decided["ask"]) > TRIES / 40


@pytest.mark.parametrize("path", ["a\0b", "a\nb", "\x1b[31mred"])
async def test_F06_control_characters_make_nothing_or_a_plain_name(bench: Workbench, path: str) -> None:
    result = await bench.call("write", path=path, content="x")
    names = os.listdir(bench.directory)  # noqa: PTH208
    if "\0" in path:
        assert (result.success, result.output, names) == (False, "Error: not a path: 'a\\x00b'", [])
    else:
        assert (result.success, names) == (True, [path])
        assert path not in result.output


@pytest.mark.parametrize("path", ["~/.ssh/x", "$HOME/x", "~root/x"])
async def test_F07_home_is_not_expanded(
    bench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "O"))
    bench.mode = "unsafe"
    bench.permissions = {}
    result = await bench.call("write", path=path.replace(".ssh", "ssh"), content="x")
    assert (result.success, os.listdir(tmp_path / "O")) == (True, ["secret"])  # noqa: PTH208
    assert (bench.directory / path.replace(".ssh", "ssh")).read_text() == "x"


@pytest.mark.parametrize("path", ["%2e%2e%2fx", "..%5cx", "....//x"])
async def test_F08_percent_signs_are_plain_names(bench: Workbench, tmp_path: Path, path: str) -> None:
    assert (await bench.call("write", path=path, content="x")).success
    assert (bench.directory / path).read_text() == "x"
    assert sorted(os.listdir(tmp_path)) == ["O", "W"]  # noqa: PTH208


@pytest.mark.parametrize(
    "path",
    [
        ".git/hooks/pre-commit",
        ".git/config",
        ".gitmodules",
        ".vscode/tasks.json",
        ".envrc",
        ".github/workflows/x.yml",
        ".Git/hooks/x",
        ".codetether/config.toml",
    ],
)
async def test_F10_files_that_run_later_are_not_written_unasked(bench: Workbench, path: str) -> None:
    result = await bench.call("write", path=path, content="x")
    assert (result.success, os.listdir(bench.directory)) == (False, [])  # noqa: PTH208


async def test_F17_there_is_no_working_directory_to_choose(bench: Workbench) -> None:
    with pytest.raises(ValueError, match="cwd"):
        await bench.call("list", cwd="/")


CHANGING = """
import os, sys
from codetether_tools_files.replacing import content_of, replace
real = sys.argv[1]
print("ready", flush=True)
while True:
    for letter in b"ab":
        data, status = content_of(real, real)
        replace(real, real, bytes([letter]) * 2_000_000, status)
"""


@pytest.mark.parametrize("delay", [0.001, 0.003, 0.007, 0.015, 0.031])
def test_F18_a_kill_in_the_middle_leaves_the_old_or_the_new(tmp_path: Path, delay: float) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"a" * 2_000_000)
    file.chmod(0o640)
    with subprocess.Popen([sys.executable, "-c", CHANGING, str(file)], stdout=subprocess.PIPE) as changing:
        assert changing.stdout is not None
        changing.stdout.readline()
        time.sleep(delay)
        changing.kill()
    assert file.read_bytes() in (b"a" * 2_000_000, b"b" * 2_000_000)
    visible = [name for name in os.listdir(tmp_path) if not name.startswith(".")]  # noqa: PTH208
    assert (stat.S_IMODE(file.stat().st_mode), visible) == (0o640, ["f"])
