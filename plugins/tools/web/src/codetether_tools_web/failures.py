"""What ends a fetch without a page, in words for the model."""

from __future__ import annotations

from codetether import CodetetherError


class Refused(CodetetherError):
    """The fetch is not made, or not gone on with; the words say why."""
