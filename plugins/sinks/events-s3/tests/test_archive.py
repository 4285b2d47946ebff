"""Every sealed file is in the bucket once, equal by SHA-256, whatever the network, the store and the disk do."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import random
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError  # type: ignore[import-untyped]
from codetether import ArchiveProgress, ArchiveReport, FileLock
from codetether.record import archiving
from codetether.record.archiving import Archives, Archiving, NamedArchive
from codetether.storage import durable
from codetether_sink_events_s3 import bucket
from codetether_sink_events_s3.weather import FAULTS, Fault

from .conftest import Keyless, Site


async def test_what_is_sealed_is_stored_and_asked_about_no_more(site: Site) -> None:
    for session in ("s1", "s1", "s2"):
        site.seal(session)
    (site.spool / "s2" / f"chat-events-{9000:020}.open").write_bytes(b"still written\n")
    (site.spool / "s2" / "notes.txt").write_text("nothing of ours")
    size = sum(path.stat().st_size for path in site.spool.glob("*/*.jsonl"))
    assert await site.run() == ArchiveReport(stored=3, stored_bytes=size)
    assert site.stored() == site.sealed()
    head = site.client.head_object(Bucket=site.name, Key=min(site.sealed()), ChecksumMode="ENABLED")
    assert (head["ContentType"], bool(head["ChecksumSHA256"])) == ("application/x-ndjson", True)
    site.weather.asked.clear()
    assert await site.run() == ArchiveReport()
    new = site.seal()
    assert (await site.run()).stored == 1
    assert site.weather.asked == [f"PUT /{site.name}/events/s1/{new.name}"]
    assert site.said == []


async def test_progress_tells_files_and_bytes(site: Site) -> None:
    for _ in range(3):
        site.seal(size=200_000)
    told: list[ArchiveProgress] = []
    await site.run(told.append)
    assert {(p.files, p.bytes, p.size) for p in told} == {(3, 3 * 400_001, 400_001)}
    assert {p.done for p in told} == {0, 1, 2}
    assert max(p.sent for p in told) == 400_001
    assert [p.done_bytes for p in told] == sorted(p.done_bytes for p in told)


async def test_without_receipts_everything_is_found_in_the_store(site: Site) -> None:
    for _ in range(3):
        site.seal()
    await site.run()
    (site.spool / ".archive" / "receipts.jsonl").unlink()
    assert (await site.run()).waiting == 0
    assert site.stored() == site.sealed()


@pytest.mark.parametrize("torn", [b"{", b'{"file":"s1/x"', b"\xff\n", b"null\n[]\n"])
async def test_receipts_may_be_torn(site: Site, torn: bytes) -> None:
    site.seal()
    await site.run()
    with (site.spool / ".archive" / "receipts.jsonl").open("ab") as file:
        file.write(torn)
    site.seal()
    assert (await site.run()).stored == 1
    site.weather.asked.clear()
    assert await site.run() == ArchiveReport()
    assert site.weather.asked == []
    assert site.stored() == site.sealed()


async def test_D12_an_object_with_other_bytes_is_never_overwritten(site: Site) -> None:
    path = site.seal()
    key = f"events/s1/{path.name}"
    same_length = b"x" * path.stat().st_size
    for other in (b"something else", same_length):
        before = site.client.put_object(Bucket=site.name, Key=key, Body=other)["VersionId"]
        report = await site.run()
        assert (report.stored, report.waiting) == (0, 1)
        assert report.problem == f"s1/{path.name} is in the bucket with other content"
        versions = site.client.list_object_versions(Bucket=site.name, Prefix=key)["Versions"]
        assert next(v for v in versions if v["IsLatest"])["VersionId"] == before
    assert site.said[0].startswith("ALARM: ")
    assert path.exists()
    site.seal("s2")  # the alarm stops nobody else
    assert (await site.run()).stored == 1


async def test_D13_an_answer_that_is_lost_costs_no_second_object(site: Site) -> None:
    site.seal()
    faults: list[Fault] = ["lost", "lost late", "lost"]
    site.weather.fault = lambda method, path: faults.pop() if faults and method == "PUT" else ""
    assert (await site.run()).stored == 1
    assert site.stored() == site.sealed()


@pytest.mark.parametrize("fault", FAULTS)
async def test_any_weather_passes(site: Site, fault: Fault) -> None:
    for session in ("s1", "s2", "s3"):
        site.seal(session)
    chance = random.Random(3)
    site.weather.fault = lambda method, path: fault if chance.random() < 0.5 else ""
    async with site.archive() as archive:
        for _ in range(30):
            report = await archive.archive(site.spool, lambda progress: None)
            if not report.waiting:
                break
            assert report.problem
        else:
            pytest.fail("not everything was stored")
    assert site.stored() == site.sealed()


async def test_a_wall_of_faults_is_told_and_loses_nothing(site: Site) -> None:
    site.seal()
    said = {}
    for fault in FAULTS:
        if fault not in ("delay", "lost", "lost late"):
            site.weather.fault = lambda method, path, fault=fault: fault  # type: ignore[misc]
            report = await site.run()
            said[fault] = report.problem.replace(site.settings.target, "STORE")
            assert (report.stored, report.waiting) == (0, 1)
    assert said == {
        "drop": "STORE cannot be reached (ConnectionClosedError)",
        "drop half": "STORE cannot be reached (ConnectionClosedError)",
        "slow down": "STORE is busy (SlowDown, status 503)",
        "conflict": "STORE is busy (ConditionalRequestConflict, status 409)",
        "taken": said["taken"],
        "denied": "STORE refuses (AccessDenied, status 403): the keys may not do this: they need s3:PutObject and "
        "s3:GetObject on the prefix",
        "skew": "STORE refuses (RequestTimeTooSkewed, status 403): this machine's clock is wrong: set it",
    }
    assert site.stored() == {}
    site.weather.fault = lambda method, path: ""
    assert (await site.run()).stored == 1


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"secret_key": "wrong-secret-wrong"}, "SignatureDoesNotMatch, status 403): the secret key is not"),
        ({"access_key": "nobodys-key"}, "InvalidAccessKeyId, status 403): the store does not know the access key"),
        ({"endpoint": "http://127.0.0.1:9"}, "cannot be reached (EndpointConnectionError)"),
        ({"endpoint": "http://name:pa55word@127.0.0.1:9"}, "127.0.0.1:9/"),
    ],
)
async def test_what_takes_somebody_to_mend_is_told_without_keys(site: Site, changes: dict[str, Any], told: str) -> None:
    site.seal()
    report = await site.run(**changes)
    assert (report.stored, report.waiting) == (0, 1)
    assert told in report.problem
    for secret in ("wrong-secret", "nobodys-key", "pa55word", site.settings.access_key, site.settings.secret_key):
        assert secret is not None
        assert secret not in report.problem + repr(site.settings) + "".join(site.said)


async def test_K01_logs_of_every_library_at_level_debug_hold_no_key(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    site.seal()
    await site.run()
    site.seal()
    assert "AccessDenied" in str(await _denied(site))
    for secret in (site.settings.access_key, site.settings.secret_key, "Signature=", "StringToSign"):
        assert secret is not None
        assert secret not in caplog.text


async def _denied(site: Site) -> str:
    site.weather.fault = lambda method, path: "denied"
    problem: str = (await site.run()).problem
    return problem


async def test_an_hour_without_the_store_is_waited_through(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock of its own: the pauses grow to a minute, it is said once, and afterwards everything is there once."""
    monkeypatch.setattr(bucket, "TRIES", 1)
    clock, hour, met = 0.0, 3600.0, 0

    def fault(method: str, path: str) -> Fault:
        nonlocal met
        met += clock < hour
        return "drop" if clock < hour else ""

    async def sleep(event: asyncio.Event, seconds: float) -> None:
        nonlocal clock
        clock += seconds
        if clock < hour:
            site.seal(f"s{int(clock) % 5}")
        elif clock > hour + 120:
            ended.set()
            await event.wait()
        await asyncio.sleep(0)

    site.seal()
    site.weather.fault = fault
    ended = asyncio.Event()
    async with site.archive() as made:

        async def make() -> Archives:
            return Archives(spools=(site.spool,), archives=(NamedArchive(name="s3", archive=made),))

        work = Archiving(make, site.said.append, sleep=sleep)
        await work.start()
        async with asyncio.timeout(60):
            await ended.wait()
        await work.close()
    assert site.stored() == site.sealed()
    assert 60 < met < 400, "attempts in an hour: about a hundred, by chance more or less, where pauses grow"
    target = site.settings.target
    assert site.said == [
        f"s3 waits, and tries again: {target} cannot be reached (ConnectionClosedError)",
        "s3 works again",
    ]


