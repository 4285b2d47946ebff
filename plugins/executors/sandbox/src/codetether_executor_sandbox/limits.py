"""What a command may take: resource limits by the shell that waits for it and for what it leaves behind."""

from __future__ import annotations

import os
import re
import resource
import shutil
from collections.abc import Sequence
from functools import cache

from codetether_executor_sandbox.settings import SandboxSettings

_FILES = 65536
"""Files that a process may hold open."""
SYSTEM_PATH = "/usr/bin:/bin:/usr/sbin:/sbin"
_SCRIPT = """
ulimit LIMITS || exit 126
exec {told}>&2 2>/dev/null
"$@" 2>&$told {told}>&- REPORT>&-
code=$?
patience=PATIENCE
while set -- /proc/[0-9]*; [ $# -gt 2 ] && [ $patience -gt 0 ]; do patience=$((patience - 1)); sleep 0.05; done
[ $# -gt 2 ] && echo left >&REPORT
exit $code
"""
"""Runs a command as its only argument list; what that started may finish what it was writing, then all is over.

In a process namespace of its own, where number 1 is bubblewrap's and this shell is 2.
"""


def limited(command: Sequence[str], settings: SandboxSettings, report: int, grace: float) -> list[str]:
    """The command under limits that it cannot raise, with `grace` seconds for what it leaves running.

    `report` is told when something outlived that. Where there is no bash, the command as it is.
    """
    shell = _bash()
    if shell is None:
        return list(command)
    most, processes = resource_limits(settings), _lower(resource.RLIMIT_NPROC, settings.processes)
    limits = f"-c 0 -d {most['data'] // 1024} -f {most['fsize'] // 1024} -n {most['nofile']} -u {processes}"
    words = {"LIMITS": limits, "REPORT": str(report), "PATIENCE": str(round(grace / 0.05))}
    script = re.sub("|".join(words), lambda found: words[found[0]], _SCRIPT)
    return [shell, "--noprofile", "--norc", "-p", "-c", script, "bash", *command]


@cache
def _bash() -> str | None:
    return shutil.which("bash", path=SYSTEM_PATH)


def resource_limits(settings: SandboxSettings) -> dict[str, int]:
    """What each process may take, by the names of rlimits."""
    return {
        "core": 0,
        "data": _lower(resource.RLIMIT_DATA, settings.memory),
        "fsize": _lower(resource.RLIMIT_FSIZE, settings.file_size),
        "nofile": _lower(resource.RLIMIT_NOFILE, _FILES),
    }


def _lower(kind: int, wanted: int) -> int:
    """The limit, or the one that holds already where that is lower: nobody may raise it."""
    _, hard = resource.getrlimit(kind)
    return wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)


def exit_code(code: int) -> int:
    """What the shell and bubblewrap make of a signal, made a negative number again."""
    return 128 - code if 128 < code < 160 else code


def anonymous_file(data: bytes) -> int:
    """A descriptor from which the bytes can be read."""
    descriptor = os.memfd_create("codetether")
    os.write(descriptor, data)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor
