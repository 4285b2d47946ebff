"""Where the session's commands run: a `cd` inside the workspace holds for the next command."""

from __future__ import annotations

import os
import re
import secrets
import shlex
from pathlib import Path

from attrs import field, frozen
from codetether import ToolCall

_MOVES = re.compile(r"\b(?:cd|pushd|popd|source|eval)\b|(?:^|[\s;&|({])\.\s")
"""What can change a shell's directory. Only such commands are followed, so that all others start as quickly as ever."""
_FOLLOWED = (
    "exec 198>&1\n"
    'trap \'{{ builtin printf "\\0%s" {mark}; builtin pwd -P; builtin printf "\\0"; }} >&198 2>/dev/null || :\' EXIT\n'
    'eval "shift; $1"'
)
_REMEMBERED = 1000


def _mark() -> str:
    return secrets.token_hex(12)


@frozen(kw_only=True)
class Follower:
    """Learns from a shell in which directory it ended: it writes that behind its output, after a mark."""

    shell: str
    mark: str = field(factory=_mark)

    @classmethod
    def of(cls, shell: str, command: str) -> Follower | None:
        """The follower of a command; None where the directory stays, or the shell cannot tell."""
        return cls(shell=shell) if shell.endswith("bash") and _MOVES.search(command) else None

    def argv(self, command: str) -> list[str]:
        """What runs the command."""
        return [self.shell, "-c", _FOLLOWED.format(mark=self.mark), self.shell, command]

    def split(self, output: bytes) -> tuple[bytes, str | None]:
        """The output without what was written behind it, and the directory; None where it was not told."""
        mark = b"\0" + self.mark.encode()
        at = output.rfind(mark)
        end = output.find(b"\0", at + len(mark))
        if at < 0 or end < 0:
            return output, None
        told = os.fsdecode(output[at + len(mark) : end]).removesuffix("\n")
        return output[:at] + output[end + 1 :], told or None

    def shown(self, held: bytes, data: bytes) -> tuple[bytes, bytes]:
        """Of output as it comes: what can be shown, and what is held back since the mark may begin there."""
        mark, both = b"\0" + self.mark.encode(), held + data
        at = both.rfind(mark)
        if at >= 0:
            end = both.find(b"\0", at + len(mark))
            return (both[:at], both[at:]) if end < 0 else (both[:at] + both[end + 1 :], b"")
        tail = both.rfind(b"\0")
        if tail >= 0 and mark.startswith(both[tail:]):
            return both[:tail], both[tail:]
        return both, b""


class Place:
    """The directory of the session's commands: the workspace, or one below it."""

    def __init__(self, workspace: Path) -> None:
        self._root = workspace
        self._workspace = str(workspace)
        self._now = self._workspace
        self._judged: dict[str, str] = {}

    def judged(self, call: ToolCall, command: str) -> str:
        """The command as policies and people judge it: with the change of directory that it amounts to."""
        while len(self._judged) >= _REMEMBERED:
            self._judged.pop(next(iter(self._judged)))
        where = self._judged[call.id] = self._there()
        if where == self._workspace:
            return command
        return f"cd {shlex.quote(os.path.relpath(where, self._workspace))} && {command}"

    def directory(self, call: ToolCall) -> Path:
        """Where the call runs: there where it was judged."""
        where = self._judged.pop(call.id, self._workspace)
        return self._root if where == self._workspace or os.path.realpath(where) != where else Path(where)

    def move(self, told: str) -> str:
        """Takes over the directory in which a shell ended; what the model must know of it, or nothing."""
        real = os.path.realpath(told)
        self._now = real if self._inside(real) else self._workspace
        if real != self._now:
            return f"; the next command starts in the workspace again, since {_plain(real)} lies outside of it"
        if real == self._workspace:
            return ""
        return f"; the next command starts in {_plain(os.path.relpath(real, self._workspace))}"

    def _there(self) -> str:
        """The directory; the workspace where that is gone, or leads elsewhere by now."""
        if self._now != self._workspace and not (
            os.path.isdir(self._now) and os.path.realpath(self._now) == self._now  # noqa: PTH112 - strings throughout
        ):
            self._now = self._workspace
        return self._now

    def _inside(self, real: str) -> bool:
        return real == self._workspace or real.startswith(self._workspace.rstrip("/") + "/")


def _plain(path: str) -> str:
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
