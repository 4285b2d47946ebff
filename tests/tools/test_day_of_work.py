"""A day of work on a real small repository: find, read, edit, test, fix, commit nothing, and take it back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from codetether import CompletionRequest, Runtime, ToolResultPart
from codetether.testing.scripted import Call, ScriptedProvider

PRICES = '''\
"""What a basket costs."""

VAT = 0.19


def total(prices, discount=0):
    """The sum with VAT, less a discount in percent."""
    net = sum(prices)
    return round(net * (1 + VAT) - discount, 2)
'''
TEST = """\
import unittest

from shop.prices import total


class Totals(unittest.TestCase):
    def test_vat(self):
        self.assertEqual(total([10, 20]), 35.7)

    def test_discount(self):
        self.assertEqual(total([100], discount=10), 107.1)


if __name__ == "__main__":
    unittest.main()
"""
TESTS = f"{sys.executable} -m unittest -q tests.test_prices"
WRONG = {"path": "shop/prices.py", "old": "(1 + VAT) - discount", "new": "(1 + VAT) * discount / 100"}
RIGHT = {"path": "shop/prices.py", "old": "* discount / 100", "new": "* (100 - discount) / 100"}


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one commit, of which one test fails."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    place = tmp_path / "shop"
    for name, text in {
        ".gitignore": "__pycache__/\n",
        "README.md": "# Shop\n\nTests: python -m unittest\n",
        "shop/__init__.py": "",
        "shop/prices.py": PRICES,
        "tests/__init__.py": "",
        "tests/test_prices.py": TEST,
        ".agents/skills/release/SKILL.md": "---\nname: release\ndescription: How to release.\n---\nTag it.\n",
    }.items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", "-C", str(place)]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", "-A"], check=True)
    subprocess.run([*git, "commit", "-qm", "A shop"], check=True)
    return place


def results(request: CompletionRequest) -> list[ToolResultPart]:
    """The results that the model has seen since its last answer."""
    found: list[ToolResultPart] = []
    for message in reversed(request.messages):
        if message.role != "tool":
            break
        found = [*(part for part in message.parts if isinstance(part, ToolResultPart)), *found]
    return found


def after(*seen: str, then: Any) -> Callable[[CompletionRequest], Any]:
    """The next step of a model that reads: what it saw must hold these words, one for each result."""

    def step(request: CompletionRequest) -> Any:
        texts = [part.text for part in results(request)]
        missing = [word for word, text in zip(seen, texts, strict=True) if word not in text]
        assert not missing, (missing, texts)
        return then

    return step


def todo(*states: str) -> Call:
    contents = ("find the fault", "mend it", "see the tests pass")
    return Call("todo_write", {"todos": [{"content": c, "status": s} for c, s in zip(contents, states, strict=True)]})


async def test_find_read_edit_test_fix_and_undo(repo: Path) -> None:
    script: list[Any] = [
        [
            todo("in_progress", "pending", "pending"),
            Call("grep", {"pattern": "def total"}),
            Call("glob", {"pattern": "**/test_*.py"}),
        ],
        after(
            "[>] find the fault",
            "shop/prices.py:6",
            "tests/test_prices.py",
            then=Call(
                "batch",
                {
                    "calls": [
                        {"tool": "read", "arguments": {"path": "shop/prices.py"}},
                        {"tool": "read", "arguments": {"path": "tests/test_prices.py"}},
                        {"tool": "bash", "arguments": {"command": "git log --oneline"}},
                    ]
                },
            ),
        ),
        after("A shop", then=Call("bash", {"command": TESTS})),
        after("FAILED (failures=1)", then=[Call("edit", WRONG), Call("bash", {"command": TESTS})]),
        after(
            "1 replacement at line 9",
            "FAILED (failures=2)",
            then=[Call("edit", RIGHT), Call("bash", {"command": TESTS})],
        ),
        after(
            "1 replacement at line 9",
            "OK",
            then=[
                todo("completed", "completed", "completed"),
                Call("bash", {"command": "git diff --stat"}),
                Call("task", {"prompt": "Who calls total?", "agent": "explore"}),
            ],
        ),
        Call("grep", {"pattern": r"total\("}),
        after("tests/test_prices.py:8", then="tests/test_prices.py:8 and :11 call it."),
        after(
            "3 of 3 done",
            "shop/prices.py | 2 +-",
            "tests/test_prices.py:8",
            then="The discount was taken off as money, not as a percentage: mended in shop/prices.py:9.",
        ),
        # The next morning: changes that nobody wants, by the agent and by a subagent of it.
        [
            Call("write", {"path": "NOTES.md", "content": "later\n"}),
            Call("task", {"prompt": "Raise the VAT to 20 percent.", "agent": "build"}),
        ],
        Call("edit", {"path": "shop/prices.py", "old": "VAT = 0.19", "new": "VAT = 0.2"}),
        after("1 replacement", then="raised"),
        "Raised the VAT.",
    ]
    provider = ScriptedProvider(*script)
    fixed = PRICES.replace("(1 + VAT) - discount", "(1 + VAT) * (100 - discount) / 100")
    settings = {"plugins": {"only": ["files", "shell", "work"]}, "permissions": {"allow": [f"bash({TESTS})"]}}
    async with Runtime.open(settings, plugins=[provider], directory=repo, strict=True) as runtime:
        async with runtime.session(model="scripted", mode="edit") as session:
            result = await session.prompt("The discount is wrong. Mend it.")
            assert not result.error, result.error
            assert (result.status, result.steps, result.text.partition(":")[0]) == (
                "done",
                7,
                "The discount was taken off as money, not as a percentage",
            )
            assert (repo / "shop" / "prices.py").read_text() == fixed
            kept = session.id
        assert '- release: "How to release."' in provider.requests[0].system
        async with runtime.session(kept, mode="edit") as session:
            assert (await session.prompt("And raise the VAT.")).status == "done"
            assert "VAT = 0.2\n" in (repo / "shop" / "prices.py").read_text()
            told = [message.role for message in session.session.messages]
    assert told.count("user") == 2
    assert undo(repo, kept)["turn"] == 2
    assert ((repo / "shop" / "prices.py").read_text(), (repo / "NOTES.md").exists()) == (fixed, False)
    assert undo(repo, kept)["restored"] == ["shop/prices.py"]
    assert status(repo) == ""


def status(repo: Path) -> str:
    """What git says has changed."""
    done = subprocess.run(["git", "-C", str(repo), "status", "--short"], capture_output=True, text=True, check=True)
    return done.stdout


def undo(repo: Path, session_id: str) -> dict[str, Any]:
    """What `codetether undo` of that session tells."""
    command = [sys.executable, "-P", "-m", "codetether", "undo", session_id, "--json"]
    environment = {**os.environ, "CODETETHER_PLUGINS": "files,shell,work"}
    done = subprocess.run(command, cwd=repo, env=environment, capture_output=True, check=True)
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@pytest.mark.skipif("CODETETHER_PROOF" not in os.environ, reason="a day with the embedded model: CODETETHER_PROOF=1")
@pytest.mark.parametrize(
    ("prompt", "shown"),
    [
        ("list the files here", "README.md"),
        ("show me the contents of README.md", "Tests: python -m unittest"),
        ("how many lines are in shop/prices.py?", "9"),
        ("git log", "A shop"),
        ("git status", "On branch"),
    ],
)
async def test_a_day_with_the_embedded_model(repo: Path, prompt: str, shown: str) -> None:
    """What the tiny model can do: it looks, and shows what is there. It changes nothing by itself."""
    from codetether import ModelNotFound, NoProviderAvailable, ToolCallComplete

    settings: dict[str, Any] = {"plugins": {"only": ["files", "shell", "work", "local"]}}
    try:
        async with (
            Runtime.open(settings, directory=repo, on_notice=lambda *_: None) as runtime,
            runtime.session(model="local") as session,
        ):
            events = [event async for event in session.stream(prompt)]
    except (ModelNotFound, NoProviderAvailable) as error:
        pytest.skip(f"no embedded model: {error.message}")
    outputs = [event.output for event in events if isinstance(event, ToolCallComplete)]
    assert any(shown in output for output in outputs), outputs
    assert status(repo) == ""
