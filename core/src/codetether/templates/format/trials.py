"""What the conformance kit must know to try the session format."""

from __future__ import annotations

from pathlib import Path

from codetether.testing.trials import Trials


def conversation(directory: Path) -> Path:
    """A file that it reads."""
    file = directory / "talk.txt"
    file.write_text("user: hello\nassistant: good day\n")
    return file


TRIALS = Trials(source=conversation, said=("hello", "good day"))
