"""Run as text by a plain Python: confines a command by Landlock and seccomp, and ends what that leaves."""

# ruff: noqa: T201

import ctypes
import json
import os
import resource
import signal
import struct
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

CREATE, ADD, RESTRICT = 444, 445, 446
NO_NEW_PRIVILEGES, SECCOMP, SUBREAPER = 38, 22, 36
EXECUTE, WRITE, READ, LIST = 1, 2, 4, 8
DEVICES = 1 << 15
OF_FILES = EXECUTE | WRITE | READ | 1 << 14 | DEVICES
libc = ctypes.CDLL(None, use_errno=True)


def call(what: str, result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")
    return result


def version() -> int:
    return int(libc.syscall(CREATE, None, 0, 1))


def rights() -> int:
    """All rights over files that this kernel knows."""
    known = version()
    bits = {1: 13, 2: 14, 3: 15, 4: 15}.get(known, 16)
    return (1 << bits) - 1


def confine(spec: dict[str, Any]) -> None:
    """Never undone: no privileges, these trees, that filter."""
    known, handled = version(), rights()
    attributes = struct.pack("=QQQ", handled, 3 if known >= 4 else 0, 3 if known >= 6 else 0)
    size = 24 if known >= 6 else 16 if known >= 4 else 8
    ruleset = call("landlock", libc.syscall(CREATE, attributes, size, 0))
    for trees, allowed in ((spec["readable"], EXECUTE | READ | LIST), (spec["writable"], handled & ~DEVICES)):
        for tree in trees:
            allow(ruleset, tree, allowed & handled)
    for device in spec["devices"]:
        allow(ruleset, device, (WRITE | READ | 1 << 14) & handled)
    for name, value in spec["limits"].items():
        resource.setrlimit(getattr(resource, name), (value, value))
    drop_capabilities()
    call("no new privileges", libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0))
    call("landlock", libc.syscall(RESTRICT, ruleset, 0))
    program = bytes.fromhex(spec["seccomp"])
    kept = ctypes.create_string_buffer(program, len(program))
    filtered = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(kept))
    call("seccomp", libc.prctl(SECCOMP, 2, filtered, 0, 0))
    os.close(ruleset)


def drop_capabilities() -> None:
    """Root's too: those it has, and those that a program would give back."""
    for number in range(64):
        libc.prctl(24, number, 0, 0, 0)
    number = {"x86_64": 126, "aarch64": 91}[os.uname().machine]
    call("capset", libc.syscall(number, struct.pack("=Ii", 0x20080522, 0), bytes(24)))


def allow(ruleset: int, tree: str, allowed: int) -> None:
    try:
        place = os.open(tree, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    if not os.path.isdir(tree):  # noqa: PTH112
        allowed &= OF_FILES
    try:
        call(tree, libc.syscall(ADD, ruleset, 1, struct.pack("=Qi", allowed, place), 0))
    finally:
        os.close(place)


def descendants() -> set[int]:
    """All that is below this process, which inherits what loses its parent."""
    parents = {}
    for each in Path("/proc").iterdir():
        if each.name.isdigit():
            try:
                state, parent = (each / "stat").read_text().rpartition(")")[2].split()[:2]
            except OSError:
                continue
            if state != "Z":
                parents[int(each.name)] = int(parent)
    family = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= more
    return family - {os.getpid()}


def end() -> None:
    while left := descendants():
        for pid in left:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        reap()
        time.sleep(0.002)


def reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def asked(*_: object) -> None:
    end()
    os._exit(128 + signal.SIGTERM)


def main(spec: dict[str, Any], argv: list[str]) -> None:
    call("subreaper", libc.prctl(SUBREAPER, 1, 0, 0, 0))
    signal.signal(signal.SIGTERM, asked)
    child = os.fork()
    if not child:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        try:
            confine(spec)
            os.execv(argv[0], argv)
        except OSError as error:
            print(f"cannot run {argv[0]}: {error}", file=sys.stderr, flush=True)
        os._exit(127)
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == child:
            break
    patience = time.monotonic() + spec["grace"]
    while descendants() and time.monotonic() < patience:
        time.sleep(0.02)
        reap()
    end()
    os._exit(os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), sys.argv[2:])
