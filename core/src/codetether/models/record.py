"""What all stored values share: frozen, keyword-only, and fields of later versions kept beside the known ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import field

from codetether.values import frozen

JSON = Any
"""Any JSON value: None, bool, int, float, str, list or dict with string keys."""


@frozen(kw_only=True)
class Record:
    """A value that survives a round trip through a later or an earlier version's file.

    Attributes:
        extra: fields that this version does not know, written back untouched.
    """

    extra: Mapping[str, JSON] = field(factory=dict, repr=False)


@frozen(kw_only=True)
class Unknown:
    """A union member whose `type` this version does not know, written back untouched."""

    raw: Mapping[str, JSON]
