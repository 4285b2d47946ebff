"""What the conformance kit must know to try the credential source."""

from __future__ import annotations

from pathlib import Path

from codetether.testing.trials import SecretTrial, Trials

KEY = "a-key-that-is-none"


def keep(directory: Path) -> None:
    """A key of the provider acme."""
    (directory / "acme").write_text(f"{KEY}\n")
    (directory / "acme").chmod(0o600)


def spoil(directory: Path) -> None:
    """From now on others may read it."""
    (directory / "acme").chmod(0o644)


TRIALS = Trials(
    settings=lambda directory: {"directory": str(directory)},
    secret=SecretTrial(provider="acme", value=KEY, prepare=keep, spoil=spoil),
)
