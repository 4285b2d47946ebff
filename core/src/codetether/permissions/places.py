"""Tells which files are guarded: those that make programs run later, those that hold secrets, our own."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from itertools import pairwise

_PERSISTENT_DIRECTORIES = frozenset(
    {".git", ".vscode", ".idea", ".devcontainer", ".husky", ".circleci", ".ssh", ".gnupg", ".githooks"}
)
_PERSISTENT_PAIRS = frozenset(
    {
        (".github", "workflows"),
        (".github", "actions"),
        (".config", "fish"),
        (".config", "git"),
        (".config", "systemd"),
        (".config", "autostart"),
    }
)
_PERSISTENT_FILES = frozenset(
    {
        ".gitmodules",
        ".gitconfig",
        ".gitattributes",
        ".envrc",
        ".gitlab-ci.yml",
        ".pre-commit-config.yaml",
        ".mcp.json",
        ".bashrc",
        ".bash_profile",
        ".bash_login",
        ".bash_logout",
        ".bash_aliases",
        ".profile",
        ".zshrc",
        ".zshenv",
        ".zprofile",
        ".zlogin",
        ".zlogout",
        ".kshrc",
        ".cshrc",
        ".tcshrc",
        ".inputrc",
        "agents.md",
        "claude.md",
        "jenkinsfile",
    }
)
_SECRET_DIRECTORIES = frozenset({".ssh", ".gnupg", ".aws"})
_SECRET_FILES = frozenset(
    {
        ".env",
        ".envrc",
        ".netrc",
        ".pypirc",
        ".npmrc",
        ".git-credentials",
        ".pgpass",
        ".vault-token",
        "id_rsa",
        "id_dsa",
        "id_ecdsa",
        "id_ed25519",
    }
)
_HARMLESS = frozenset({".env.example", ".env.sample", ".env.template", ".env.dist"})
_SHORT = re.compile(r"(git|codete|github)~\d")
_LONG = {"git": ".git", "codete": ".codetether", "github": ".github"}


def inside(path: str, directory: str) -> bool:
    """Whether an absolute path is the directory or lies below it."""
    return path == directory or path.startswith(directory.rstrip("/") + "/")


def below(path: str, directory: str) -> str:
    """The part of an absolute path below the directory; the path itself where it lies elsewhere."""
    return path[len(directory.rstrip("/")) + 1 :] if inside(path, directory) else path


def persistent(path: str) -> str | None:
    """The part of the path that makes programs run later, or steers an agent; None where there is none."""
    parts = plain_parts(path)
    for part in parts:
        if part in _PERSISTENT_DIRECTORIES:
            return part
    for pair in pairwise(parts):
        if pair in _PERSISTENT_PAIRS:
            return "/".join(pair)
    return parts[-1] if parts and parts[-1] in _PERSISTENT_FILES else None


def secret_name(path: str) -> str | None:
    """The part of a path by which files that often hold secrets go, e.g. `.env`; None where there is none."""
    parts = plain_parts(path)
    for part in parts:
        if part in _SECRET_DIRECTORIES:
            return part
    name = parts[-1] if parts else ""
    if name in _SECRET_FILES or (name.startswith(".env.") and name not in _HARMLESS):
        return name
    return None


def own_settings(path: str) -> bool:
    """Whether the path leads into a `.codetether` directory."""
    return ".codetether" in plain_parts(path)


@lru_cache(maxsize=1024)
def plain_parts(path: str) -> tuple[str, ...]:
    """The names of a path as the most forgiving file system would read them.

    Case, invisible characters, trailing dots and spaces, streams (`name::$X`) and DOS short names are seen through.
    """
    return tuple(_plain(part) for part in path.split("/") if part)


def _plain(part: str) -> str:
    if part.isascii() and part.islower() and part[-1] not in ". " and ":" not in part and "~" not in part:
        return part
    visible = "".join(c for c in unicodedata.normalize("NFKC", part) if unicodedata.category(c) not in ("Cf", "Cc"))
    folded = visible.casefold().split(":")[0].rstrip(". ")
    short = _SHORT.fullmatch(folded)
    return _LONG[short[1]] if short else folded
