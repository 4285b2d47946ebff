"""The index of a store: opened when it is first asked, thrown away where it is broken."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from codetether.errors import StorageError

if TYPE_CHECKING:
    from codetether.storage.index import Index

T = TypeVar("T")


class KeptIndex:
    """Answers from the index's file; from memory where that cannot be had."""

    def __init__(self, path: Path, sessions: Path) -> None:
        self._path = path
        self._sessions = sessions
        self._index: Index | None = None
        self._lock = threading.Lock()

    @property
    def opened(self) -> bool:
        """Whether there is something to close."""
        return self._index is not None

    def ask(self, question: Callable[[Index], T]) -> T:
        """An answer of the index, brought up to date; a broken one is made anew. Blocks; StorageError."""
        from codetether.storage.index import Index, IndexBroken, IndexBusy, forget

        with self._lock:
            busy = not self._path.parent.is_dir()  # nothing to list: leave no file behind
            for place in (self._path, self._path, None):
                if busy and place is not None:
                    continue
                try:
                    self._index = self._index or Index(place, self._sessions)
                    self._index.refresh()
                    return question(self._index)
                except IndexBroken as error:
                    self.close()
                    busy = isinstance(error, IndexBusy)
                    if not busy:
                        forget(self._path)
                finally:
                    if place is None:
                        self.close()
        raise StorageError(f"{self._sessions} cannot be listed", remedy="Is there memory left?")

    def close(self) -> None:
        """Closes the file."""
        if self._index is not None:
            self._index.close()
            self._index = None
