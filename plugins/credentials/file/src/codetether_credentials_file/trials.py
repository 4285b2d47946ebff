"""How the conformance kit tries this plugin: a file of its own, spoiled by letting others read it."""

from __future__ import annotations

import json
from pathlib import Path

from codetether.testing.trials import SecretTrial, Trials

_KEY = "trial-key-0123456789"


def _file(directory: Path) -> Path:
    return directory / "credentials.json"


def _prepare(directory: Path) -> None:
    _file(directory).touch(0o600)
    _file(directory).write_text(json.dumps({"trial": {"api_key": _KEY}}))


TRIALS = Trials(
    settings=lambda directory: {"path": str(_file(directory))},
    secret=SecretTrial(
        provider="trial", value=_KEY, prepare=_prepare, spoil=lambda directory: _file(directory).chmod(0o644)
    ),
)
