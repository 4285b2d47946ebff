"""What every plugin keeps, whatever it brings."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import orjson

from codetether.plugins.contracts import YIELDS
from codetether.testing.promises import NotTried, promises, require
from codetether.testing.trial import Trial

HEAVY = frozenset(
    [
        "aiohttp",
        "anthropic",
        "boto3",
        "botocore",
        "httpx",
        "hvac",
        "numpy",
        "openai",
        "prompt_toolkit",
        "requests",
        "rich",
        "sqlite3",
        "torch",
        "xllamacpp",
    ]
)
"""What must be imported where it is used, because every start pays for what a plugin imports."""

_PROGRAM = """
import sys, json, importlib
sys.path[:] = json.loads(sys.argv[1])
import codetether, codetether.specs, codetether.protocols
before = set(sys.modules)
importlib.import_module(sys.argv[2].partition(":")[0])
print(json.dumps(sorted(set(sys.modules) - before)))
"""


async def it_loads_whole(trial: Trial) -> None:
    """It is imported in time, and each of its hooks is marked, and yields records of its kind, as they should be."""
    info, module = trial.subject.info, sys.modules.get(trial.subject.info.module)
    problems = [f"{p.hook or 'import'}: {p.reason}" for p in info.problems]
    named = [hook for hook in YIELDS if callable(getattr(module, hook, None)) and hook not in info.hooks]
    problems += [f"{hook}: is never asked, since it is not marked with @codetether.hookimpl" for hook in named]
    require(info.status == "loaded" and not problems, "; ".join(problems) or info.status)


async def its_import_is_light(trial: Trial) -> None:
    """Its module imports none of the libraries that make a start slow; what it needs it imports where it uses it."""
    if not trial.subject.locator:
        raise NotTried("another process cannot find this plugin: try a module, or an installed one")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _PROGRAM,
        orjson.dumps([str(Path(p).absolute()) for p in sys.path]).decode(),
        trial.subject.locator,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    said = err.decode("utf-8", "replace").splitlines() or ["it said nothing"]
    require(process.returncode == 0, f"importing it failed: {said[-1][:300]}")
    heavy = sorted(HEAVY & set(orjson.loads(out)))
    require(not heavy, f"importing its module imports {', '.join(heavy)}; import them where they are used")


async def it_writes_nothing_when_it_is_loaded(trial: Trial) -> None:
    """Loading the plugin and creating its objects leaves the workspace as it was."""
    from codetether.testing.traces import changed, snapshot
    from codetether.testing.trial import on_trial

    for number, (kind, record) in enumerate(trial.subject.records):
        if not callable(getattr(record, "create", None)):
            continue
        async with on_trial(trial.subject, kind, record, trial.place / str(number)) as each:
            before = snapshot(each.directory)
            try:
                async with each.made():
                    pass
            except NotTried:
                continue
            touched = changed(before, snapshot(each.directory))
        require(not touched, f"creating {kind} {record.name!r} changed {', '.join(touched)} in the workspace")


PROMISES = promises("plugin", it_loads_whole, its_import_is_light, it_writes_nothing_when_it_is_loaded)
