"""Run inside a sandbox, as text: tries what must not be possible, and prints what was, by property, as JSON."""

# ruff: noqa: T201

import ctypes
import json
import os
import resource
import socket
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

FAMILIES = {"vsock": (40, 1, 0), "packet": (17, 3, 0), "raw": (2, 3, 1), "bluetooth": (31, 3, 0), "sctp": (2, 1, 132)}
CALLS = {"x86_64": {"io_uring_setup": 425, "keyctl": 250, "bpf": 321, "ptrace": 101, "perf_event_open": 298}}
CALLS["aarch64"] = {"io_uring_setup": 425, "keyctl": 219, "bpf": 280, "ptrace": 117, "perf_event_open": 241}
NEW_USER_NAMESPACE = 0x10000000


def main(spec: dict[str, Any]) -> None:
    """All that was possible, in words; an empty list is what confinement promises."""
    made: dict[str, list[str] | None] = {}
    for name, attempt in ATTEMPTS.items():
        try:
            made[name] = list(attempt(spec))
        except Exception as error:  # whatever went wrong is what is reported
            made[name] = None
            print(f"{name}: {error!r}", file=sys.stderr)
    print(json.dumps(made))


def possible(*attempts: tuple[str, Callable[[], Any]]) -> Iterator[str]:
    """The words of those that raise nothing."""
    for word, attempt in attempts:
        try:
            attempt()
        except OSError:
            continue
        yield word


def opened(family: int, kind: int, protocol: int) -> None:
    """A socket can be had."""
    socket.socket(family, kind, protocol).close()


def writes(spec: dict[str, Any]) -> Iterable[str]:
    """Leaves marks outside, which are looked for there."""
    for name in spec["outside"]:
        list(possible((name, partial(Path(name, "mark").write_text, "x"))))
    return ()


def protected(spec: dict[str, Any]) -> Iterable[str]:
    """Leaves marks in protected places, which are looked for there."""
    for place in spec["protected"]:
        list(possible((place, partial(Path(place).parent.mkdir, parents=True))))
        list(possible((place, partial(Path(place).write_text, "x"))))
    return ()


def metadata(spec: dict[str, Any]) -> Iterable[str]:
    """Changes a file outside without writing it, which is looked at there."""
    file = spec["file"]
    list(possible(("mode", lambda: os.chmod(file, 0o777)), ("times", lambda: os.utime(file, (1, 1)))))  # noqa: PTH101
    return ()


def network(spec: dict[str, Any]) -> Iterable[str]:
    """Reaches a listener of the host."""

    def reach(host: str, kind: int) -> None:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind) as made:
            made.settimeout(1)
            made.connect((host, spec["port"]))
            if kind == socket.SOCK_DGRAM:
                made.send(b"x")

    yield from possible(("127.0.0.1", lambda: reach("127.0.0.1", 1)), ("::1", lambda: reach("::1", 1)))
    list(possible(("udp", lambda: reach("127.0.0.1", 2))))


def sockets(spec: dict[str, Any]) -> Iterable[str]:
    """Reaches Unix sockets of the host, by path and by name."""

    def reach(address: str) -> None:
        with socket.socket(socket.AF_UNIX) as made:
            made.connect(address)

    yield from possible(("path", lambda: reach(spec["socket"])), ("name", lambda: reach("\0" + spec["abstract"])))


def environment(spec: dict[str, Any]) -> Iterable[str]:
    """Reads every environment that can be read."""
    canary = spec["variable"].encode()
    for each in Path("/proc").iterdir():
        if each.name.isdigit():
            try:
                if canary in (each / "environ").read_bytes():
                    yield f"/proc/{each.name}/environ"
            except OSError:
                continue


def secrets(spec: dict[str, Any]) -> Iterable[str]:
    """Reads what is hidden."""
    for name in spec["secrets"]:
        yield from possible((name, Path(name).read_bytes))


def processes(spec: dict[str, Any]) -> Iterable[str]:
    """Sees or signals the process that started all this."""
    pid, started = spec["agent"]
    try:
        same = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19] == started
    except OSError:
        return
    if same:
        yield from possible(("signal", lambda: os.kill(pid, 0)))


def privileges(spec: dict[str, Any]) -> Iterable[str]:
    """Capabilities, and ways to more."""
    status = dict(line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":\t" in line)
    if int(status["CapEff"], 16) or int(status["CapPrm"], 16):
        yield f"capabilities {status['CapEff']}"
    if status.get("NoNewPrivs") != "1":
        yield "setuid programs gain privileges"
    if ctypes.CDLL(None).unshare(NEW_USER_NAMESPACE) == 0:
        yield "user namespaces"


def kernel(spec: dict[str, Any]) -> Iterable[str]:
    """Sockets and system calls that no command needs."""
    for word, (family, kind, protocol) in FAMILIES.items():
        yield from possible((word, partial(opened, family, kind, protocol)))
    yield from possible(("settings", lambda: os.close(os.open("/proc/sys/kernel/core_pattern", os.O_WRONLY))))
    libc = ctypes.CDLL(None, use_errno=True)
    for name, number in CALLS.get(os.uname().machine, {}).items():
        ctypes.set_errno(0)
        if libc.syscall(number, 0, 0, 0, 0, 0) != -1 or ctypes.get_errno() != 1:
            yield name


def terminal(spec: dict[str, Any]) -> Iterable[str]:
    """Opens a terminal."""
    yield from possible(("/dev/tty", lambda: os.close(os.open("/dev/tty", os.O_RDWR))))


def limits(spec: dict[str, Any]) -> Iterable[str]:
    """Takes without a limit."""
    kinds = {"memory": resource.RLIMIT_DATA, "file size": resource.RLIMIT_FSIZE, "processes": resource.RLIMIT_NPROC}
    for word, kind in kinds.items():
        if resource.getrlimit(kind)[1] == resource.RLIM_INFINITY:
            yield word


def survivors(spec: dict[str, Any]) -> Iterable[str]:
    """Leaves a process behind, whose heart beats in a file."""
    if os.fork():
        time.sleep(0.02)
        return ()
    os.setsid()
    if os.fork():
        os._exit(0)
    for number in range(3):
        os.close(number)
    with open(spec["heart"], "ab", buffering=0) as heart:  # noqa: PTH123
        for _ in range(500):
            heart.write(b".")
            time.sleep(0.01)
    os._exit(0)


ATTEMPTS = {
    "writes": writes,
    "protected": protected,
    "metadata": metadata,
    "network": network,
    "sockets": sockets,
    "environment": environment,
    "secrets": secrets,
    "processes": processes,
    "privileges": privileges,
    "kernel": kernel,
    "terminal": terminal,
    "limits": limits,
    "survivors": survivors,
}

if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
