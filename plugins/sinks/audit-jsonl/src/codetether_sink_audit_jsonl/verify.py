"""Whether an audit log is what was written: every file, line by line, against its chain and its anchors."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

from attrs import frozen
from codetether import derived_key

from codetether_sink_audit_jsonl.chain import GENESIS, Link, link_of, mac
from codetether_sink_audit_jsonl.files import LINE_LIMIT, LogFile, files_of, lines, opened

_BEGINNING, _ANCHOR = b'{"id":"', b'{"at":"'
_WITNESS = re.compile(
    rb'\\?"log\\?": ?\\?"([0-9a-f]{16})\\?",'
    rb' ?\\?"records\\?": ?(\d{1,18}), ?\\?"head\\?": ?\\?"([0-9a-f]{64})'
)


@frozen
class Bad:
    """The first record that is not as it was written: its file, its line there (from 1), and why."""

    file: Path
    line: int
    why: str


@frozen(kw_only=True)
class Anchor:
    """What an anchor says: that record number `records` has the MAC `head`. `said` names the anchor."""

    records: int
    head: bytes
    said: str


@frozen(kw_only=True)
class Verdict:
    """What was found.

    Attributes:
        records: how many are proven, up to the first bad one. bad: None where everything is well.
        notes: what is no fault and worth knowing, a sentence each.
    """

    records: int
    bad: Bad | None = None
    notes: tuple[str, ...] = ()


class _Found(Exception):
    """Something is wrong."""

    def __init__(self, file: Path, line: int, why: str) -> None:
        super().__init__(why)
        self.bad = Bad(file, line, why)


def verify(log: Path, keys: Sequence[bytes], anchors: Path, witnesses: Sequence[Path] = ()) -> Verdict:
    """Reads the whole log. Never raises for what it finds there.

    Args:
        log: the open file; the full ones beside it belong to it.
        keys: the audit key, and former ones of the same log.
        anchors: the log's own file of anchors.
        witnesses: files of any kind in which others stored entries `audit:anchor`.
    """
    return _Reading(log, keys).verdict(anchors, witnesses)


class _Line(NamedTuple):
    file: LogFile
    number: int
    data: bytes


class _Reading:
    """One pass over a log."""

    def __init__(self, log: Path, keys: Sequence[bytes]) -> None:
        self._log = log
        self._keys = keys
        self._records = 0
        self._notes: list[str] = []
        self._next = (log, 1)  # where the next record would stand
        self._newest: BinaryIO | None = None

    def verdict(self, anchors: Path, witnesses: Sequence[Path]) -> Verdict:
        """What one pass finds. The anchors are read first: what is added meanwhile does not miss in them."""
        try:
            due: list[Anchor] = []
            fault: _Found | None = None
            try:
                due.extend(self._own_anchors(anchors))
            except _Found as found:  # what the log itself shows is told first
                fault = found
            self._walk(due, witnesses)
            if fault is not None:
                raise fault
        except _Found as found:
            return Verdict(records=self._records, bad=found.bad, notes=tuple(self._notes))
        finally:
            if self._newest is not None:
                self._newest.close()
        return Verdict(records=self._records, notes=tuple(self._notes))

    # -- anchors

    def _own_anchors(self, path: Path) -> Iterator[Anchor]:
        seq, prev = 0, GENESIS
        keys = [derived_key(key, "anchor") for key in self._keys]
        for number, line in enumerate(_read(path, "no anchors of this log"), 1):
            if not line.endswith(b"\n") and seq and (line.startswith(_ANCHOR) or _ANCHOR.startswith(line)):
                continue  # an unfinished write: the next one cuts it
            link = link_of(line[:-1])
            seq += 1
            if link is None or not _signed(line, link, keys):
                raise _Found(path, number, "this anchor was changed, or another key wrote it")
            if (link.seq, link.prev) != (seq, prev):
                raise _Found(path, number, f"this is anchor {link.seq} where anchor {seq} belongs")
            prev = link.mac
            said = json.loads(line)
            yield Anchor(records=said["records"], head=said["head"].encode(), said=f"the anchor of {said['at']}")
        if not seq:
            raise _Found(path, 1, "no anchor of this log is left")

    # -- the log

    def _walk(self, own: Sequence[Anchor], witnesses: Sequence[Path]) -> None:
        chain = _Chain([derived_key(key, "chain") for key in self._keys], own[0].records if own else None)
        due: dict[int, list[Anchor]] = {}
        for anchor in own:
            due.setdefault(anchor.records, []).append(anchor)
        for line in self._lines():
            began = chain.name
            why = chain.follow(line.data)
            if why:
                raise _Found(line.file.path, line.number, why)
            if chain.name != began:
                for anchor in _witnessed(witnesses, chain.name):
                    due.setdefault(anchor.records, []).append(anchor)
            for anchor in due.pop(chain.records, ()) if chain.name else ():
                if anchor.head != chain.prev:
                    why = f"{anchor.said} knows another record {chain.records}: the log was rewritten or replaced"
                    raise _Found(line.file.path, line.number, why)
            self._records = chain.records if chain.name else 0
        self._check_end(chain, own, due)

    def _check_end(self, chain: _Chain, own: Sequence[Anchor], due: Mapping[int, Sequence[Anchor]]) -> None:
        beyond = [anchor for records in sorted(due) if records > chain.records for anchor in due[records]]
        if beyond:
            first, end = chain.records + 1, beyond[-1].records
            what = f"records {first} to {end} are" if end > first else f"record {end} is"
            raise _Found(*self._next, f"{what} missing: {beyond[-1].said} knows of them")
        if chain.records and not chain.name:
            raise _Found(*self._next, "no line has a MAC: written before there was a chain, or forged")
        if own and own[0].records not in (0, chain.adopted):
            why = f"the anchors begin with record {own[0].records}: those before it were removed"
            raise _Found(*self._next, why)

    def _lines(self) -> Iterator[_Line]:
        """Every whole line of every file. What is wrong with the files themselves is raised."""
        files = self._snapshot()
        at = 0
        for file in files:
            if file.first not in (None, at):
                why = f"byte {at} of the log belongs here, and by its name this file begins with byte {file.first}"
                raise _Found(file.path, 1, f"{why}: a file was removed, renamed or added")
            number, self._next = 0, (file.path, 1)
            for number, data in enumerate(
                _read(file.path, "it is gone", self._newest if file.end is None else None), 1
            ):
                at += len(data)
                if data.endswith(b"\n"):
                    self._next = (file.path, number + 1)
                    yield _Line(file, number, data)
                else:
                    self._unfinished(file, number, data)
            if file.end not in (None, at):
                why = f"by its name this file ends with byte {file.end} of the log, and it ends with byte {at}"
                raise _Found(file.path, max(number, 1), f"{why}: it was cut, added to or renamed")

    def _snapshot(self) -> list[LogFile]:
        """The files as they stood at one moment, the open one opened: then it may be sealed while it is read."""
        try:
            files = files_of(self._log)
            while True:
                self._newest = opened(self._log) if files and files[-1].end is None else None
                if (now := files_of(self._log)) == files:
                    break
                files = now
                if self._newest is not None:
                    self._newest.close()
        except OSError as error:
            raise _Found(self._log, 0, f"cannot be read: {error.strerror or error}") from error
        if not files:
            raise _Found(self._log, 0, "there is no audit log here")
        return files

    def _unfinished(self, file: LogFile, number: int, data: bytes) -> None:
        """A last line without its end is what a crash leaves in the open file; anything else is no accident."""
        torn = data.startswith(_BEGINNING) or _BEGINNING.startswith(data) or not data.strip(b"\0")
        if file.end is not None or not torn or len(data) >= LINE_LIMIT:
            raise _Found(file.path, number, "this is no record, and no beginning of one")
        self._notes.append(
            f"{file.path}:{number}: an unfinished write of {len(data)} bytes, as a crash leaves it; it was not"
            " acknowledged, and the next run cuts it off and notes it"
        )


class _Chain:
    """Follows the log's lines.

    Attributes:
        records: lines so far. adopted: those before the first with a MAC, which covers them all.
        prev: the MAC of the last. name: the beginning of the first; empty before it.
    """

    def __init__(self, keys: Sequence[bytes], adoptable: int | None) -> None:
        """`adoptable`: how many lines may stand before the first with a MAC; None where nobody knows."""
        self.records = 0
        self.adopted = 0
        self._adoptable = adoptable
        self.prev = GENESIS
        self.name = b""
        self._keys = keys
        self._before = [hmac.new(key, digestmod=hashlib.sha256) for key in keys]

    def follow(self, line: bytes) -> str:
        """Takes the next line with its line end; why it is not the next, empty where it is."""
        link = link_of(line[:-1])
        if link is None:
            return self._unlinked(line)
        if not _signed(line, link, self._keys):
            return "its MAC does not fit: it was changed, or another key wrote it"
        if link.seq != self.records + 1:
            return f"this is record {link.seq} where record {self.records + 1} belongs"
        if link.prev != self.prev and not self._covers(link):
            return "it does not follow the record before it"
        self.records += 1
        self.prev = link.mac
        self.name = self.name or link.mac[:16]
        return ""

    def _unlinked(self, line: bytes) -> str:
        if self.name or self.adopted == self._adoptable:
            return "it has no MAC: it was added or changed"
        for before in self._before:
            before.update(line)
        self.records += 1
        self.adopted += 1
        return ""

    def _covers(self, link: Link) -> bool:
        """Whether a first link holds the MAC of all that stands before it."""
        return not self.name and any(before.hexdigest().encode() == link.prev for before in self._before)


def _signed(line: bytes, link: Link, keys: Sequence[bytes]) -> bool:
    for key in keys:  # noqa: SIM110 - a loop, because it runs for every line
        if hmac.compare_digest(mac(key, line[: link.signed]), link.mac):
            return True
    return False


def _read(path: Path, absent: str, file: BinaryIO | None = None) -> Iterator[bytes]:
    try:
        yield from lines(file or opened(path))
    except FileNotFoundError:
        raise _Found(path, 0, absent) from None
    except OSError as error:
        raise _Found(path, 0, f"cannot be read: {error.strerror or error}") from error


def _witnessed(paths: Sequence[Path], name: bytes) -> Iterator[Anchor]:
    """The anchors of the log of that name that other sinks stored, whatever stands around them."""
    for path in paths:
        found = False
        for line in _read(path, "it is not there"):
            for told in _WITNESS.finditer(line):
                if told[1] == name:
                    found = True
                    yield Anchor(records=int(told[2]), head=told[3], said=f"the anchor in {path.name}")
        if not found:
            raise _Found(path, 0, "no anchor of this log is in it")
