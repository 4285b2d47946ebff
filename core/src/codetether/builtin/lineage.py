"""Finds and ends every process that a command started, those with a session of their own included."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

MARK = "CODETETHER_COMMAND"
"""The variable whose value all processes of one command share."""
_PROC = Path("/proc")


def end_group(leader: int, number: int) -> None:
    """Sends the signal to the command's process group, if anything is left of it."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, number)


def ask_all(leader: int, mark: str, lifeline: int) -> None:
    """Asks the group and whatever else the command started to end."""
    end_group(leader, signal.SIGTERM)
    _send(_relatives(leader, mark, lifeline) - {leader}, signal.SIGTERM)


def end_all(leader: int, mark: str, lifeline: int) -> None:
    """Kills the group and whatever else the command started.

    `lifeline` is the inode of a pipe that the command's processes hold. Linux only; elsewhere the group alone.
    """
    end_group(leader, signal.SIGKILL)
    ended: set[int] = set()
    for _ in range(8):  # a process may start another between the look and the kill
        left = _relatives(leader, mark, lifeline) - ended
        if not left:
            return
        _send(left, signal.SIGKILL)
        ended |= left


def _send(pids: Iterable[int], number: int) -> None:
    for pid in pids:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def _relatives(leader: int, mark: str, lifeline: int) -> set[int]:
    """The living processes below the leader, in its session, with its mark, or with its lifeline in hand."""
    if not _PROC.is_dir():
        return set()
    parents: dict[int, int] = {}
    family = {leader}
    for name in filter(str.isdigit, os.listdir(_PROC)):  # noqa: PTH208 - a list is at rest, an iterator is not
        if stat := _stat(name):
            pid = int(name)
            parents[pid] = stat[0]
            if stat[1] == leader or _holds(name, mark.encode(), f"pipe:[{lifeline}]"):
                family.add(pid)
    while more := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= more
    return family & set(parents)


def _stat(pid: str) -> tuple[int, int] | None:
    """Parent and session of a living process; None for a dead one."""
    with suppress(OSError, ValueError):
        state, parent, _, session = (_PROC / pid / "stat").read_bytes().rpartition(b")")[2].split()[:4]
        if state != b"Z":
            return int(parent), int(session)
    return None


def _holds(pid: str, mark: bytes, lifeline: str) -> bool:
    if pid == str(os.getpid()):
        return False
    with suppress(OSError):
        if mark in (_PROC / pid / "environ").read_bytes():
            return True
        with os.scandir(_PROC / pid / "fd") as held:
            return any(os.readlink(fd.path) == lifeline for fd in held)  # noqa: PTH115
    return False
