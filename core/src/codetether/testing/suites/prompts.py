"""What prompt sections, tool filters and commands of a conversation keep."""

from __future__ import annotations

import asyncio
from typing import Any

from codetether.models.tools import ToolDefinition
from codetether.testing.promises import BrokenPromise, Promise, promises, require, within
from codetether.testing.traces import changed, snapshot
from codetether.testing.trial import CANARY, Trial

LONGEST = 256 * 1024
"""Characters of one section."""
TYPED = 10.0
"""Seconds that a command of a conversation may take with what it cannot make sense of."""


async def rendered(section: Any) -> str:
    """Its text, in ten seconds; empty where it gives None."""
    try:
        text = await within(10, section.render())
    except Exception as error:
        raise BrokenPromise(f"render() raised {type(error).__name__}: {str(error)[:200]}") from error
    require(text is None or isinstance(text, str), f"render() gave {type(text).__name__}, neither text nor None")
    return text or ""


def odd_workspace(trial: Trial) -> None:
    """A workspace with files that are not what their names say."""
    for name in ("AGENTS.md", "README.md", "pyproject.toml", "package.json", ".gitignore"):
        (trial.directory / name).write_bytes(b"\xff\xfe\0 { \xe6\x97\n" * 1000)
    (trial.directory / ".git").mkdir()
    (trial.directory / ".git" / "HEAD").write_bytes(b"ref: refs/heads/\xe9\0\n")


async def its_text_is_stable(trial: Trial) -> None:
    """Rendered twice, a section is the same: a prompt that changes costs the cache of everything after it."""
    section = await trial.make()
    first, second = await rendered(section), await rendered(section)
    require(first == second, f"rendered twice, it differs: {first[:80]!r} and {second[:80]!r}")


async def its_text_is_of_moderate_length(trial: Trial) -> None:
    """A section has at most 256 KiB, whatever lies in the workspace."""
    (trial.directory / "AGENTS.md").write_text("word " * 200_000)
    (trial.directory / "README.md").write_text("word " * 200_000)
    for number in range(300):
        (trial.directory / f"{number:0100}.txt").touch()
    size = len(await rendered(await trial.make()))
    require(size <= LONGEST, f"it has {size} characters in a large workspace; at most {LONGEST}")


async def an_odd_workspace_is_no_trouble(trial: Trial) -> None:
    """Files that are no text, or not what their names say, raise nothing."""
    odd_workspace(trial)
    await rendered(await trial.make())


async def rendering_changes_nothing(trial: Trial) -> None:
    """Rendering leaves the workspace as it is."""
    section = await trial.make()
    before = snapshot(trial.directory)
    await rendered(section)
    touched = changed(before, snapshot(trial.directory))
    require(not touched, f"rendering changed {', '.join(touched)}")


async def no_key_is_in_it(trial: Trial) -> None:
    """A section holds no key from the environment."""
    require(CANARY not in await rendered(await trial.make()), "it holds an API key from the environment")


def definitions() -> list[ToolDefinition]:
    """Tools as they come, and odd ones."""
    effects: Any = ((), ("read",), ("read", "write"), ("read", "write", "execute", "network"), ("telepathy",))
    schema = {"type": "object", "properties": {"x": {}}}
    made = [ToolDefinition(name=f"tool_{n}", description="", schema=schema, effects=e) for n, e in enumerate(effects)]
    return [*made, ToolDefinition(name="x" * 64, description="\ud800\0" * 10_000, schema={"type": "object"})]


async def every_tool_gets_a_yes_or_no(trial: Trial) -> None:
    """`keep()` gives True or False for every definition, and raises nothing."""
    chosen = await trial.make()
    for definition in definitions():
        try:
            kept = chosen.keep(definition)
        except Exception as error:
            raise BrokenPromise(
                f"keep() raised {type(error).__name__} for {definition.name:.20}: {str(error)[:200]}"
            ) from error
        if asyncio.iscoroutine(kept):
            kept.close()
        require(
            isinstance(kept, bool),
            f"keep() gave {type(kept).__name__} for {definition.name:.20}, neither True nor False",
        )


async def a_tool_is_judged_the_same_each_time(trial: Trial) -> None:
    """The same definition gets the same answer."""
    chosen = await trial.make()
    for definition in definitions()[:4]:
        said = {bool(chosen.keep(definition)) for _ in range(3)}
        require(len(said) == 1, f"{definition.name} is kept one time and hidden another")


async def whatever_is_typed_is_answered(trial: Trial) -> None:
    """Odd arguments end in a text, in nothing, or in an error with words; nothing ends the program."""
    command = await trial.make()
    for arguments in ("", " ", "--help", "'", "\0", "x" * 10_000, "grüße 日本", "\ud800", "../..", "$(true)"):
        try:
            said = await within(TYPED, command.run(arguments))
        except SystemExit as error:
            raise BrokenPromise(f"run({arguments!r:.40}) tried to end the program ({error})") from error
        except BrokenPromise:
            raise
        except Exception as error:
            require(str(error).strip(), f"run({arguments!r:.40}) raised {type(error).__name__} without a word")
            continue
        require(
            said is None or isinstance(said, str),
            f"run({arguments!r:.40}) gave {type(said).__name__}, neither text nor None",
        )


PROMISES: tuple[Promise, ...] = (
    *promises(
        "prompt_sections",
        its_text_is_stable,
        its_text_is_of_moderate_length,
        an_odd_workspace_is_no_trouble,
        rendering_changes_nothing,
        no_key_is_in_it,
    ),
    *promises("tool_filters", every_tool_gets_a_yes_or_no, a_tool_is_judged_the_same_each_time),
    *promises("slash_commands", whatever_is_typed_is_answered),
)
