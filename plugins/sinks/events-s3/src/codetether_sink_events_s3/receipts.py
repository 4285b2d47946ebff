"""Receipts: which files of a spool are stored where, in a small journal beside them."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from attrs import frozen
from codetether import AppendFile, StorageError, private_directory, replace_file

from codetether_sink_events_s3.bucket import Abilities

FOLDER = ".archive"
KEPT = 2000
"""Receipts of files that are gone, above which the journal is written anew without them."""


@frozen(kw_only=True)
class Receipt:
    """A file of the spool that the archive holds. `at` is a Unix time in seconds."""

    sha256: str
    at: float


class Receipts:
    """The receipts of one target in one spool.

    They save questions: without them every file is offered to the store again, which refuses what it has. Everything
    blocks; only who holds the spool's lock may use them.
    """

    def __init__(self, spool: Path, target: str) -> None:
        self.path = spool / FOLDER / "receipts.jsonl"
        self.abilities = Abilities()
        self._target = target
        self._spool = spool
        self._held: dict[str, Receipt] = {}
        self._file: AppendFile | None = None
        self._seen: tuple[int, int] | None = None

    def load(self) -> None:
        """Reads what other processes have added. Raises StorageError."""
        if self._file is not None and self._file.distrusted:
            self.close()
        private_directory(self.path.parent)
        file = self._file = self._file or AppendFile(self.path)
        try:
            state = self.path.stat()
            seen = (state.st_ino, state.st_size)
            if seen == self._seen:
                return
            data = self.path.read_bytes()
        except OSError:  # somebody has removed it: a new one is begun
            self.close()
            self._file = AppendFile(self.path)
            data, seen = b"", None
        file = self._file
        assert file is not None
        file.offset = len(data)
        if data and not data.endswith(b"\n"):
            file.append(b"\n")
        self._held = {}
        for line in data.split(b"\n"):
            self._take(line)
        self._seen = None if seen is None else (seen[0], file.offset)
        self._tidy(data.count(b"\n"))

    def get(self, name: str) -> Receipt | None:
        """The receipt of a file, `<session>/<name>`."""
        return self._held.get(name)

    def add(self, name: str, sha256: str, size: int) -> None:
        """Writes a receipt. Raises StorageError; the file is then offered to the store again, and found there."""
        self._write({"file": name, "sha256": sha256, "bytes": size, "at": round(time.time(), 3)})

    def learn(self, abilities: Abilities) -> None:
        """Writes down what the store can do."""
        if abilities != self.abilities:
            self._write({"conditional": abilities.conditional, "checksum": abilities.checksum})

    def sync(self) -> None:
        """Makes the receipts durable. Raises StorageError."""
        if self._file is not None:
            self._file.sync()

    def close(self) -> None:
        """Closes the journal."""
        file, self._file, self._seen = self._file, None, None
        if file is not None:
            file.close()

    def _write(self, receipt: dict[str, Any]) -> None:
        file = self._file
        if file is None:
            raise StorageError("the receipts are not open")
        line = json.dumps({**receipt, "target": self._target}, separators=(",", ":")).encode()
        file.append(line + b"\n")
        if self._seen is not None:
            self._seen = (self._seen[0], file.offset)
        self._take(line)

    def _take(self, line: bytes) -> None:
        try:
            read = json.loads(line)
            if read["target"] != self._target:
                return
            if "file" in read:
                self._held[str(read["file"])] = Receipt(sha256=str(read["sha256"]), at=float(read["at"]))
            else:
                self.abilities = Abilities(conditional=read["conditional"], checksum=read["checksum"])
        except (ValueError, TypeError, KeyError):  # torn, or of a later version
            return

    def _tidy(self, lines: int) -> None:
        """Leaves out what is about files that are gone, when that is most of it. Other targets' receipts go too."""
        gone = [name for name in self._held if not (self._spool / name).exists()] if lines > 2 * KEPT else []
        if len(gone) <= KEPT:
            return
        kept = {name: receipt for name, receipt in self._held.items() if name not in set(gone)}
        rows: list[dict[str, Any]] = [
            {"conditional": self.abilities.conditional, "checksum": self.abilities.checksum, "target": self._target},
            *(
                {"file": name, "sha256": r.sha256, "bytes": 0, "at": r.at, "target": self._target}
                for name, r in kept.items()
            ),
        ]
        replace_file(self.path, b"".join(json.dumps(row, separators=(",", ":")).encode() + b"\n" for row in rows))
        self.close()
        self._file, self._held = AppendFile(self.path), kept
