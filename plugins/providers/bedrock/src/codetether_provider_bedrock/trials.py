"""How the conformance kit tries this plugin: streams in frames, and a key in the environment."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from zlib import crc32

from codetether.testing.trials import SecretTrial, StreamTrial, Trials

_KEY = "trial-key-0123456789"
_BEARER = "AWS_BEARER_TOKEN_BEDROCK"
_FILE = "AWS_SHARED_CREDENTIALS_FILE"


def framed(data: bytes, event: str = "contentBlockDelta", kind: str = "event") -> bytes:
    """The data as a frame of Amazon's event stream; `kind` may be `exception`."""
    headers = b"".join(
        struct.pack(f"!B{len(name)}sBH{len(value)}s", len(name), name, 7, len(value), value)
        for name, value in (
            (f":{kind}-type".encode(), event.encode()),
            (b":content-type", b"application/json"),
            (b":message-type", kind.encode()),
        )
    )
    whole = _prelude(16 + len(headers) + len(data), len(headers)) + headers + data
    return whole + struct.pack("!I", crc32(whole))


def _prelude(length: int, headers: int) -> bytes:
    lengths = struct.pack("!II", length, headers)
    return lengths + struct.pack("!I", crc32(lengths))


def _nothing(directory: Path) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ[_FILE] = os.environ["AWS_CONFIG_FILE"] = str(directory / "no-such-file")


def _with_key(directory: Path) -> None:
    os.environ[_BEARER] = _KEY


def _spoil(directory: Path) -> None:
    del os.environ[_BEARER]
    (directory / "credentials").write_text("no profile\n")
    os.environ[_FILE] = str(directory / "credentials")


TRIALS = Trials(
    prepare=_nothing,
    secret=SecretTrial(provider="bedrock", value=_KEY, prepare=_with_key, spoil=_spoil),
    stream=StreamTrial(
        media_type="application/vnd.amazon.eventstream",
        event=framed,
        opening=_prelude(64 * 1024 * 1024, 0),
        idle=framed(b"{}", "ping"),
    ),
)
