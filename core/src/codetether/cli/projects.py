"""The project that a session belongs to: the repository that its directory lies in."""

from __future__ import annotations

from pathlib import Path


def project_of(directory: str) -> str:
    """The repository that a directory lies in, else the directory itself."""
    path = Path(directory)
    return str(next((each for each in (path, *path.parents) if (each / ".git").exists()), path))
