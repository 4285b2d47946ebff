"""Plugins of which each breaks one promise, and keeps all others of its kind."""

from __future__ import annotations

from typing import Any

from codetether.testing.sessions import Yields
from codetether.testing.trials import Trials


def breaking(kind: str, record: Any, trials: Trials | None = None) -> Any:
    """A plugin with this one record."""
    plugin: Any = Yields(f"codetether_{kind}", record, name="broken")
    plugin.__codetether_trials__ = trials or Trials()
    return plugin
