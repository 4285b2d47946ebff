"""Which project settings files the user trusts: their paths with the SHA-256 they had when trusted."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from codetether.errors import SettingsError

FORMAT = 1
INSTRUCTIONS = (
    ".codetether/agents/*.md",
    ".claude/agents/*.md",
    ".opencode/agent/*.md",
    ".opencode/agents/*.md",
    ".codetether/skills/*/SKILL.md",
    ".claude/skills/*/SKILL.md",
    ".agents/skills/*/SKILL.md",
)
"""What else of a repository is trusted file by file: agents and skills."""


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


def instruction_files(places: Iterable[Path]) -> list[Path]:
    """The agents and skills in these directories; what is a link, or lies behind one, is none of them."""
    found = (path for place in places for pattern in INSTRUCTIONS for path in sorted(place.glob(pattern)))
    return [path for path in found if path.is_file() and os.path.realpath(path) == str(path)]


def trust_record(files: Mapping[str, str]) -> bytes:
    """What the file of trust shall hold."""
    return json.dumps({"version": FORMAT, "files": dict(sorted(files.items()))}, indent=1).encode() + b"\n"
