"""What tools keep."""

from __future__ import annotations

import asyncio
import os
import re
import time
from copy import deepcopy
from pathlib import Path

from codetether.models.tools import Resources, ToolResult
from codetether.plugins.contracts import check_definition, validator
from codetether.testing.calls import calls_of, files_of, first_of, odd_arguments, running, shown, tools_of
from codetether.testing.promises import BrokenPromise, NotTried, promises, require
from codetether.testing.traces import changed, marked, snapshot, survivors
from codetether.testing.trial import CANARY, Trial

LARGEST = 4 * 1024 * 1024
"""Characters of one result; the loop cuts them further for the model, and keeps the rest beside the journal."""
SHOWN = 256 * 1024
"""Characters that one call shows while it runs."""


async def definitions_are_sound(trial: Trial) -> None:
    """Each tool has a name that every provider takes, a description, and an object's schema."""
    names = []
    for tool in await tools_of(trial):
        check_definition(tool.tool.definition)
        require(tool.tool.definition.description.strip(), f"{tool.name} has no description; a model chooses by it")
        names.append(tool.name)
    require(len(set(names)) == len(names), f"two tools share a name: {', '.join(names)}")


async def definitions_are_stable(trial: Trial) -> None:
    """A tool's definition is one object for the session, and equal in the next: prompt caches depend on it."""
    first = await tools_of(trial)
    for tool in first:
        require(tool.tool.definition is tool.tool.definition, f"{tool.name}.definition is another object at each look")
    second = await tools_of(trial)
    pairs = zip(first, second, strict=True)
    other = [a.name for a, b in pairs if a.tool.definition != b.tool.definition]
    require(not other, f"in the next session the definition of {', '.join(other)} differs")


async def unknown_arguments_are_refused(trial: Trial) -> None:
    """The schema says `additionalProperties: false`, so that a model hears of an argument that it made up."""
    loose = [
        tool.name
        for tool in await tools_of(trial)
        if tool.tool.definition.schema.get("additionalProperties") is not False
    ]
    require(not loose, f'the schema of {", ".join(loose)} lacks "additionalProperties": false')


async def arguments_are_described(trial: Trial) -> None:
    """Every argument has a description."""
    for tool in await tools_of(trial):
        properties = tool.tool.definition.schema.get("properties", {})
        bare = [name for name, rules in properties.items() if not str(rules.get("description", "")).strip()]
        require(not bare, f"{tool.name}: {', '.join(bare)} without a description (with @tool: the docstring's `Args:`)")


async def examples_fit_the_schema(trial: Trial) -> None:
    """The arguments of each example are valid by the schema."""
    for tool in await tools_of(trial):
        check = validator(tool.tool.definition.schema)
        for example in tool.tool.definition.examples:
            problems = [error.message for error in check.iter_errors(dict(example.arguments))]
            require(
                not problems, f"{tool.name}: the example {dict(example.arguments)!r} is invalid: {'; '.join(problems)}"
            )


async def resources_only_looks(trial: Trial) -> None:
    """`resources()` gives Resources, the same each time, and changes nothing."""
    for tool, call in await calls_of(trial):
        before = snapshot(trial.directory, trial.outside)
        first, second = tool.resources(call), tool.resources(call)
        require(isinstance(first, Resources), f"{tool.name}.resources() gave {type(first).__name__}")
        require(first == second, f"{tool.name}.resources() differs between two looks at {shown(call)}")
        touched = changed(before, snapshot(trial.directory, trial.outside))
        require(not touched, f"{tool.name}.resources() changed {', '.join(touched)}: it must only look")


async def effects_are_true(trial: Trial) -> None:
    """A call changes nothing that it does not say: no file without `write`, none outside, no variable, no network."""
    for tool, call in await calls_of(trial):
        resources, definition = tool.resources(call), tool.tool.definition
        before, around, asked = snapshot(trial.directory), snapshot(trial.outside), deepcopy(call.arguments)
        variables = dict(os.environ)
        await tool.run(call)
        odd = sorted({name for name, _ in variables.items() ^ os.environ.items()})
        require(not odd, f"{tool.name} changed {', '.join(odd)} in the environment, which the whole process shares")
        require(call.arguments == asked, f"{tool.name} changed the arguments that it was given; take a copy")
        touched = [os.path.relpath(path, trial.directory) for path in changed(before, snapshot(trial.directory))]
        beside = changed(around, snapshot(trial.outside))
        require(not beside, f"{tool.name} changed {', '.join(beside)}, outside of the workspace, with {shown(call)}")
        if not touched or resources.commands:
            continue
        said = "write" in definition.effects
        require(said, f"{tool.name} changed {', '.join(touched)} and does not declare the effect `write`")
        told = {os.path.relpath(trial.directory / path, trial.directory) for path in resources.writes}
        require(set(touched) <= told, f"{tool.name} changed {', '.join(touched)}; its resources() named {sorted(told)}")


async def odd_arguments_end_in_a_result(trial: Trial) -> None:
    """Whatever fits the schema ends in a result or an error with words, in time; nothing ends the program."""
    for tool, call in first_of(await calls_of(trial)):
        for arguments in odd_arguments(tool.tool.definition.schema, call.arguments):
            odd = tool.call(arguments)
            if not tool.harmless(odd):
                continue
            try:
                result = await tool.run(odd)
            except SystemExit as error:
                raise BrokenPromise(f"{tool.name} tried to end the program ({error}) with {shown(odd)}") from error
            require(
                result.output.strip() not in ("", "Error:") or result.success,
                f"{tool.name} fails without a word with {shown(odd)}",
            )
        for wrong in tool.told.odd:
            result = await tool.run(tool.call(wrong))
            require(not result.success, f"{tool.name} calls {wrong!r} a success")


