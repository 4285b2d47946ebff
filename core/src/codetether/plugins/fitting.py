"""Tells whether a plugin is made for this version of codetether, by what its distribution says that it needs."""

from __future__ import annotations

import re

_NEEDED = re.compile(r"^Requires-Dist:\s*(codetether[-_.]core(?![\w.-]))([^\r\n]*)", re.MULTILINE | re.IGNORECASE)


def unfit(metadata: str, version: str) -> str | None:
    """Why a plugin with this metadata is not for that version of `codetether-core`; None where nothing says so.

    One that says nothing, or names a place, is taken to fit.
    """
    for name, said in _NEEDED.findall(metadata):
        wanted = said.partition(";")[0].strip().strip("()").strip()
        if not wanted or wanted.startswith("@") or wanted.replace(" ", "") == f"=={version}":
            continue
        if (why := _unmet(name + said, wanted, version)) is not None:
            return why
    return None


def _unmet(requirement: str, wanted: str, version: str) -> str | None:
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        needed = Requirement(requirement)
    except InvalidRequirement:
        return f"it needs codetether-core {wanted!r}, which is no version"
    if needed.marker is not None and not needed.marker.evaluate({"extra": ""}):
        return None
    if needed.specifier.contains(version, prereleases=True):
        return None
    return f"it needs codetether-core {wanted}, and this is {version}: install one that fits"
