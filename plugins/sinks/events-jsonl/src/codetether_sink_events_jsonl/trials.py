"""How the conformance kit tries this plugin: with a path, without which it is off."""

from __future__ import annotations

from codetether.testing.trials import Trials

TRIALS = Trials(settings=lambda directory: {"path": str(directory / "events")})
