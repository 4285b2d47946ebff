"""Which project settings files the user trusts: their paths with the SHA-256 they had when trusted."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from codetether.errors import SettingsError

FORMAT = 1


def trust_file(state: Path) -> Path:
    """Where trust is recorded: in the state directory, which no tool may touch."""
    return state / "trust.json"


def trusted_files(state: Path) -> dict[str, str]:
    """Path -> SHA-256 in hex of each file trusted. Raises SettingsError for a record that cannot be read."""
    path = trust_file(state)
    try:
        files = json.loads(path.read_bytes())["files"]
        return {str(name): str(digest) for name, digest in files.items()}
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        why = error.strerror if isinstance(error, OSError) else "is not a record of trusted files"
        raise SettingsError(
            f"{why}", file=path, remedy="Remove it, then trust again: codetether config trust"
        ) from error


def is_trusted(state: Path, path: Path, data: bytes) -> bool:
    """Whether the file was trusted with this very content."""
    return trusted_files(state).get(str(path)) == hashlib.sha256(data).hexdigest()


def trust_record(files: Mapping[str, str]) -> bytes:
    """What the file of trust shall hold."""
    return json.dumps({"version": FORMAT, "files": dict(sorted(files.items()))}, indent=1).encode() + b"\n"
