"""Control groups: what a command and all that it starts take together, where this user may make groups."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex

from attrs import frozen

ROOT = Path("/sys/fs/cgroup")
_JOIN = """
while [ "$1" != -- ]; do
  if [ -e "$1/tasks" ]; then echo 0 > "$1/tasks" || exit 125; else echo 0 > "$1/cgroup.procs" || exit 125; fi
  shift
done
shift
exec "$@"
"""
"""Joins groups and becomes the command; for `tasks` of version 1 the kernel need not stop all others meanwhile."""
_SWAP = "memory.swap.max"


@frozen(kw_only=True)
class Groups:
    """Where groups are made: one directory for both limits (version 2), or one for each (version 1)."""

    memory: Path
    processes: Path

    @property
    def _parents(self) -> tuple[Path, ...]:
        return tuple(dict.fromkeys((self.memory, self.processes)))

    def _limits(self, name: str, memory: int, processes: int) -> Mapping[Path, str]:
        unified = self.memory == self.processes
        memory_file = "memory.max" if unified else "memory.limit_in_bytes"
        return {self.memory / name / memory_file: str(memory), self.processes / name / "pids.max": str(processes)}

    @contextmanager
    def joined(self, memory: int, processes: int) -> Iterator[tuple[str, ...]]:
        """What starts a command in a group of its own; the group ends with all that is in it."""
        name = f"codetether-{os.getpid()}-{token_hex(4)}"
        made: list[Path] = []
        try:
            for parent in self._parents:
                (parent / name).mkdir()
                made.append(parent / name)
            for file, value in self._limits(name, memory, processes).items():
                file.write_text(value)
            with suppress(OSError):  # only where swap is counted
                (self.memory / name / _SWAP).write_text("0")
            yield ("/bin/sh", "-c", _JOIN, "sh", *map(str, made), "--")
        finally:
            for group in made:
                _end(group)

    def sweep(self) -> None:
        """Removes empty groups of processes that are gone."""
        for parent in self._parents:
            for group in parent.glob("codetether-*-*"):
                owner = group.name.split("-")[1]
                if owner.isdigit() and not Path("/proc", owner).exists():
                    _end(group)


def _end(group: Path) -> None:
    for _ in range(20):
        with suppress(OSError):
            group.rmdir()
            return
        _kill(group)
        time.sleep(0.001)


def _kill(group: Path) -> None:
    with suppress(OSError):
        if (group / "cgroup.kill").exists():
            (group / "cgroup.kill").write_text("1")
            return
        for pid in (group / "cgroup.procs").read_text().split():
            with suppress(ProcessLookupError, PermissionError):
                os.kill(int(pid), signal.SIGKILL)


async def usable_groups(root: Path = ROOT, ours: Path = Path("/proc/self/cgroup")) -> Groups | None:
    """Where groups can be made, as was tried; None where they cannot."""
    found = _find(root, ours)
    if found is None:
        return None
    try:
        found.sweep()
        with found.joined(64 * 1024 * 1024, 16) as prefix:
            process = await asyncio.create_subprocess_exec(
                *prefix, "true", stdin=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
            )
            return found if await process.wait() == 0 else None
    except OSError:
        return None


def _find(root: Path, ours: Path) -> Groups | None:
    """The directory beside our own group, with the right limits, if it can be written."""
    try:
        lines = [line.split(":", 2) for line in ours.read_text().splitlines()]
    except OSError:
        return None
    places = {name: path for _, names, path in lines for name in names.split(",")}
    if {"memory", "pids"} <= places.keys():
        found = [root / name / places[name].lstrip("/") for name in ("memory", "pids")]
        made = Groups(memory=found[0], processes=found[1])
    elif "" in places:
        own = root / places[""].lstrip("/")
        parent = own if own == root else own.parent
        with suppress(OSError):
            if {"memory", "pids"} <= set((parent / "cgroup.subtree_control").read_text().split()):
                return Groups(memory=parent, processes=parent) if os.access(parent, os.W_OK) else None
        return None
    else:
        return None
    return made if all(os.access(place, os.W_OK) for place in found) else None