async def test_the_end_is_bounded_and_the_next_process_does_the_rest(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        site.seal()
    site.weather.delay, site.weather.fault = 6.0, lambda method, path: "delay"

    async def make() -> Archives:
        return Archives(spools=(site.spool,), archives=(NamedArchive(name="s3", archive=made),))

    began = time.monotonic()
    async with site.archive() as made:
        work = Archiving(make, site.said.append)
        await work.start()
        await asyncio.sleep(0.5)
        await work.close(0.5)
    assert time.monotonic() - began < 4
    assert site.said == ["s3 could not look at what is to be archived; nothing is lost: codetether events flush"]
    site.weather.delay, site.weather.fault = 0.0, lambda method, path: ""
    async with asyncio.timeout(20):
        while (report := await site.run()).busy or report.waiting:  # noqa: ASYNC110 - the other one tells nobody
            await asyncio.sleep(0.1)
    assert site.stored() == site.sealed()
    assert archiving.EXIT_LIMIT == 5.0


async def test_one_at_a_time_works_on_a_spool(site: Site) -> None:
    for number in range(10):
        site.seal(f"s{number}")
    lock = FileLock(durable.private_directory(site.spool / ".archive") / "lock")
    assert lock.acquire()
    assert await site.run() == ArchiveReport(busy=os.getpid())
    lock.release()
    reports = await asyncio.gather(*(site.run() for _ in range(4)))
    assert sum(r.stored for r in reports) == 10
    assert site.stored() == site.sealed()
    assert len(site.weather.puts()) == 11  # and the one that shows that the store keeps its word


async def test_two_targets_of_one_spool_have_each_their_own_receipts(site: Site) -> None:
    site.seal()
    assert (await site.run()).stored == 1
    assert (await site.run(prefix="copy/")).stored == 1
    assert set(site.stored()) == {key for k in site.sealed() for key in (k, k.replace("events/", "copy/", 1))}
    assert await site.run() == ArchiveReport()


async def test_files_are_removed_when_they_were_stored_long_enough_ago(site: Site) -> None:
    paths = [site.seal() for _ in range(3)]
    other = site.seal("s2")
    before = site.sealed()
    await site.run(retention_days=1)
    assert all(path.exists() for path in paths)
    await site.run(retention_days=0)
    assert [path.exists() for path in (*paths, other)] == [False, False, True, True]  # the last says where to go on
    assert await site.run(retention_days=0) == ArchiveReport()
    assert site.stored() == before


async def test_what_the_store_has_lost_is_not_removed_here(site: Site) -> None:
    first, _ = site.seal(), site.seal()
    await site.run()
    site.client.delete_object(Bucket=site.name, Key=f"events/s1/{first.name}")
    await site.run(retention_days=0)
    assert first.exists()


async def test_objects_are_locked_where_that_is_asked_for(site: Site) -> None:
    name = f"{site.name}-locked"
    site.client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    path = site.seal()
    assert (await site.run(bucket=name, lock_mode="compliance", lock_days=3)).stored == 1
    key = f"events/s1/{path.name}"
    head = site.client.head_object(Bucket=name, Key=key)
    left = head["ObjectLockRetainUntilDate"] - datetime.now(UTC)
    assert (head["ObjectLockMode"], left.days) == ("COMPLIANCE", 2)
    with pytest.raises(ClientError, match="AccessDenied"):
        site.client.delete_object(Bucket=name, Key=key, VersionId=head["VersionId"])


async def test_a_lock_needs_a_bucket_that_has_it(site: Site) -> None:
    site.seal()
    bare = f"{site.name}-bare"
    site.client.create_bucket(Bucket=bare)
    report = await site.run(bucket=bare, lock_mode="governance")
    assert (report.stored, report.waiting) == (0, 1)
    assert "object lock" in report.problem


async def test_a_spool_that_fills_is_told_at_80_percent(site: Site) -> None:
    site.weather.fault = lambda method, path: "drop"
    for number in range(2):
        site.seal(f"s{number}", size=440_000)  # in hexadecimal it is twice that
        await site.run(quota_mb=2)
    assert site.said == [
        "2 MB of events wait to be archived, 84 % of quota_mb (2); nothing is dropped, but the disk fills: see to "
        + site.settings.target
    ]


async def test_a_file_that_was_changed_is_not_stored(site: Site) -> None:
    path = site.seal()
    path.write_bytes(b"cut")
    good = site.seal("s2")
    report = await site.run()
    assert (report.stored, report.waiting) == (1, 1)
    assert "it was changed" in report.problem
    assert set(site.stored()) == {f"events/s2/{good.name}"}


async def test_links_are_not_followed(site: Site, tmp_path: Path) -> None:
    path = site.seal()
    secret = tmp_path / "secret"
    secret.write_bytes(b"x" * 5)
    (site.spool / "s1" / f"20260102T030405Z-chat-events-{0:020}-{5:020}.jsonl").symlink_to(secret)
    (site.spool / "s9").symlink_to(tmp_path)
    assert (await site.run()).stored == 1
    assert set(site.stored()) == {f"events/s1/{path.name}"}


async def test_keys_come_from_the_settings_else_the_sources_else_botos_own_chain(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    access, secret = site.settings.access_key, site.settings.secret_key
    assert access is not None
    assert secret is not None
    none: dict[str, Any] = {"access_key": None, "secret_key": None}
    site.seal()
    assert "give keys by CODETETHER_S3_ACCESS_KEY" in (await site.run(**none)).problem
    site.credentials = Keyless(access_key=access, secret_key=secret)
    assert (await site.run(**none)).stored == 1
    site.credentials = Keyless()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", access)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    site.seal()
    assert (await site.run(**none)).stored == 1


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, errno.EACCES, errno.EMFILE, errno.EROFS])
async def test_every_operation_on_the_spool_fails_once(site: Site, error: int) -> None:
    """Whatever the disk refuses is told, nothing is stored twice, and when it works again nothing is missing."""
    at, seen, names = 0, 0, set()

    def failing(operation: str, path: Path) -> None:
        nonlocal seen
        seen += 1
        if seen == at:
            names.add(operation)
            raise OSError(error, os.strerror(error))

    async with site.archive() as archive:
        site.seal()
        await archive.archive(site.spool, lambda progress: None)
        while True:
            at, seen = at + 1, 0
            site.seal(f"s{at % 3}")
            durable.failpoint = failing
            report = ArchiveReport(problem="raised")
            try:
                report = await archive.archive(site.spool, lambda progress: None)
            except Exception as raised:
                assert os.strerror(error) in str(raised)  # noqa: PT017
            durable.failpoint = None
            if seen < at:
                break
            assert report.problem or not report.waiting, names
            again = await archive.archive(site.spool, lambda progress: None)
            assert (again.waiting, again.problem) == (0, "")
    assert {"read", "write", "fsync", "lock"} <= names
    assert site.stored() == site.sealed()
    assert not [line for line in site.said if "ALARM" in line]
