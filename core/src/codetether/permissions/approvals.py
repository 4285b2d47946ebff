"""Keeps what a person allowed for 30 days: a small private file for each approval."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import field

from codetether.errors import StorageError
from codetether.models.approvals import ApprovalRequest, KeptApproval
from codetether.storage.durable import private_directory, read, refusals, replace, sync_directory
from codetether.values import define
from codetether.wire import from_json, to_json

if TYPE_CHECKING:
    from codetether.permissions.requests import Prepared

LASTS = timedelta(days=30)
ID_LENGTH = 16


def approvals_of(state: Path) -> Path:
    """Where they are kept: in the state directory, which no tool may touch."""
    return state / "approvals"


@define(kw_only=True)
class Approvals:
    """The approvals of a user, and those of sessions, which are held in memory only.

    One file each, so that two processes never undo what the other did. All methods that touch files block.
    """

    directory: Path
    now: Callable[[], datetime] = partial(datetime.now, UTC)
    _of_sessions: dict[str, set[str]] = field(factory=dict)

    def of_session(self, session_id: str) -> set[str]:
        """The keys of what was allowed for a session, for as long as this process lives."""
        return self._of_sessions.setdefault(session_id, set())

    def find(self, key: str) -> KeptApproval | None:
        """The approval with that key, if there is one and it has not expired."""
        found = self._read(self._path(key[:ID_LENGTH]))
        return found if found and found.key == key and self.now() < found.expires_at else None

    def new(self, made: Prepared, shown: ApprovalRequest, *, by: str, session_id: str) -> KeptApproval:
        """An approval of what was shown, from now on for 30 days; it holds once it is kept."""
        now = self.now()
        return KeptApproval(
            id=made.key[:ID_LENGTH],
            key=made.key,
            tool=shown.tool,
            about=shown.about,
            directory=shown.directory,
            rules=made.rules,
            files=made.files,
            rule=shown.rule,
            by=by,
            session_id=session_id,
            given_at=now,
            expires_at=now + LASTS,
        )

    def keep(self, approval: KeptApproval) -> None:
        """Keeps it, and drops what has expired. Raises StorageError."""
        private_directory(self.directory)
        self.revoke([old.id for old in self._all() if old.expires_at <= self.now()])
        replace(self._path(approval.id), to_json(approval))

    def kept(self) -> list[KeptApproval]:
        """All that have not expired, the latest first."""
        return sorted((a for a in self._all() if self.now() < a.expires_at), key=lambda a: a.expires_at, reverse=True)

    def revoke(self, ids: Iterable[str] | None = None) -> list[str]:
        """Takes approvals back, all by default, for other processes too; those that there were. Raises StorageError."""
        there = {path.stem: path for path in self.directory.glob("*.json")}
        gone = [id_ for id_ in (there if ids is None else ids) if id_ in there]
        for id_ in gone:
            with refusals("remove", there[id_]):
                there[id_].unlink(missing_ok=True)
        if gone:
            sync_directory(self.directory)
        return gone

    def _path(self, id_: str) -> Path:
        return self.directory / f"{id_}.json"

    def _all(self) -> Iterable[KeptApproval]:
        return [found for path in self.directory.glob("*.json") if (found := self._read(path))]

    def _read(self, path: Path) -> KeptApproval | None:
        """None for what is no approval: then a person is asked."""
        try:
            found = from_json(read(path), KeptApproval)
            return found if found.expires_at.tzinfo else None
        except (FileNotFoundError, StorageError, ValueError, TypeError, KeyError, OverflowError):
            return None
