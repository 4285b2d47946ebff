"""The archive: every sealed file of a spool is stored in the bucket exactly once, whatever fails or dies meanwhile."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from attrs import define
from codetether import (
    ArchiveProgress,
    ArchiveReport,
    Credentials,
    Disk,
    FileLock,
    StorageError,
    StreamFile,
    private_directory,
    read_sealed,
    stream_files,
    stream_sessions,
)

from codetether_sink_events_s3.bucket import Bucket, OtherContent, Stopped, StoreTroubled
from codetether_sink_events_s3.receipts import FOLDER, Receipts
from codetether_sink_events_s3.settings import MEBIBYTE, EventsS3Settings

WARNING = 0.8
"""The share of the quota from which on it is said."""
CLOSE_LIMIT = 0.5
"""Seconds that an upload on its way may hold up the end: it is done again, and found there or not."""
_ACCESS = ("access_key", "access_key_id", "aws_access_key_id")
_SECRET = ("secret_key", "secret_access_key", "aws_secret_access_key")
_TOKEN = ("session_token", "aws_session_token")

Told = Callable[[ArchiveProgress], None]


class S3Archive:
    """An EventArchive. The spool's files are their own queue; receipts only save questions.

    One process at a time works on a spool. A file is put under the key `<prefix><session>/<file>` on the condition that
    the key is free; where it is not, what is there must be equal by its SHA-256, else both are kept and it is said.
    """

    def __init__(self, settings: EventsS3Settings, credentials: Credentials, notice: Callable[[str], None]) -> None:
        self._settings = settings
        self._credentials = credentials
        self._notice = notice
        self._disk = Disk()
        self._bucket: Bucket | None = None
        self._receipts: dict[Path, Receipts] = {}
        self._whole: dict[Path, int] = {}  # directories in which everything is stored, by when they were changed
        self._warned = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bucket is not None:
            self._bucket.stop.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_LIMIT):
                await self._disk.call(self._close)
                await self._disk.close()

    async def archive(self, spool: Path, told: Told) -> ArchiveReport:
        """Stores what the bucket does not have."""
        if self._bucket is None:
            keys = await self._keys()
            self._bucket = await self._disk.call(Bucket, self._settings, keys)
        loop = asyncio.get_running_loop()

        def tell(progress: ArchiveProgress) -> None:
            with suppress(RuntimeError):  # nobody listens any more
                loop.call_soon_threadsafe(told, progress)

        bucket = self._bucket
        try:
            report = await self._disk.call(self._work, spool, bucket, tell)
        except asyncio.CancelledError:
            bucket.stop.set()
            raise
        if bucket.refused and self._bucket is bucket:
            await self._forget(bucket)
        return report

    async def _keys(self) -> dict[str, str]:
        """The arguments of boto3's client that hold keys; none for boto3's own chain."""
        if self._settings.access_key and self._settings.secret_key:
            return {
                "aws_access_key_id": self._settings.access_key,
                "aws_secret_access_key": self._settings.secret_key,
            }
        secret = await self._credentials.get("s3")
        values = {} if secret is None else secret.values
        named = {
            "aws_access_key_id": _ACCESS,
            "aws_secret_access_key": _SECRET,
            "aws_session_token": _TOKEN,
        }
        found = {key: next((str(values[n]) for n in names if values.get(n)), "") for key, names in named.items()}
        if found["aws_access_key_id"] and found["aws_secret_access_key"]:
            return {key: value for key, value in found.items() if value}
        return {}

    async def _forget(self, bucket: Bucket) -> None:
        """The keys are read anew next time: they may have been changed for that very reason."""
        self._bucket = None
        await self._disk.call(bucket.close)

    def _close(self) -> None:
        for receipts in self._receipts.values():
            with suppress(StorageError):
                receipts.sync()
            with suppress(StorageError):
                receipts.close()
        if self._bucket is not None:
            self._bucket.close()

    # -- on the thread

    def _work(self, spool: Path, bucket: Bucket, told: Told) -> ArchiveReport:
        bucket.stop.clear()
        if not spool.is_dir():
            return ArchiveReport()
        with self._locked(spool) as holder:
            if holder is not None:
                return ArchiveReport(busy=holder or -1)
            receipts = self._receipts.setdefault(spool, Receipts(spool, self._settings.target))
            receipts.load()
            bucket.abilities = receipts.abilities
            return self._store(spool, bucket, receipts, told)

    @contextmanager
    def _locked(self, spool: Path) -> Iterator[int | None]:
        """The spool, ours alone; the holder's process id where another has it, 0 where that is not known."""
        lock = FileLock(private_directory(spool / FOLDER) / "lock")
        if not lock.acquire():
            yield lock.holder() or 0
            return
        try:
            yield None
        finally:
            lock.release()

    def _store(self, spool: Path, bucket: Bucket, receipts: Receipts, told: Told) -> ArchiveReport:
        waiting = self._waiting(spool, receipts)
        self._check_quota(waiting)
        run = _Run(total=len(waiting), bytes=sum(file.size for file in waiting), told=told)
        for file in waiting:
            try:
                self._store_one(file, bucket, receipts, run)
            except OtherContent:
                self._notice(
                    f"ALARM: {self._settings.target}{file.name} holds other bytes than the file here. Neither was "
                    "changed: find out who wrote it, then remove one of them"
                )
                run.problem = run.problem or f"{file.name} is in the bucket with other content"
            except FileNotFoundError:
                run.gone(file)
            except StoreTroubled as trouble:
                run.problem = trouble.text
                break  # the others would fare no better
            except Stopped:
                run.problem = "it was stopped"
                break
            except StorageError as error:
                run.problem = run.problem or error.message
        with suppress(StorageError):  # what is not durable here is in the bucket all the same
            receipts.sync()
        if self._settings.retention_days is not None and not run.problem:
            self._remove_old(spool, bucket, receipts)
        return run.report()

    def _store_one(self, file: StreamFile, bucket: Bucket, receipts: Receipts, run: _Run) -> None:
        data = read_sealed(file)
        if len(data) != file.size:
            raise StorageError(f"{file.path} has {len(data)} bytes, and its name says {file.size}: it was changed")
        run.tell(file, 0)
        before = bucket.abilities
        digest = bucket.put(self._settings.prefix + file.name, data, lambda sent: run.tell(file, sent))
        run.stored(file)
        if bucket.abilities != before:
            self._say_abilities(bucket)
            receipts.learn(bucket.abilities)
        receipts.add(file.name, digest, len(data))

    def _waiting(self, spool: Path, receipts: Receipts) -> list[StreamFile]:
        """The sealed files without a receipt. A directory that is stored whole is read again when it has changed."""
        found: list[StreamFile] = []
        for session in stream_sessions(spool):
            directory = spool / session
            try:
                changed = directory.stat().st_mtime_ns
            except OSError:
                continue
            if self._whole.get(directory) == changed:
                continue
            files = [file for file in stream_files(spool, session) if file.sealed]
            missing = [file for file in files if receipts.get(file.name) is None]
            if not missing and time.time_ns() - changed > 2_000_000_000:  # clocks of file systems are coarse
                self._whole[directory] = changed
            found += missing
        return found

    def _check_quota(self, waiting: list[StreamFile]) -> None:
        size, quota = sum(file.size for file in waiting), self._settings.quota_mb * MEBIBYTE
        if size < WARNING * quota:
            self._warned = False
        elif not self._warned:
            self._warned = True
            self._notice(
                f"{size / MEBIBYTE:.0f} MB of events wait to be archived, {100 * size / quota:.0f} % of quota_mb "
                f"({self._settings.quota_mb}); nothing is dropped, but the disk fills: see to {self._settings.target}"
            )

    def _say_abilities(self, bucket: Bucket) -> None:
        if bucket.abilities.conditional is False:
            self._notice(
                f"{self._settings.target} knows no If-None-Match, so it is asked before each upload: two machines that "
                "upload the same file at the same moment would not notice each other"
            )
        if bucket.abilities.checksum is False:
            self._notice(
                f"{self._settings.target} keeps no SHA-256, so uploads are checked by MD5, and an object that is there "
                "already is read whole to compare it"
            )

    def _remove_old(self, spool: Path, bucket: Bucket, receipts: Receipts) -> None:
        """Files that were stored long enough ago, and still are. The last of a stream stays: it says where to go on."""
        limit = time.time() - (self._settings.retention_days or 0) * 86400
        for session in stream_sessions(spool):
            sealed = [file for file in stream_files(spool, session) if file.sealed]
            for file in sealed[:-1]:
                receipt = receipts.get(file.name)
                if receipt is None or receipt.at > limit:
                    continue
                with suppress(OtherContent, StoreTroubled, Stopped, FileNotFoundError, StorageError):
                    data = read_sealed(file)
                    if bucket.holds(self._settings.prefix + file.name, data):
                        file.remove()


@define
class _Run:
    """One look at the spool: what was to be stored, what is, what went wrong."""

    total: int
    bytes: int
    told: Told
    done: int = 0
    done_bytes: int = 0
    new: int = 0
    new_bytes: int = 0
    problem: str = ""

    def tell(self, file: StreamFile, sent: int) -> None:
        self.told(
            ArchiveProgress(
                file=file.name,
                sent=sent,
                size=file.size,
                done=self.done,
                files=self.total,
                done_bytes=self.done_bytes,
                bytes=self.bytes,
            )
        )

    def stored(self, file: StreamFile) -> None:
        self.gone(file)
        self.new += 1
        self.new_bytes += file.size

    def gone(self, file: StreamFile) -> None:
        self.done += 1
        self.done_bytes += file.size

    def report(self) -> ArchiveReport:
        return ArchiveReport(
            stored=self.new,
            stored_bytes=self.new_bytes,
            waiting=self.total - self.done,
            waiting_bytes=self.bytes - self.done_bytes,
            problem=self.problem,
        )
