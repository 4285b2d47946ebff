"""How the conformance kit tries this plugin: with a keyring in memory in place of the user's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keyring
from codetether.testing.trials import SecretTrial, Trials

from codetether_credentials_keyring.memory import MemoryKeyring
from codetether_credentials_keyring.store import SERVICE

_KEY = "trial-key-0123456789"


def _empty(directory: Path) -> None:
    keyring.set_keyring(MemoryKeyring())


def _with_key(directory: Path) -> None:
    keyring.set_password(SERVICE, "trial", _KEY)


def _lock(directory: Path) -> None:
    backend: Any = keyring.get_keyring()
    backend.locked = True


TRIALS = Trials(prepare=_empty, secret=SecretTrial(provider="trial", value=_KEY, prepare=_with_key, spoil=_lock))
