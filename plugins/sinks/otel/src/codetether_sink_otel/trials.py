"""How the conformance kit tries this plugin: with a receiver that is not there, without which it is off."""

from __future__ import annotations

from codetether.testing.trials import Trials

TRIALS = Trials(settings=lambda directory: {"endpoint": "http://127.0.0.1:9", "content": True})
