"""Entries arrive at a real syslog socket, and one that cannot be sent is an error."""

from __future__ import annotations

import asyncio
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from codetether import AuditEntry, AuditFailed, StorageError, from_json
from codetether.record.redact import Redactor
from codetether.record.sinks import AuditTrail
from codetether.settings.settings import load_settings
from codetether_sink_audit_syslog import plugin
from codetether_sink_audit_syslog.settings import AuditSyslogSettings
from codetether_sink_audit_syslog.syslog import Syslog

HEAD = re.compile(rb"<(\d+)>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z) (\S+) codetether (\d+) audit - (\{.*\})")


def entry(number: int, **more: Any) -> AuditEntry:
    made = {"category": "tool_execution", "action": "tool:bash", "outcome": "intent", **more}
    return AuditEntry(id=f"{number:032}", timestamp=datetime(2026, 3, 1, 12, 0, 0, number, UTC), **made)


@contextmanager
def datagrams(family: int, address: Any) -> Iterator[socket.socket]:
    with socket.socket(family, socket.SOCK_DGRAM) as server:
        server.bind(address)
        server.settimeout(5)
        yield server


async def send(sink: Syslog, each: AuditEntry) -> bool:
    """Whether it was sent at once, without the thread."""
    made = sink.record(each)
    if made is not None:
        await made
    return made is None


def read(message: bytes) -> tuple[int, AuditEntry]:
    found = HEAD.fullmatch(message)
    assert found is not None, message
    made = from_json(found[5], AuditEntry)
    assert found[2].decode() == made.timestamp.isoformat(timespec="microseconds").replace("+00:00", "Z")
    return int(found[1]), made


async def test_entries_arrive_at_a_local_socket_and_at_udp(tmp_path: Path) -> None:
    sent = [entry(1), entry(2, outcome="denied", detail={"text": "two\nlines\r\0 and \u2028 ünïcode"})]
    with datagrams(socket.AF_UNIX, str(tmp_path / "log")) as local, datagrams(socket.AF_INET, ("127.0.0.1", 0)) as udp:
        port = udp.getsockname()[1]
        for server, address in ((local, str(tmp_path / "log")), (udp, f"udp://127.0.0.1:{port}")):
            async with Syslog(AuditSyslogSettings(address=address)) as sink:
                assert [await send(sink, each) for each in sent] == [False, True]  # connected by the first
            found = [read(server.recv(65536)) for _ in sent]
            assert found == [(10 * 8 + 6, sent[0]), (10 * 8 + 4, sent[1])]  # authpriv: informational, warning


async def test_entries_arrive_at_tcp_and_again_after_the_server_was_away() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        async with Syslog(AuditSyslogSettings(address=address, facility="local3")) as sink:
            assert [await send(sink, entry(n)) for n in (1, 2)] == [False, True]
            first, _ = server.accept()
            with first, first.makefile("rb") as lines:
                found = [read(lines.readline().rstrip(b"\n")) for _ in range(2)]
                assert found == [(19 * 8 + 6, entry(n)) for n in (1, 2)]
                first.shutdown(socket.SHUT_RDWR)
            await send(sink, entry(3))
            second, _ = server.accept()
            with second, second.makefile("rb") as lines:
                assert read(lines.readline().rstrip(b"\n"))[1] == entry(3)
            server.close()
            with pytest.raises(StorageError, match=rf"syslog at {address} did not take the entry"):
                await send(sink, entry(4))


async def test_what_a_full_stream_does_not_take_at_once_follows_and_nothing_overtakes(tmp_path: Path) -> None:
    sent = [entry(n, detail={"text": "x" * 300_000}) for n in range(4)]
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(str(tmp_path / "log"))
        server.listen()
        async with Syslog(AuditSyslogSettings(address=str(tmp_path / "log"), limit=10**6)) as sink:
            await send(sink, entry(9))
            line, _ = server.accept()
            with line, line.makefile("rb") as lines:
                waiting = asyncio.gather(*(send(sink, each) for each in sent))
                found = [read((await asyncio.to_thread(lines.readline)).rstrip(b"\n"))[1] for _ in range(5)]
    assert (await waiting, found) == ([False] * 4, [entry(9), *sent])


