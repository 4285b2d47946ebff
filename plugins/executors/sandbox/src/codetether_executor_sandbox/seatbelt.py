"""macOS: the profile that `sandbox-exec` takes. Its text is tested, no Mac has run it: it is used only when named."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from attrs import define
from codetether import ExecutorError, Launch

from codetether_executor_sandbox.backends import Common, Prepared, scratch_directory
from codetether_executor_sandbox.guard import Watch
from codetether_executor_sandbox.layout import Layout

PROGRAM = "/usr/bin/sandbox-exec"
SYSTEM = ("/usr", "/bin", "/sbin", "/System", "/Library/Developer", "/Library/Apple", "/opt", "/private/etc", "/nix")
_HEAD = """(version 1)
(deny default)
(allow process-exec process-fork)
(allow signal process-info* (target same-sandbox))
(allow sysctl-read)
(allow user-preference-read)
(allow mach-lookup (global-name "com.apple.system.opendirectoryd.libinfo") (global-name "com.apple.logd"))
(allow ipc-posix-sem ipc-posix-shm)
(allow file-read-metadata)
(allow file-read* (literal "/") (literal "/dev/random") (literal "/dev/urandom"))
(allow file-read* file-write-data (literal "/dev/null") (literal "/dev/zero") (regex #"^/dev/fd/"))"""


def profile(layout: Layout, protected: Iterable[Path], scratch: str) -> str:
    """The profile: later rules win, so what is hidden and what is protected stands last.

    A protected path, and each directory on the way to it, can be neither renamed nor removed.
    """
    workspace = layout.workspace
    pinned = {parent for path in protected for parent in path.parents if parent.is_relative_to(workspace)}
    return "\n".join(
        [
            _HEAD,
            _rule("allow", "file-read*", "subpath", [*SYSTEM, *layout.readable, *layout.writable, workspace, scratch]),
            _rule("allow", "file-write*", "subpath", [workspace, *layout.writable, scratch]),
            _rule("deny", "file-write*", "subpath", sorted(map(str, protected))),
            _rule("deny", "file-write-unlink", "literal", sorted(map(str, pinned))),
            _rule("deny", "file-read* file-write*", "subpath", layout.hidden),
            "(deny network*)",
            "",
        ]
    )


def _rule(verdict: str, operations: str, kind: str, paths: Iterable[object]) -> str:
    quoted = " ".join(f"({kind} {json.dumps(str(path), ensure_ascii=False)})" for path in paths)
    return f"({verdict} {operations} {quoted})" if quoted else f"; nothing to {verdict}: {operations}"


@define(kw_only=True)
class SeatbeltBackend:
    """Commands under a Seatbelt profile."""

    common: Common

    @contextmanager
    def prepared(
        self, argv: Sequence[str], directory: Path, environment: Mapping[str, str], *, lasting: bool = False
    ) -> Iterator[Prepared]:
        """The command behind `sandbox-exec`."""
        if sys.platform != "darwin" or not Path(PROGRAM).exists():
            raise ExecutorError("Seatbelt is a part of macOS", remedy="On Linux, bubblewrap does more.")
        common = self.common
        paths = [common.workspace / each for each in common.protected]
        with scratch_directory() as scratch, Watch(workspace=common.workspace, paths=[] if lasting else paths) as watch:
            variables = common.environment({"TMPDIR": scratch, **environment})
            command = common.resolved(argv, directory, variables)
            text = profile(common.layout, paths, str(Path(scratch).resolve()))
            yield Prepared(
                launch=Launch(argv=[PROGRAM, "-p", text, *command], directory=directory, environment=variables),
                notes=lambda: watch.notes,
            )