async def paths_lead_nowhere_else(trial: Trial) -> None:
    """An argument that is a path does not lead out of the workspace, whether spelled `..`, absolute or by a link."""
    (trial.directory / "link").symlink_to(trial.outside)
    tried = False
    for tool, call in first_of(await calls_of(trial)):
        names = [n for n in tool.tool.definition.schema.get("properties", {}) if re.search("path|file|dir", n)]
        for name in names:
            for path in ("../O/secret.txt", str(trial.outside / "secret.txt"), "link/secret.txt", "..", "link"):
                outward, before = tool.call({**call.arguments, name: path}), snapshot(trial.outside)
                tried = True
                if not tool.harmless(outward):  # the rules stand before it, by what resources() says
                    continue
                result = await tool.run(outward)
                require(snapshot(trial.outside) == before, f"{tool.name} changed files outside by {name}={path!r}")
                leaked = "nobody's business" in files_of(result)
                require(not leaked, f"{tool.name} showed a file outside of the workspace by {name}={path!r}")
    if not tried:
        raise NotTried("no call has an argument that is a path")


async def a_stopped_call_is_over(trial: Trial) -> None:
    """A call that is cancelled, or reaches its time limit, is over within a second, and changes nothing afterwards."""
    for tool, call in first_of(await calls_of(trial)):
        tool.told.fill(trial.directory)
        slow = tool.told.slow or tool.told.flood
        stopped = call if slow is None else tool.call(slow)
        async with running(tool, stopped) as task:
            await asyncio.wait({task}, timeout=0.1 if slow else 0.01)
            task.cancel()
            began = time.perf_counter()
            await asyncio.wait({task}, timeout=3.0)
            took = time.perf_counter() - began
        require(took < 1.0, f"{tool.name} went on for {took:.1f} s after it was cancelled, with {shown(stopped)}")
        before = snapshot(trial.directory)
        await asyncio.sleep(0.05)
        later = changed(before, snapshot(trial.directory))
        require(not later, f"{tool.name} changed {', '.join(later)} after it was cancelled")


async def nothing_outlives_a_call(trial: Trial) -> None:
    """No process that a call started is left a second after the call ended, by itself or cancelled."""
    for tool, call in first_of(await calls_of(trial)):
        async with marked() as mark:
            await tool.run(call)
            if tool.told.slow is not None:
                async with running(tool, tool.call(tool.told.slow)) as task:
                    await asyncio.wait({task}, timeout=0.2)
            left = await survivors(mark)
        require(not left, f"{tool.name} left running: {'; '.join(left)}")


async def output_is_capped(trial: Trial) -> None:
    """A result has at most 4 MiB of text, and a call shows at most 256 KiB while it runs, however much there is."""
    for tool, call in first_of(await calls_of(trial)):
        tool.told.fill(trial.directory)
        for each in (call, *([] if tool.told.flood is None else [tool.call(tool.told.flood)])):
            trial.events.clear()
            result = await tool.run(each)
            size, live = len(files_of(result)), len(trial.shown)
            require(size <= LARGEST, f"{tool.name} gave {size} characters with {shown(each)}; at most {LARGEST}")
            require(live <= SHOWN, f"{tool.name} showed {live} characters with {shown(each)}; at most {SHOWN}")


async def results_are_proper_text(trial: Trial) -> None:
    """A result is text that UTF-8 can hold, also where names and contents of files are not, and no bare object."""
    strange = Path(os.fsdecode(bytes(trial.directory) + b"/caf\xe9-\n.txt"))
    strange.write_bytes(b"\xff\xfe\xe9 \xe6\x97\n")
    for tool, call in await calls_of(trial):
        result = await tool.run(call)
        shape = re.fullmatch(r"<.* at 0x[0-9a-f]+>", result.output.strip())
        require(not shape, f"{tool.name} gave {result.output!r}; give a text, or what JSON can hold")
        text = files_of(result)
        bad = [hex(ord(c)) for c in text if "\ud800" <= c <= "\udfff"]
        require(
            not bad,
            f"{tool.name} gave text with the lone surrogate {bad[:1]} ; decode with errors='replace'",
        )


async def secrets_of_the_environment_stay_there(trial: Trial) -> None:
    """No result, and nothing shown on the way, holds a key from the environment."""
    for tool, call in await calls_of(trial):
        nosy = () if tool.told.environment is None else (tool.call(tool.told.environment),)
        for each in (call, *nosy):
            leaked = CANARY in files_of(await tool.run(each)) + trial.shown
            require(not leaked, f"{tool.name} shows an API key from the environment, with {shown(each)}")


async def read_only_calls_run_together(trial: Trial) -> None:
    """Calls of a tool that only reads may run at the same time, and each gets what it gets alone."""
    found = [(tool, call) for tool, call in await calls_of(trial) if tool.tool.definition.read_only]
    if not found:
        raise NotTried("no tool of it only reads")
    for tool, call in found:
        alone = await tool.run(call)
        together = await asyncio.gather(*(tool.run(call) for _ in range(8)))
        odd = [result for result in together if _meaning(result) != _meaning(alone)]
        require(not odd, f"{tool.name} gives another result when eight calls run together, with {shown(call)}")


def _meaning(result: ToolResult) -> tuple[bool, str]:
    return result.success, result.output


PROMISES = promises(
    "tools",
    definitions_are_sound,
    definitions_are_stable,
    unknown_arguments_are_refused,
    arguments_are_described,
    examples_fit_the_schema,
    resources_only_looks,
    effects_are_true,
    odd_arguments_end_in_a_result,
    paths_lead_nowhere_else,
    a_stopped_call_is_over,
    nothing_outlives_a_call,
    output_is_capped,
    results_are_proper_text,
    secrets_of_the_environment_stay_there,
    read_only_calls_run_together,
)
