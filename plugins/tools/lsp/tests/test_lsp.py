"""A session with a real language server beside it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from codetether import UsageError
from codetether.testing.scripted import Call
from codetether.testing.sessions import heard, opened, results

MAIN = "from shapes import area\n\nprint(area(2, 3), 'grün', area(1, 1))\n"
SHAPES = "def area(width, height):\n    return width * height\n"
PYLSP = {"command": [sys.executable, "-m", "pylsp"], "suffixes": [".py"]}


def settings(**own: Any) -> dict[str, Any]:
    return {"plugins": {"lsp": {"servers": {"own": PYLSP}, "wait": 20, **own}}}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "main.py").write_text(MAIN)
    (tmp_path / "shapes.py").write_text(SHAPES)
    return tmp_path


async def test_the_code_is_asked_about_edited_and_renamed(project: Path) -> None:
    def ask(operation: str, **place: Any) -> Call:
        return Call("lsp", {"operation": operation, "path": "main.py", **place})

    mistake = {"path": "shapes.py", "old": "width * height", "new": "width * hight"}
    there = {"path": "main.py", "line": 3, "symbol": "area"}
    script = [
        ask("definition", line=3, symbol="area"),
        ask("references", line=3, symbol="area"),
        ask("hover", line=3, symbol="area"),
        ask("symbols"),
        ask("definition", line=2, symbol="area"),
        Call("read", {"path": "shapes.py"}),
        Call("edit", mistake),
        Call("edit", {**mistake, "old": "hight", "new": "height"}),
        Call("lsp_rename", {**there, "new_name": "surface"}),
        Call("lsp", {"operation": "diagnostics", "path": "shapes.py"}),
        Call("lsp_rename", {**there, "symbol": "surface", "new_name": "no name"}),
        Call("undo", {}),
    ]
    async with opened(*([call] for call in script), "ok", directory=project, settings=settings(), mode="edit") as (
        session,
        _,
    ):
        await heard(session)
        said = results(session)
    definition, references, hover, symbols, astray, _, wrong, right, renamed, none, odd, undone = (
        text for _, _, text in said
    )
    assert [success for _, success, _ in said] == [True] * 4 + [False] + [True] * 7
    assert definition == "shapes.py:1:5"
    assert references == "main.py:1:20\nmain.py:3:7\nmain.py:3:27\nshapes.py:1:5"
    assert "area(width, height)" in hover
    assert "area" in symbols
    assert astray == "Error: line 2 does not hold 'area'; it is in line 1, 3"
    assert wrong.endswith("own finds problems in shapes.py:\nshapes.py:2:20: error: undefined name 'hight'")
    assert "finds problems" not in right
    assert (project / "main.py").read_text() == MAIN
    assert (project / "shapes.py").read_text() == SHAPES
    assert renamed == "patch applied to 2 files:\n  main.py updated\n  shapes.py updated"
    assert none == "no problems found"
    assert odd.count("own finds problems in main.py:") == 1
    assert undone.startswith("turn 1 undone:")


async def test_without_a_server_for_it_nothing_is_offered(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{project}:.")
    (project / "pylsp").write_text("#!/bin/sh\ntouch ran\n")
    (project / "pylsp").chmod(0o755)
    script = [Call("lsp", {"operation": "diagnostics", "path": "main.py"})]
    nowhere = {"own": {"command": [str(project / "pylsp")], "suffixes": [".py"]}}
    async with opened(script, "ok", directory=project, settings=settings(servers=nowhere)) as (session, _):
        await heard(session)
        offered = [text for _, _, text in results(session)]
    assert offered == ["Error: Unknown tool 'lsp'"]
    assert not (project / "ran").exists()


@pytest.mark.parametrize(
    "program",
    ["import sys; sys.exit(3)", "print('hello ' * 1000)", "print('Content-Length: 5\\r\\n\\r\\nab}', end='')"],
)
async def test_a_server_that_talks_nonsense_or_dies_costs_the_edit_nothing(project: Path, program: str) -> None:
    edit = Call("write", {"path": "new.py", "content": "x = 1\n"})
    given = settings(servers={"own": {"command": [sys.executable, "-c", program], "suffixes": [".py"]}})
    told: list[str] = []
    async with opened([edit], "ok", directory=project, settings=given, mode="edit", notices=told) as (session, _):
        await heard(session)
        assert [success for _, success, _ in results(session)] == [True]
    assert [notice for notice in told if "the language server own could not be started: " in notice]


def test_edits_are_laid_over_the_text_in_the_units_of_the_server() -> None:
    from codetether_tools_lsp.documents import edited
    from lsprotocol.types import Position, Range, TextEdit
    from pygls.workspace import PositionCodec

    def edit(line: int, start: int, stop: int, text: str) -> TextEdit:
        return TextEdit(
            range=Range(Position(line=line, character=start), Position(line=line, character=stop)), new_text=text
        )

    text = "a😀b\r\nc\u2028d"
    assert edited(text, [edit(1, 2, 3, "D"), edit(0, 3, 4, "B")], PositionCodec("utf-16")) == "a😀B\r\nc\u2028D"
    assert edited(text, [edit(0, 2, 3, "B"), edit(1, 3, 3, "!\n")], PositionCodec("utf-32")) == "a😀B\r\nc\u2028d!\n"
    with pytest.raises(UsageError, match="overlap"):
        edited(text, [edit(0, 0, 3, ""), edit(0, 1, 4, "")], PositionCodec("utf-16"))
