"""How the conformance kit tries this plugin."""

from __future__ import annotations

from codetether.testing.trials import Trials

TRIALS = Trials(settings=lambda directory: {"path": str(directory / "audit.jsonl"), "fsync": "intents"})