async def test_an_entry_that_is_too_long_goes_without_its_detail(tmp_path: Path) -> None:
    with datagrams(socket.AF_UNIX, str(tmp_path / "log")) as server:
        async with Syslog(AuditSyslogSettings(address=str(tmp_path / "log"), limit=1024)) as sink:
            await send(sink, entry(1, detail={"text": "x" * 5000}))
        _, found = read(server.recv(65536))
    assert re.fullmatch(r"\d+ bytes are too long for this syslog", str(found.detail["left_out"]))
    assert (found.id, found.action) == (entry(1).id, "tool:bash")


async def test_required_nothing_starts_without_the_server_and_all_goes_on_once_it_is_there(tmp_path: Path) -> None:
    said: list[str] = []
    (spec,) = plugin.codetether_audit_sinks()
    async with Syslog(AuditSyslogSettings(address=str(tmp_path / "log"))) as sink:
        trail = AuditTrail([("audit-syslog", evolve(spec, required=True), sink)], Redactor(), "me@here", said.append)
        for _ in range(3):
            with pytest.raises(AuditFailed, match=r"did not take the entry: No such file or directory"):
                await trail.record("tool_execution", "tool:bash", "intent")
        with datagrams(socket.AF_UNIX, str(tmp_path / "log")) as server:
            await trail.record("tool_execution", "tool:bash", "intent")
            assert read(server.recv(65536))[1].action == "tool:bash"
    assert [text.partition(":")[0] for text in said] == [
        'audit sink "audit-syslog" (audit-syslog) fails',
        'audit sink "audit-syslog" (audit-syslog) works again; 3 audit entries did not reach it',
    ]


async def test_it_is_off_without_an_address_and_takes_one_from_the_environment(tmp_path: Path) -> None:
    (spec,) = plugin.codetether_audit_sinks()

    class Context:
        settings = AuditSyslogSettings()

    assert spec.create(Context()) is None  # type: ignore[arg-type]
    environment = {"CODETETHER_HOME": str(tmp_path), "CODETETHER_AUDIT_SYSLOG": "/dev/log"}
    made = load_settings(tmp_path, environment=environment).plugin("audit-syslog", AuditSyslogSettings)
    assert made == AuditSyslogSettings(address="/dev/log")


@pytest.mark.parametrize("address", ["/dev/log", "udp://host", "tcp://host:6514", "udp://[::1]:514", ""])
def test_addresses(address: str) -> None:
    assert AuditSyslogSettings(address=address).address == address


@pytest.mark.parametrize("address", ["host", "udp://", "http://host", "tcp://host:port", "log"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="address"):
        AuditSyslogSettings(address=address)


def test_a_server_that_swallows_nothing_holds_up_no_end() -> None:
    """The program ends though the server accepts and never reads."""
    program = """
import asyncio, sys
from datetime import UTC, datetime
from codetether import AuditEntry
from codetether_sink_audit_syslog.settings import AuditSyslogSettings
from codetether_sink_audit_syslog.syslog import Syslog

async def main():
    sink = Syslog(AuditSyslogSettings(address=sys.argv[1], limit=10**9))
    entry = AuditEntry(id="1", timestamp=datetime.now(UTC), category="x", action="x", outcome="intent",
                       detail={"x": "y" * 50_000_000})
    try:
        await asyncio.wait_for(sink.record(entry), 0.5)
    except TimeoutError:
        print("given up")

asyncio.run(main())
"""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        done = subprocess.run([sys.executable, "-c", program, address], capture_output=True, timeout=20, check=False)
    assert (done.stdout, done.returncode) == (b"given up\n", 0)
