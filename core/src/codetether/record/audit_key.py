"""The key of the audit trail: from a credential source, or a private file made when it is first needed."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Literal, TypeVar

from codetether.errors import CredentialError, StorageError
from codetether.plugin_contexts import PluginContext
from codetether.protocols import Credentials
from codetether.storage.disk import Disk
from codetether.storage.durable import private_directory, reached, read, refused, replace, sync_directory

T = TypeVar("T")

SECRET = "audit"
"""The provider under which a credential source keeps the key, as `key`, `hmac_key` or `api_key`."""

SHORTEST = 16
"""Bytes that a key has at least."""

AuditUse = Literal["chain", "anchor", "digest"]
_WORDS = ("key", "hmac_key", "api_key")
_HEX = re.compile(rb"(?:[0-9a-fA-F]{2}){16,}")


class AuditKey:
    """The key, found once: loaded where a wait does no harm, and at hand from then on.

    `auto`: the file where there is one; else what a credential source has under `audit`; else a file is made, so that
    a log does not change its key because a vault was away. `credentials` and `file`: only that.
    """

    def __init__(
        self,
        credentials: Credentials | None,
        file: Callable[[], Path],
        source: Literal["auto", "credentials", "file"] = "auto",
    ) -> None:
        self._credentials = credentials
        self._file = file
        self._source = source
        self._value: bytes | None = None
        self._turn = asyncio.Lock()

    @classmethod
    def of(cls, ctx: PluginContext) -> AuditKey:
        """The key that the settings and the directories of this process mean; the same for every plugin."""
        audit = ctx.core.audit
        return cls(ctx.credentials, lambda: audit.key_file or ctx.config_dir / "audit.key", audit.key)

    async def load(self, disk: Disk | None = None) -> bytes:
        """The key. Raises CredentialError or StorageError where it cannot be had; the next call tries again.

        Files are read on the disk's thread, or on one of its own that holds up nobody's end should the disk hang.
        """
        async with self._turn:
            if self._value is None:
                self._value = await self._found(_apart if disk is None else disk.call)
            return self._value

    async def look(self) -> bytes | None:
        """The key, None where there is none yet: it is not made. Raises CredentialError or StorageError."""
        kept = await _apart(self._kept) if self._source != "credentials" else None
        if kept is not None or self._source == "file":
            return kept
        given, where = await self._given()
        return key_bytes(given.encode(), where) if given else None

    async def _found(self, on_thread: Callable[[Callable[[], bytes | None]], Awaitable[bytes | None]]) -> bytes:
        if self._source != "credentials":
            kept = await on_thread(self._kept)
            kept = await on_thread(self._made) if kept is None and self._source == "file" else kept
            if kept is not None:
                return kept
        given, where = await self._given()
        if given:
            return key_bytes(given.encode(), where)
        if self._source == "credentials":
            raise CredentialError(
                f"no credential source has the key of the audit trail ({SECRET!r}, under `key`)",
                remedy='codetether auth status; or [audit] key = "file"',
            )
        return await on_thread(self._made) or b""

    async def _given(self) -> tuple[str, str]:
        """What a credential source has, and where."""
        secret = await self._credentials.get(SECRET) if self._credentials is not None else None
        if secret is None:
            return "", ""
        return next((str(secret.values[w]) for w in _WORDS if secret.values.get(w)), ""), secret.source

    def _kept(self) -> bytes | None:
        file = self._file().expanduser()
        try:
            return key_bytes(read(file), str(file))
        except FileNotFoundError:
            return None

    def _made(self) -> bytes:
        """A new key in its file, unless another process was first: then that one's."""
        file = self._file().expanduser()
        private_directory(file.parent)
        fresh = file.with_name(f".{file.name}.{os.getpid()}.new")
        made = os.urandom(32)
        replace(fresh, made.hex().encode() + b"\n")
        try:
            reached("rename", file)
            os.link(fresh, file)
            sync_directory(file.parent)
            return made
        except FileExistsError:
            return key_bytes(read(file), str(file))
        except OSError as error:
            raise refused(error, "make", file) from error
        finally:
            with suppress(OSError):
                fresh.unlink()


async def _apart(function: Callable[[], T]) -> T:
    disk = Disk()
    found = await disk.call(function)
    await disk.close()
    return found


def key_bytes(text: bytes, where: str) -> bytes:
    """A key as it is kept: hexadecimal digits mean their bytes, anything else itself. Raises StorageError."""
    text = text.strip()
    value = bytes.fromhex(text.decode()) if _HEX.fullmatch(text) else text
    if len(value) < SHORTEST:
        raise StorageError(
            f"{where} holds no key of the audit trail: {len(value)} bytes, at least {SHORTEST} are needed",
            remedy="openssl rand -hex 32 makes one.",
        )
    return value


def derived_key(key: bytes, use: AuditUse) -> bytes:
    """The key for one use, so that what is signed for one of them proves nothing for another."""
    return hmac.digest(key, b"codetether audit " + use.encode(), hashlib.sha256)


def digest(key: bytes, text: str) -> str:
    """The keyed digest of a body, 64 hexadecimal digits, by the key that is derived for `digest`."""
    return hmac.digest(key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hex()


def body_digest(key: bytes, text: str) -> str:
    """The digest that an entry holds of a call's arguments or output, by the audit key itself."""
    return digest(derived_key(key, "digest"), text)
