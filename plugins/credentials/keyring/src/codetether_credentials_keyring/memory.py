"""A keyring that ends with the process: for trials and tests, which must not touch the user's own."""

from __future__ import annotations

import threading

from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked


class MemoryKeyring(KeyringBackend):
    """Entries by service and user name.

    Attributes:
        open: cleared, it stays silent. locked: whether it refuses everything. asked: how often it was read.
    """

    priority = -2
    """Never chosen by itself."""
    name = "memory"

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.entries: dict[tuple[str, str], str] = {}
        self.open = threading.Event()
        self.open.set()
        self.locked = False
        self.asked = 0

    def _check(self) -> None:
        self.open.wait(10)
        if self.locked:
            raise KeyringLocked("it is locked")

    def get_password(self, service: str, username: str) -> str | None:
        """The entry, None where there is none."""
        self.asked += 1
        self._check()
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        """Keeps the entry."""
        self._check()
        self.entries[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        """Removes the entry."""
        self._check()
        del self.entries[service, username]
