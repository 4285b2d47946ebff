"""One bucket of an S3 store: an object is put there once, equal by SHA-256, or the reason is told."""

from __future__ import annotations

import base64
import hashlib
import io
import logging
import random
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from attrs import evolve, frozen

from codetether_sink_events_s3.answers import code_of, meaning, told
from codetether_sink_events_s3.settings import EventsS3Settings

TRIES = 4
"""How often one request is made before the store counts as unreachable."""
PAUSE_FIRST, PAUSE_LAST = 0.2, 2.0
"""Seconds between two of them: doubling, a random part of it."""
CONNECT_LIMIT, READ_LIMIT = 5.0, 60.0
"""Seconds until a connection, and until an answer."""
_CHUNK = 1 << 20


class StoreTroubled(Exception):
    """The store takes nothing now; `text` says why, and what to do where it will not pass by itself."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class OtherContent(Exception):
    """The key holds other bytes. They are never overwritten."""


class Stopped(Exception):
    """The process ends, so nothing more is tried."""


@frozen(kw_only=True)
class Abilities:
    """What the store can do; None: not known yet.

    Attributes:
        conditional: it refuses a put with `If-None-Match: *` where the key is taken.
        checksum: it checks and keeps a SHA-256.
    """

    conditional: bool | None = None
    checksum: bool | None = None


class Bucket:
    """A bucket behind boto3's client. Everything blocks: call it on a thread of its own.

    Attributes:
        refused: the store or boto3 has refused the keys or the settings, so that they should be read anew.
    """

    def __init__(self, settings: EventsS3Settings, keys: Mapping[str, str], abilities: Abilities = Abilities()) -> None:
        """`keys` are arguments of boto3's client: empty for boto3's own chain."""
        self.abilities = abilities
        self.stop = threading.Event()
        self.refused = False
        self._settings = settings
        self._client = _client(settings, keys)

    def close(self) -> None:
        """Closes its connections."""
        self._client.close()

    def put(self, key: str, data: bytes, told: Callable[[int], None]) -> str:
        """Returns the bytes' SHA-256 in hexadecimal when the key holds exactly them; `told` hears how many left.

        Raises OtherContent, StoreTroubled, Stopped.
        """
        digest = hashlib.sha256(data).digest()
        for _ in range(TRIES):
            if self._is_there(key, data, digest):
                return digest.hex()
            try:
                self._asked(lambda: self._put(key, data, digest, told))
            except _Present:
                if self.holds(key, data, digest):
                    return digest.hex()
                continue  # it has vanished between the two answers
            except _Less:
                continue
            with suppress(
                StoreTroubled, _Absent, Stopped
            ):  # it has the bytes; what it can do is found out another time
                self._learn(key, data, digest)
            return digest.hex()
        raise StoreTroubled(f"{self._settings.target} answers {key} differently each time")

    def _is_there(self, key: str, data: bytes, digest: bytes) -> bool:
        """Asked before a put where the store may ignore the condition. Whether it does, the first put shows."""
        if self.abilities.conditional:
            return False
        try:
            return self.holds(key, data, digest)
        except StoreTroubled:  # without the right to list, what is absent is denied
            if self.abilities.conditional is False:
                raise
            self.refused = False
            return False

    def holds(self, key: str, data: bytes, digest: bytes | None = None) -> bool:
        """Whether the key holds these bytes; False where it is free. Raises OtherContent where it holds others."""
        digest = digest or hashlib.sha256(data).digest()
        bucket = self._settings.bucket
        try:
            head = self._asked(
                lambda: self._client.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED"), absent=True
            )
        except _Absent:
            return False
        if head["ContentLength"] != len(data):
            raise OtherContent(key)
        stored = head.get("ChecksumSHA256")
        if (stored != _base64(digest)) if stored else (self._asked(lambda: self._hash(key), absent=True) != digest):
            raise OtherContent(key)
        return True

    def _hash(self, key: str) -> bytes:
        """The SHA-256 of an object of which the store keeps none."""
        made = hashlib.sha256()
        body = self._client.get_object(Bucket=self._settings.bucket, Key=key)["Body"]
        try:
            while chunk := body.read(_CHUNK):
                made.update(chunk)
        finally:
            body.close()
        return made.digest()

    def _put(self, key: str, data: bytes, digest: bytes, told: Callable[[int], None]) -> None:
        options: dict[str, Any] = {"Metadata": {"sha256": digest.hex()}}
        if self.abilities.checksum is False:
            options["ContentMD5"] = _base64(hashlib.md5(data, usedforsecurity=False).digest())
        else:
            options["ChecksumSHA256"] = _base64(digest)
        if self.abilities.conditional is not False:
            options["IfNoneMatch"] = "*"
        if self._settings.lock_mode:
            options["ObjectLockMode"] = self._settings.lock_mode.upper()
            options["ObjectLockRetainUntilDate"] = datetime.now(UTC) + timedelta(days=self._settings.lock_days)
        self._client.put_object(
            Bucket=self._settings.bucket,
            Key=key,
            Body=_Counted(data, told),
            ContentLength=len(data),
            ContentType="application/x-ndjson",
            **options,
        )

    def _learn(self, key: str, data: bytes, digest: bytes) -> None:
        """After the first success: whether the store does what it was asked for, or only ignored it."""
        if self.abilities.checksum is None:
            head = self._asked(
                lambda: self._client.head_object(Bucket=self._settings.bucket, Key=key, ChecksumMode="ENABLED"),
                absent=True,
            )
            self.abilities = evolve(self.abilities, checksum=bool(head.get("ChecksumSHA256")))
        if self.abilities.conditional is None:
            try:  # the same bytes once more: refused, unless the store ignores the condition
                self._asked(lambda: self._put(key, data, digest, lambda sent: None))
            except _Present:
                self.abilities = evolve(self.abilities, conditional=True)
            except _Less:
                self.abilities = evolve(self.abilities, conditional=False)
            else:
                self.abilities = evolve(self.abilities, conditional=False)

    def _asked(self, request: Callable[[], Any], *, absent: bool = False) -> Any:
        """What the store answers, tried anew as often as that may help. `absent`: it is asked for what may not be."""
        from botocore import exceptions as refusals  # type: ignore[import-untyped]
        from botocore.parsers import ResponseParserError  # type: ignore[import-untyped]
        from urllib3.exceptions import HTTPError

        trouble = ""
        for turn in range(TRIES):
            if self.stop.is_set():
                raise Stopped
            try:
                return request()
            except refusals.ClientError as error:
                match meaning(error):
                    case "present" if not absent:
                        raise _Present from error
                    case "absent" if absent:
                        raise _Absent from error
                    case "unsupported" if not absent and self._asks_less(error):
                        raise _Less from error
                    case "conflict" | "busy" | "present":
                        trouble = "{} ({}, status {})".format("is busy", *code_of(error))
                    case _:
                        raise self._refused(error) from error
            except (
                refusals.HTTPClientError,
                refusals.ConnectionError,
                ResponseParserError,
                HTTPError,
                OSError,
            ) as error:
                trouble = f"cannot be reached ({type(error).__name__})"
            except refusals.BotoCoreError as error:  # no keys, a wrong parameter: nothing was sent
                self.refused = True
                name = type(error).__name__
                remedy = "give keys by CODETETHER_S3_ACCESS_KEY and _SECRET_KEY, or as the secret s3"
                why = remedy if "Credentials" in name or "Token" in name else "look at the settings of events-s3"
                raise StoreTroubled(f"{self._settings.target}: {name}: {why}") from error
            if turn + 1 < TRIES:
                self.stop.wait(random.uniform(0, min(PAUSE_LAST, PAUSE_FIRST * 2**turn)))
        raise StoreTroubled(f"{self._settings.target} {trouble}")

    def _asks_less(self, error: Any) -> bool:
        """Gives up what the store does not know; False where there is nothing left to give up."""
        text = str(error).lower()
        left = self.abilities
        if "checksum" in text and left.checksum is not False:
            self.abilities = evolve(left, checksum=False)
        elif left.conditional is not False:
            self.abilities = evolve(left, conditional=False)
        elif left.checksum is not False:  # which was to blame is found out after the first success
            self.abilities = Abilities(conditional=None, checksum=False)
        else:
            return False
        return True

    def _refused(self, error: Any) -> StoreTroubled:
        self.refused = True
        locked = self._settings.lock_mode is not None
        return StoreTroubled(told(error, self._settings.target, locked=locked))


class _Present(Exception):
    """The key is taken."""


class _Absent(Exception):
    """The key is free."""


class _Less(Exception):
    """The store knows less than it was asked for; it is asked for less from now on."""


class _Counted(io.BytesIO):
    """Bytes that tell how many were read of them."""

    def __init__(self, data: bytes, told: Callable[[int], None]) -> None:
        super().__init__(data)
        self._told = told

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self._told(self.tell())
        return data


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


def _client(settings: EventsS3Settings, keys: Mapping[str, str]) -> Any:
    import boto3  # type: ignore[import-untyped]
    from botocore.config import Config  # type: ignore[import-untyped]

    for library in ("boto3", "botocore", "urllib3"):  # at level DEBUG they write down what signs a request
        logging.getLogger(library).setLevel(logging.WARNING)
    config = Config(
        connect_timeout=CONNECT_LIMIT,
        read_timeout=READ_LIMIT,
        retries={"total_max_attempts": 1, "mode": "standard"},  # ours know what may be repeated
        signature_version="s3v4",
        s3={"addressing_style": "path" if settings.endpoint else "auto"},
        request_checksum_calculation="when_required",  # stores of others know but one kind of checksum
        response_checksum_validation="when_required",
        max_pool_connections=2,
    )
    return boto3.session.Session().client(
        "s3", endpoint_url=settings.endpoint, region_name=settings.region, config=config, **keys
    )
