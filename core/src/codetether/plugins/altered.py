"""Tells whether a plugin's files are still those that its wheel recorded, before any of them is imported."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def altered(record: str, locate: Callable[[str], Any], module: str) -> str | None:
    """The first file of the module's package that was changed or is gone, None where none is, or nothing was recorded.

    Args:
        record: the text of the distribution's RECORD. locate: makes a path of one that it names.
        module: what the entry point names.
    """
    import hashlib
    from base64 import urlsafe_b64encode

    package = module.partition(":")[0].partition(".")[0]
    for line in record.splitlines():
        path, digest = [*line.rsplit(",", 2), "", ""][:2]
        algorithm, _, recorded = digest.partition("=")
        if path.partition("/")[0] not in (package, f"{package}.py") or algorithm not in ("sha256", "sha384", "sha512"):
            continue
        try:
            found = hashlib.new(algorithm, locate(path).read_bytes()).digest()
        except OSError:
            return path
        if urlsafe_b64encode(found).decode().rstrip("=") != recorded.rstrip("="):
            return path
    return None
