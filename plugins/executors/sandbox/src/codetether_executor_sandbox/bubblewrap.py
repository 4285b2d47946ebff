"""Bubblewrap: commands in namespaces of their own."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path

from attrs import define, frozen
from codetether import Launch

from codetether_executor_sandbox.backends import Common, Prepared, filter_for
from codetether_executor_sandbox.door import opened
from codetether_executor_sandbox.guard import Fences, Seals, Watch, fences
from codetether_executor_sandbox.hosts import allowed_hosts
from codetether_executor_sandbox.layout import Layout, inside
from codetether_executor_sandbox.limits import anonymous_file, exit_code, limited
from codetether_executor_sandbox.proxy import Proxy

PLACES = ("/usr/bin/bwrap", "/bin/bwrap", "/usr/local/bin/bwrap", "/run/current-system/sw/bin/bwrap")
"""Where it is taken from: never from where PATH leads."""
NOBODY = 1000
"""Who root's commands are inside."""


def find_bubblewrap(places: Sequence[str] = PLACES) -> str | None:
    """Its file, if it and its directory belong to root and nobody else may write them."""
    return next((place for place in places if _trusted(Path(place))), None)


@cache
def options(program: str) -> frozenset[str]:
    """The options that it knows: some came with versions 0.7 and 0.8."""
    told = subprocess.run([program, "--help"], capture_output=True, text=True, check=False, timeout=5, env={})
    return frozenset(word for word in told.stdout.split() if word.startswith("--"))


def _trusted(file: Path) -> bool:
    try:
        found = [os.stat(file), os.stat(file.parent)]  # noqa: PTH116
    except OSError:
        return False
    mine = all(each.st_uid == 0 and not each.st_mode & (stat.S_IWGRP | stat.S_IWOTH) for each in found)
    return mine and bool(found[0].st_mode & stat.S_IXUSR)


@frozen(kw_only=True)
class Bubblewrap:
    """How commands are wrapped.

    Attributes:
        scratch: bytes of each private directory.
        root: commands of root become nobody in particular.
    """

    program: str
    layout: Layout
    scratch: int
    root: bool

    def argv(
        self,
        fences: Fences,
        *,
        directory: Path,
        seccomp: int,
        command: Sequence[str],
        hidden: Sequence[Path] = (),
    ) -> list[str]:
        """The whole argument list.

        `seccomp`: a descriptor from which the filter can be read. `hidden`: what may not be read, beyond the layout's.
        """
        who = ["--uid", str(NOBODY), "--gid", str(NOBODY)] if self.root else []
        return [
            self.program,
            *("--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"),
            *("--unshare-net", "--die-with-parent", "--cap-drop", "ALL"),
            *(("--disable-userns",) if "--disable-userns" in options(self.program) else ()),
            *who,
            *("--seccomp", str(seccomp)),
            *self._mounts(fences, hidden),
            *("--remount-ro", "/", "--chdir", str(directory), "--", *command),
        ]

    def _mounts(self, fences: Fences, more: Sequence[Path]) -> Iterator[str]:
        layout, workspace = self.layout, str(self.layout.workspace)
        for target, link in layout.links:
            yield from ("--symlink", target, link)
        # Root keeps the right to write sysctls and other files of /proc, as their owner: nobody has it on this mount.
        yield from ("--proc", "/proc", "--remount-ro", "/proc", "--dev", "/dev")
        size = ("--size", str(self.scratch)) if "--size" in options(self.program) else ()
        private = (str(layout.home),) if layout.home_is_private else ()
        for place in ("/tmp", "/dev/shm", *private):
            yield from (*size, "--tmpfs", place)
        yield from ("--symlink", "../tmp", "/var/tmp", "--dir", "/run", "--symlink", "../run", "/var/run")
        for tree in layout.readable:
            yield from ("--ro-bind-try", tree, tree)
        for tree in layout.writable:
            yield from ("--bind-try", tree, tree)
        yield from ("--bind", workspace, workspace)
        for path in fences.pinned:
            yield from ("--bind", str(path), str(path))
        for path in fences.shut:
            yield from ("--ro-bind", str(path), str(path))
        for hidden in (*layout.hidden, *map(str, more)):
            yield from self._blank(hidden)

    def _blank(self, place: str) -> Iterator[str]:
        """Nothing to be read there; a device of a file system without devices cannot even be opened."""
        real = os.path.realpath(place)
        if inside(self.layout.workspace, real) or not os.path.exists(real):  # noqa: PTH110
            return
        if os.path.isdir(real):  # noqa: PTH112
            yield from ("--perms", "0500", "--tmpfs", real, "--remount-ro", real)
        else:
            yield from ("--ro-bind", "/dev/null", real)


@define(kw_only=True)
class BubblewrapBackend:
    """Namespaces by bubblewrap, system calls by seccomp."""

    common: Common
    bubblewrap: Bubblewrap

    @contextmanager
    def prepared(
        self, argv: Sequence[str], directory: Path, environment: Mapping[str, str], *, lasting: bool = False
    ) -> Iterator[Prepared]:
        """The command in namespaces of its own."""
        common, protected = self.common, self.common.protected
        variables = common.environment(environment)
        command = common.resolved(argv, directory, variables)
        with ExitStack() as stack:
            report, theirs = _pipe(stack)
            seccomp = anonymous_file(filter_for(("tcp", "route", *common.settings.sockets)))
            stack.callback(os.close, seccomp)
            hosts = allowed_hosts(common.settings.hosts)
            door = stack.enter_context(opened(Proxy(hosts=hosts))) if hosts else None
            before = stack.enter_context(common.started())
            sealed = stack.enter_context(Seals(workspace=common.workspace, protected=protected))
            shut = fences(common.workspace, protected, sealed)
            watched = () if lasting else shut.watched
            watch = stack.enter_context(Watch(workspace=common.workspace, paths=watched))
            if door is not None:
                command = door.wrapped(common.python, command)
            wrapped = self.bubblewrap.argv(
                shut,
                directory=directory,
                seccomp=seccomp,
                command=limited(command, common.settings, theirs, common.grace),
                hidden=common.hidden_files(),
            )
            fds = (seccomp, theirs) if door is None else (seccomp, theirs, door.theirs)
            yield Prepared(
                launch=Launch(argv=[*before, *wrapped], environment=variables, fds=fds, enclosed=True),
                left_behind=lambda: _told(report),
                notes=lambda: [*watch.notes, *(door.proxy.refused if door else ())],
                exit_code=exit_code,
            )


def _pipe(stack: ExitStack) -> tuple[int, int]:
    ends = os.pipe()
    for end in ends:
        stack.callback(os.close, end)
    return ends


def _told(report: int) -> bool:
    """Whether anything was reported."""
    os.set_blocking(report, False)
    with suppress(BlockingIOError):
        return os.read(report, 16) != b""
    return False
