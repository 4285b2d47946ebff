"""The file of keys: read only when nobody else can, replaced whole, one writer at a time."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from codetether import JSON, CredentialError, Secret, StorageError, private_directory, replace_file

_LARGEST = 1024 * 1024
"""Bytes: no file of keys is larger."""


class KeyFile:
    """`{"openai": {"api_key": "…"}, …}`: an object of values a provider, read anew each time it is asked.

    Attributes:
        path: the file, mode 0600; a symbolic link is refused, since what it leads to is another's choice.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    async def get(self, provider: str, names: Sequence[str]) -> Secret | None:
        """The provider's values. Raises CredentialError for a file that cannot be trusted or is no such object."""
        values = self._read().get(provider)
        return Secret(values=values, source=f"file:{self.path}") if values else None

    async def list(self) -> Sequence[str]:
        """The providers in the file, by name."""
        return sorted(self._read())

    async def usable(self) -> bool:
        """A file can always be made."""
        return True

    async def put(self, provider: str, values: Mapping[str, JSON]) -> None:
        """Writes the file anew with the provider's values; it is on the disk when this returns."""
        await asyncio.to_thread(self._change, lambda kept: {**kept, provider: dict(values)})

    async def delete(self, provider: str) -> bool:
        """Writes the file anew without the provider."""
        if provider not in self._read():
            return False
        await asyncio.to_thread(self._change, lambda kept: {k: v for k, v in kept.items() if k != provider})
        return True

    def _change(self, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        try:
            with self._locked():
                kept = change(self._read())
                replace_file(self.path, json.dumps(kept, indent=2, ensure_ascii=False).encode() + b"\n")
        except StorageError as error:
            raise CredentialError(error.message, remedy=error.remedy) from error
        except OSError as error:
            raise CredentialError(f"{self.path} cannot be written: {error.strerror}") from error

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One writer at a time: the lock is on the directory, so that no file is left behind. Blocks."""
        directory = os.open(private_directory(self.path.parent), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(directory, fcntl.LOCK_EX)
            yield
        finally:
            os.close(directory)

    def _read(self) -> dict[str, Any]:
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return {}
        except OSError as error:
            if self.path.is_symlink():
                raise CredentialError(f"{self.path} is a symbolic link", remedy="put the file itself there") from None
            raise CredentialError(f"{self.path} cannot be read: {error.strerror}") from None
        try:
            self._check(os.fstat(descriptor))
            with open(descriptor, "rb", closefd=False) as file:
                return self._parsed(file.read(_LARGEST))
        finally:
            os.close(descriptor)

    def _check(self, status: os.stat_result) -> None:
        if not stat.S_ISREG(status.st_mode):
            raise CredentialError(f"{self.path} is no file", remedy="move it away")
        if status.st_size >= _LARGEST:
            raise CredentialError(f"{self.path} is larger than any file of keys", remedy="move it away")
        if status.st_uid != os.geteuid():
            raise CredentialError(f"{self.path} belongs to another user", remedy=f"chown {os.geteuid()} {self.path}")
        if status.st_mode & 0o077:
            raise CredentialError(f"others may read {self.path}", remedy=f"chmod 600 {self.path}")

    def _parsed(self, data: bytes) -> dict[str, Any]:
        """What the file holds. What is wrong is named without a word of it: it may be a key."""
        try:
            kept = json.loads(data) if data.strip() else {}
        except json.JSONDecodeError as error:
            raise CredentialError(f"{self.path}:{error.lineno}: not JSON: {error.msg}") from None
        except (UnicodeDecodeError, RecursionError):
            raise CredentialError(f"{self.path}: not JSON in UTF-8") from None
        if not isinstance(kept, dict):
            raise CredentialError(f"{self.path}:1: not an object of providers", remedy=_SHAPE)
        for provider, values in kept.items():
            if not isinstance(values, dict):
                raise CredentialError(f"{self.path}: {provider}: not an object of values", remedy=_SHAPE)
        return kept


_SHAPE = 'its shape is {"PROVIDER": {"api_key": "…"}}'
