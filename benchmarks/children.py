"""Child processes, and what the operating system says they cost."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from attrs import field, frozen

ROOT = Path(__file__).resolve().parent.parent
LIMIT = 300.0
"""Seconds that one child may take."""

T = TypeVar("T")


@frozen
class Command:
    """What python is given to run, and the variables that it sees beside those of this process."""

    arguments: tuple[str, ...]
    variables: Mapping[str, str] = field(factory=dict)
    directory: Path = ROOT


@frozen(kw_only=True)
class Cost:
    """What a child came to: seconds of CPU with its own children, seconds by the clock, peak memory in MiB."""

    cpu: float
    wall: float
    memory: float


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """The variables of a child: as here, but compiled modules are kept, and nothing of the user's own is read."""
    own = {k: v for k, v in os.environ.items() if not k.startswith(("CODETETHER_", "OPENAI_", "PYTHONDONTWRITE"))}
    return {**own, **variables}


def cost(command: Command, expected: int = 0) -> Cost:
    """Runs it to its end. Raises RuntimeError for another exit code than expected, with what it said."""
    with tempfile.TemporaryFile() as said:
        began = time.perf_counter()
        child = subprocess.Popen(
            [sys.executable, *command.arguments],
            env=environment(command.variables),
            cwd=command.directory,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
        )
        reaped = reap(child, began)
        if child.returncode != expected:
            said.seek(0)
            text = said.read().decode(errors="replace")[-2000:]
            raise RuntimeError(f"exit code {child.returncode} of {' '.join(command.arguments)}\n{text}")
        return reaped


def reap(child: subprocess.Popen[bytes], began: float) -> Cost:
    """Waits for a child's end, and what it used."""
    _, status, used = os.wait4(child.pid, 0)
    wall = time.perf_counter() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    return Cost(cpu=used.ru_utime + used.ru_stime, wall=wall, memory=used.ru_maxrss / 1024)


def printed(command: Command) -> str:
    """What it prints on standard output."""
    done = subprocess.run(
        [sys.executable, *command.arguments],
        env=environment(command.variables),
        cwd=command.directory,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=LIMIT,
        check=False,
    )
    if done.returncode:
        said = done.stderr.decode(errors="replace")[-2000:]
        raise RuntimeError(f"exit code {done.returncode} of {' '.join(command.arguments)}\n{said}")
    return done.stdout.decode()


def in_turn(rounds: int, *measures: Callable[[], T]) -> list[tuple[T, ...]]:
    """Rounds of measurements A B A B …, after one that is not counted: what drifts, drifts for all."""
    return [tuple(measure() for measure in measures) for _ in range(rounds + 1)][1:]


def profile(command: Command, file: Path) -> str:
    """Runs it once under the profiler and returns the 25 functions that took most time by themselves."""
    with tempfile.TemporaryDirectory() as scratch:
        dump = Path(scratch) / "profile"
        profiled = Command(
            ("-m", "cProfile", "-o", str(dump), *command.arguments), command.variables, command.directory
        )
        subprocess.run(
            [sys.executable, *profiled.arguments],
            env=environment(profiled.variables),
            cwd=profiled.directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=LIMIT,
            check=False,  # what fails under the profiler as without it still has a profile
        )
        shown = printed(Command(("-c", _SHOW, str(dump))))
    file.write_text(f"{' '.join(_short(command.arguments))}\n{shown}")
    return shown


def _short(arguments: Sequence[str]) -> list[str]:
    return [a if len(a) < 60 else a[:57] + "..." for a in arguments]


_SHOW = "import pstats, sys; pstats.Stats(sys.argv[1]).strip_dirs().sort_stats('tottime').print_stats(25)"
