"""Every test works in a home of its own and knows no key of the person who runs it."""

from __future__ import annotations

import gc
import itertools
import os
import signal
import sys
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack, chdir
from functools import cache
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import settings

settings.register_profile("quick", max_examples=30, deadline=None)
settings.register_profile("proof", max_examples=3_000, deadline=None)
settings.load_profile("proof" if os.environ.get("CODETETHER_PROOF") else "quick")

_NUMBERS = itertools.count()


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Two workers more than there are cores: many tests wait for a process or a clock."""
    return len(os.sched_getaffinity(0)) + 2


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is collected stays: the collector of garbage looks for none in it, now or later."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_unconfigure() -> None:
    """At the end all goes in the usual order."""
    gc.unfreeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes a worker longest begins first, so that no worker is alone with it at the end."""
    items.sort(key=lambda item: not item.nodeid.startswith((*TOGETHER, *LONG)))


LONG = (
    "core/tests/test_hooks_failing.py",
    "plugins/executors/sandbox/tests/test_attacks.py",
    "tests/kit/",
    "tests/templates/",
)
"""Whose tests take long by themselves."""

TOGETHER = {
    "plugins/credentials/vault/": "a server",
    "plugins/sinks/events-s3/": "a store",
    "plugins/providers/llama/": "a model",
    "plugins/providers/local/": "a model",
    "plugins/routers/functiongemma/": "a model",
    "tests/plugins/": "an environment",
}
"""Whose tests share something that is dear to start, and so a worker."""


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """File by file; the folders that share something stay together."""
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]

    class Scheduling(LoadFileScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            file: str = super()._split_scope(nodeid)
            return next((shared for folder, shared in TOGETHER.items() if file.startswith(folder)), file)

    return Scheduling(config, log)


def remembered(read: Callable[..., Any]) -> Callable[..., Any]:
    """What it reads of the installed distributions is read again only when one comes or goes."""
    once = cache(read)
    known: list[Any] = []

    def reading(*wanted: Any, **more: Any) -> Any:
        # without Path: this is asked thousands of times
        places = [(place, os.stat(place).st_mtime_ns) for place in sys.path if os.path.isdir(place)]  # noqa: PTH112, PTH116
        if [places, sys.meta_path] != known:
            known[:] = [places, [*sys.meta_path]]
            once.cache_clear()
        return once(*wanted, **more)

    return reading


@pytest.fixture(scope="session", autouse=True)
def listed_once() -> Iterator[None]:
    """What is installed is read once until the path changes: among our many distributions that is half of a test."""
    import importlib_metadata
    from codetether import wiring
    from codetether.cli import plugin_commands
    from codetether.plugins import discovery
    from codetether.plugins.entry_points import entry_points

    listed = remembered(lambda group: [*entry_points(group)])
    with ExitStack() as stack:
        for module in (discovery, wiring, plugin_commands):
            stack.enter_context(patch.object(module, "entry_points", listed))
        listed_by_the_library = remembered(importlib_metadata.entry_points)
        stack.enter_context(patch.object(importlib_metadata, "entry_points", listed_by_the_library))
        yield


@pytest.fixture
def run_here() -> Callable[..., tuple[int, str, str]]:
    """`codetether argv…` within this process, which is quicker: its exit code, standard output and standard error."""
    from codetether.cli.app import run
    from codetether.cli.interrupts import SIGNALS

    def ran(*argv: str, cwd: Path, environment: Mapping[str, str], stdin: str = "") -> tuple[int, str, str]:
        given, shown = TextIOWrapper(BytesIO(stdin.encode()), "utf-8"), (BytesIO(), BytesIO())
        out, err = (TextIOWrapper(each, "utf-8", newline="\n") for each in shown)
        with ExitStack() as stack:
            stack.enter_context(chdir(cwd))
            stack.enter_context(patch.dict(os.environ, environment, clear=True))
            stack.enter_context(patch.multiple(sys, stdin=given, stdout=out, stderr=err))
            for number in SIGNALS:
                stack.callback(signal.signal, number, signal.getsignal(number))
            code = run(argv)
        return code, shown[0].getvalue().decode(), shown[1].getvalue().decode()

    return ran


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the homes are: among thousands of directories pytest would look for a free name at length."""
    return tmp_path_factory.mktemp("homes")


@pytest.fixture(autouse=True)
def home(homes: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty CODETETHER_HOME; the variables of codetether and all keys are unset."""
    for name in list(os.environ):
        ours = name.startswith("CODETETHER_") and name not in ("CODETETHER_SHARED", "CODETETHER_PROOF")
        if ours or name.endswith(("_API_KEY", "_AUTH_TOKEN", "_BASE_URL")) or name.startswith(("VAULT_", "BAO_")):
            monkeypatch.delenv(name)
    place = homes / str(next(_NUMBERS))
    place.mkdir()
    monkeypatch.setenv("CODETETHER_HOME", str(place))
    return place
