"""What is known of how an executor confines commands."""

from __future__ import annotations

from typing import Any

from codetether.models.tools import Confinement
from codetether.protocols import ConfiningExecutor


def confinement_of(executor: Any) -> Confinement | None:
    """What its trial showed; None for an executor that confines nothing."""
    return executor.confinement if isinstance(executor, ConfiningExecutor) else None


def is_confined(executor: Any) -> bool:
    """Whether every property was seen to be enforced."""
    found = confinement_of(executor)
    return found is not None and found.complete
