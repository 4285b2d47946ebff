"""What people say, and the call of bash that answers it."""

from __future__ import annotations

from codetether import JSON, ToolExample

EXAMPLES: dict[str, tuple[tuple[str, dict[str, JSON]], ...]] = {
    "bash": (
        ("run the tests", {"command": "pytest -q"}),
        ("run the test suite", {"command": "pytest -q"}),
        ("do all tests pass?", {"command": "pytest -q"}),
        ("execute pytest", {"command": "pytest -q"}),
        ("run the tests in tests/test_app.py", {"command": "pytest -q tests/test_app.py"}),
        ("git status", {"command": "git status"}),
        ("what is the status of the repository?", {"command": "git status"}),
        ("is anything uncommitted?", {"command": "git status"}),
        ("are there changes since the last commit?", {"command": "git status"}),
        ("have I modified any files?", {"command": "git status"}),
        ("which git branch is this?", {"command": "git status"}),
        ("what is the current branch", {"command": "git status"}),
        ("on which branch are we", {"command": "git status"}),
        ("list the branches", {"command": "git branch --all"}),
        ("show the git log", {"command": "git log -n 10 --date=iso"}),
        ("show the commit history", {"command": "git log -n 10 --date=iso"}),
        ("what are the latest commits?", {"command": "git log -n 10 --date=iso"}),
        ("when was the last commit?", {"command": "git log -n 1 --date=iso"}),
        ("who wrote the last commit", {"command": "git log -n 1 --date=iso"}),
        ("what is the message of the latest commit?", {"command": "git log -n 1 --date=iso"}),
        ("show the git diff", {"command": "git diff"}),
        ("what did I change?", {"command": "git diff"}),
        ("which python version do I have?", {"command": "python3 --version"}),
        ("what version of python is installed", {"command": "python3 --version"}),
        ("what version of node is installed", {"command": "node --version"}),
        ("run lib/app.py", {"command": "python3 lib/app.py"}),
        ("what day is it?", {"command": "date"}),
        ("what time is it", {"command": "date"}),
        ("who am I logged in as?", {"command": "whoami"}),
        ("how much disk space is free?", {"command": "df -h ."}),
        ("pytest", {"command": "pytest -q"}),
        ("test it", {"command": "pytest -q"}),
        ("are the tests green?", {"command": "pytest -q"}),
        ("check that everything still works", {"command": "pytest -q"}),
        ("how many tests fail?", {"command": "pytest -q"}),
        ("is the working tree clean?", {"command": "git status"}),
        ("git branch", {"command": "git status"}),
        ("is there anything to commit?", {"command": "git status"}),
        ("what is the name of the branch we are on", {"command": "git status"}),
        ("git log", {"command": "git log -n 10 --date=iso"}),
        ("what happened in the last commits?", {"command": "git log -n 10 --date=iso"}),
        ("git diff", {"command": "git diff"}),
        ("python --version", {"command": "python3 --version"}),
        ("which interpreter is used here", {"command": "python3 --version"}),
        ("what is the date today?", {"command": "date"}),
        ("what user is this", {"command": "whoami"}),
    ),
}


def examples(tool: str) -> tuple[ToolExample, ...]:
    """The examples of one tool."""
    return tuple(ToolExample(prompt=prompt, arguments=arguments) for prompt, arguments in EXAMPLES[tool])
