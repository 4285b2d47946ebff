"""Keeps what is no text in private files, under names of our own."""

from __future__ import annotations

import hashlib
import re
import time
from contextlib import suppress
from pathlib import Path

from codetether import private_directory, replace_file

KEPT_DAYS = 7
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,8}")


def kept(place: Path, path: str, data: bytes) -> Path:
    """The file in the directory `place` that holds the data, of mode 0600; those of former weeks are removed.

    Of the address's `path` no more than a plain suffix comes into the name.
    """
    suffix = Path(path.partition("?")[0]).suffix
    name = hashlib.sha256(data).hexdigest()[:16] + (suffix if _SUFFIX.fullmatch(suffix) else "")
    oldest = time.time() - KEPT_DAYS * 86400
    for each in private_directory(place).iterdir():
        with suppress(FileNotFoundError):  # another session removes it too
            if each.stat().st_mtime < oldest:
                each.unlink()
    replace_file(place / name, data)
    return place / name
