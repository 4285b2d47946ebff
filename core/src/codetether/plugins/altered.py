"""Tells whether a plugin's files are still those that its wheel recorded, before any of them is imported."""

from __future__ import annotations

from typing import Any


def altered(distribution: Any, module: str) -> str | None:
    """The first file of the module's package that was changed or is gone, None where none is, or nothing was recorded.

    `distribution` is one of importlib_metadata, or of ours; `module` is what its entry point names.
    """
    import hashlib
    from base64 import urlsafe_b64encode

    package = module.partition(":")[0].partition(".")[0]
    record: str = distribution.read_text("RECORD") or ""
    for line in record.splitlines():
        path, digest = [*line.rsplit(",", 2), "", ""][:2]
        algorithm, _, recorded = digest.partition("=")
        if path.partition("/")[0] not in (package, f"{package}.py") or algorithm not in ("sha256", "sha384", "sha512"):
            continue
        try:
            found = hashlib.new(algorithm, distribution.locate_file(path).read_bytes()).digest()
        except OSError:
            return path
        if urlsafe_b64encode(found).decode().rstrip("=") != recorded.rstrip("="):
            return path
    return None
