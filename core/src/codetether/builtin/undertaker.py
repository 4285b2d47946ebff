"""Sees to it that no command outlives this process, however it ends: a small shell that waits for the end of a pipe."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import cache
from typing import Any

_SCRIPT = r"""
trap '' INT HUP TERM QUIT
left=' '
while read -r word pid; do
  case $word in
    born) left="$left$pid " ;;
    dead) left="${left%%" $pid "*} ${left#*" $pid "}" ;;
  esac
done
for pid in $left; do kill -9 "-$pid"; done
"""


class Undertaker:
    """Knows the process groups that run; kills them when this process is gone, even by kill -9.

    It starts with the first command, as one `sh` for the whole process, and ends with it.
    """

    def __init__(self) -> None:
        self._pipe = -1
        self._pid = 0
        self._groups: set[int] = set()

    def watch(self, group: int) -> None:
        """A command runs as the leader of its own process group."""
        self._groups.add(group)
        self._tell(f"born {group}\n")

    def forget(self, group: int) -> None:
        """It has ended."""
        if group in self._groups:
            self._groups.remove(group)
            self._tell(f"dead {group}\n")

    def _tell(self, line: str) -> None:
        if self._pipe < 0:
            self._begin()
        else:
            try:
                os.write(self._pipe, line.encode())
            except BrokenPipeError:  # somebody ended the shell
                self._bury()
                self._begin()

    def _begin(self) -> None:
        theirs, self._pipe = os.pipe()
        actions = [
            (os.POSIX_SPAWN_DUP2, theirs, 0),
            *((os.POSIX_SPAWN_OPEN, n, os.devnull, os.O_WRONLY, 0) for n in (1, 2)),
        ]
        with suppress(OSError):  # without a shell commands run all the same
            self._pid = _spawned(["sh", "-c", _SCRIPT], actions)
        os.close(theirs)
        with suppress(BrokenPipeError):
            os.write(self._pipe, "".join(f"born {group}\n" for group in self._groups).encode())

    def _bury(self) -> None:
        os.close(self._pipe)
        self._pipe = -1
        if self._pid:
            with suppress(ChildProcessError):
                os.waitpid(self._pid, os.WNOHANG)
            self._pid = 0


def _spawned(argv: list[str], actions: list[Any]) -> int:
    """A shell in a session of its own, so that what ends our whole group does not end it."""
    try:
        return os.posix_spawn("/bin/sh", argv, {}, file_actions=actions, setsid=True)
    except NotImplementedError:
        return os.posix_spawn("/bin/sh", argv, {}, file_actions=actions)


@cache
def undertaker() -> Undertaker:
    """The one of this process."""
    return Undertaker()
