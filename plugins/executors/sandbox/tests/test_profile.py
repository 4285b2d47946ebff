"""The programs and profiles that the kernel gets: BPF run step by step, Seatbelt's text compared with a file."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from codetether_executor_sandbox.layout import Layout
from codetether_executor_sandbox.seatbelt import profile
from codetether_executor_sandbox.seccomp import ALLOW, Instruction, packed, program
from codetether_executor_sandbox.syscalls import ARCHITECTURES, FORBIDDEN, Architecture

EPERM, ENOSYS, ALLOWED = errno.EPERM, errno.ENOSYS, 0
UNIX, INET, INET6, NETLINK = 1, 2, 10, 16


def verdict(filter_: tuple[Instruction, ...], architecture: int, number: int, *arguments: int) -> int:
    """What the kernel would do: the error, or 0 for nothing."""
    words = {0: number, 4: architecture, **{16 + 8 * n: value & 0xFFFFFFFF for n, value in enumerate(arguments)}}
    accumulator, at = 0, 0
    while True:
        code, yes, no, operand = filter_[at]
        at += 1
        match code:
            case 0x20:
                accumulator = words.get(operand, 0)
            case 0x54:
                accumulator &= operand
            case 0x15:
                at += yes if accumulator == operand else no
            case 0x35:
                at += yes if accumulator >= operand else no
            case 0x45:
                at += yes if accumulator & operand else no
            case 0x06:
                return ALLOWED if (code, yes, no, operand) == ALLOW else operand & 0xFFFF
            case _:
                raise AssertionError(f"unknown instruction {code:#x}")


@pytest.fixture(params=sorted(ARCHITECTURES))
def architecture(request: pytest.FixtureRequest) -> Architecture:
    """Each processor."""
    return ARCHITECTURES[request.param]


def test_forbidden_calls_fail_and_others_do_not(architecture: Architecture) -> None:
    made = program(architecture, ())
    number = architecture.numbers
    refused = {name: verdict(made, architecture.audit, number[name]) for name in FORBIDDEN if name in number}
    assert set(refused.values()) == {EPERM}
    assert {"ptrace", "mount", "bpf", "io_uring_setup", "keyctl", "userfaultfd", "perf_event_open"} <= set(refused)
    named = set(number.values())
    others = {verdict(made, architecture.audit, other) for other in range(480) if other not in named}
    assert others == {ALLOWED}


def test_calls_of_another_architecture_are_unknown(architecture: Architecture) -> None:
    made = program(architecture, ())
    assert verdict(made, 0x40000003, 1) == ENOSYS
    if architecture.foreign_bit:
        assert verdict(made, architecture.audit, architecture.foreign_bit | 1) == ENOSYS


@pytest.mark.parametrize(
    "flag", [0x80, 0x20000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000]
)
def test_S04_no_call_makes_a_namespace(architecture: Architecture, flag: int) -> None:
    made, number = program(architecture, ()), architecture.numbers
    assert verdict(made, architecture.audit, number["clone"], flag | 17) == EPERM
    assert verdict(made, architecture.audit, number["unshare"], flag) == EPERM
    assert verdict(made, architecture.audit, number["clone3"]) == ENOSYS
    thread = 0x3D0F00
    assert verdict(made, architecture.audit, number["clone"], thread) == ALLOWED


def test_S06_sockets_are_allowed_by_family_kind_and_protocol(architecture: Architecture) -> None:
    asked = {
        "tcp": (INET, 1, 0),
        "tcp6, not blocking": (INET6, 1 | 0o2004000, 6),
        "udp": (INET, 2, 17),
        "unix": (UNIX, 1, 0),
        "route": (NETLINK, 3, 0),
        "audit": (NETLINK, 3, 9),
        "sctp": (INET, 1, 132),
        "raw": (INET, 3, 255),
        "vsock": (40, 1, 0),
    }

    def possible(*sockets: str) -> set[str]:
        made = program(architecture, sockets)
        number = architecture.numbers["socket"]
        return {name for name, how in asked.items() if verdict(made, architecture.audit, number, *how) == ALLOWED}

    assert possible() == set()
    assert possible("tcp", "route") == {"tcp", "tcp6, not blocking", "route"}
    assert possible("tcp", "udp", "unix") == {"tcp", "tcp6, not blocking", "udp", "unix"}
    pair = architecture.numbers["socketpair"]
    made = program(architecture, ())
    assert [verdict(made, architecture.audit, pair, family, 1, 0) for family in (UNIX, INET)] == [ALLOWED, EPERM]


def test_S08_ioctls_that_type_fail(architecture: Architecture) -> None:
    made, number = program(architecture, ()), architecture.numbers["ioctl"]
    codes = (0x5412, 0x541C, 0x5413, 0x1_0000_5412)
    assert [verdict(made, architecture.audit, number, 0, code) for code in codes] == [EPERM, EPERM, ALLOWED, EPERM]


def test_the_program_is_short_enough_for_the_kernel(architecture: Architecture) -> None:
    made = program(architecture, ("tcp", "udp", "unix", "route"))
    assert len(packed(made)) == 8 * len(made)
    assert len(made) < 4096
    assert max(max(yes, no) for _, yes, no, _ in made) < 256


def test_the_profile_for_seatbelt_is_as_it_was() -> None:
    layout = Layout(
        workspace=Path("/Users/ann/work"),
        home=Path("/Users/ann"),
        readable=("/Users/ann/.cargo",),
        hidden=("/Users/ann/.cargo/credentials.toml",),
    )
    protected = [layout.workspace / name for name in (".git/config", ".codetether")]
    made = profile(layout, protected, "/private/var/folders/x")
    assert made == Path(__file__).with_name("golden").joinpath("seatbelt.sb").read_text()


def test_a_name_cannot_end_a_rule_of_seatbelt() -> None:
    layout = Layout(workspace=Path('/a") (allow default) ; "'), home=Path("/h"))
    assert '(allow file-write* (subpath "/a\\") (allow default) ; \\"") (subpath "/s"))' in profile(layout, [], "/s")
