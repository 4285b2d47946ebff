"""Tells whether a git repository names programs that git would run while it reads."""

from __future__ import annotations

import os
import re
import stat
from functools import lru_cache
from pathlib import Path

LIMIT = 200_000
"""Bytes of a configuration that is read; of a longer one nothing is believed."""
_NAMES = re.compile(
    r"(?i)(?<![\w-])(?P<name>sshcommand|gitproxy|alternaterefscommand|pager|worktree|external|command|textconv|clean|smudge|"
    r"process|program|showsignature|helper|promisor|partialclone|partialclonefilter|uploadpack|receivepack|vcs|"
    r"difffilter|askpass|attributesfile|bare)[ \t]*(?==|$|[#;])",
    re.MULTILINE,
)
_MONITOR = re.compile(r"(?i)(?<![\w-])fsmonitor[ \t]*(?:=[ \t]*(?P<value>[^\n]*?))?[ \t]*$", re.MULTILINE)
_SECTIONS = re.compile(
    r"(?i)\[[ \t]*(?P<name>filter|include|includeif|gpg|interactive|trailer|pager|credential)[ \t.\"\]]"
)
_HOOKS = re.compile(r"(?i)(?<![\w-])hookspath[ \t]*=?[ \t]*(?P<value>[^\n]*?)[ \t]*$", re.MULTILINE)
_PATH = re.compile(r"(?m)^[ \t]*path[ \t]*=[ \t]*\"?(?P<value>[^\"\n]+?)\"?[ \t]*$")
_GITLINK = b"\x00\x00\xe0\x00"
_BARE = re.compile(r"(?i)(?<![\w-])bare[ \t]*=[ \t]*false[ \t]*$", re.MULTILINE)


def helper_of(directory: str) -> str | None:
    """What in the repository around a directory could make reading commands of git run a program; None for nothing."""
    place = directory
    while True:
        found = os.path.join(place, ".git")
        if _there(found):
            return _helper_in(found, place)
        if _there(os.path.join(place, "HEAD")) and _there(f"{place}/objects") and _there(f"{place}/refs"):
            return f"{place} is itself a git directory"
        above = os.path.dirname(place)
        if above == place:
            return None
        place = above


def _there(path: str) -> bool:
    """Whether anything has that name, a link that leads nowhere too; asked without an exception for a no."""
    return os.access(path, os.F_OK, follow_symlinks=False)


def _helper_in(found: str, work: str) -> str | None:
    try:
        directory = _git_directory(found)
        common = _common(directory)
        return (
            _configured(common / "config")
            or (_configured(directory / "config.worktree") if common != directory or _has_worktree(directory) else None)
            or _hooked(common)
            or _submodules(directory, common, Path(work))
        )
    except (OSError, ValueError) as error:
        return f"{found} cannot be read: {error}"


def _has_worktree(directory: Path) -> bool:
    return (directory / "config.worktree").exists()


def _git_directory(found: str) -> Path:
    if os.path.isdir(found):
        return Path(found)
    text = Path(found).read_text(encoding="utf-8")[:4096]
    if not text.startswith("gitdir:"):
        raise ValueError("not a git directory")
    return Path(os.path.normpath(Path(found).parent / text.removeprefix("gitdir:").strip()))


def _common(directory: Path) -> Path:
    pointer = directory / "commondir"
    if not pointer.exists():
        return directory
    return Path(os.path.normpath(directory / pointer.read_text(encoding="utf-8").strip()))


def _configured(path: Path) -> str | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(found.st_mode) or found.st_size > LIMIT:
        return f"{path} is no plain configuration"
    return _named(str(path), found.st_mtime_ns, found.st_size, found.st_ino)


@lru_cache(maxsize=128)
def _named(path: str, changed: int, size: int, inode: int) -> str | None:
    """The first setting in the file that names a program. The last three tell when it must be read anew."""
    text = Path(path).read_text(encoding="utf-8", errors="surrogateescape").replace("\\\n", " ")
    text = _BARE.sub("", text)
    if section := _SECTIONS.search(text):
        return f"{path} has the section [{section['name'].lower()}]"
    if found := _NAMES.search(text):
        return f"{path} sets {found['name'].lower()}"
    if "%G" in text or "%(signature" in text:
        return f"{path} sets a format that has signatures checked"
    for monitor in _MONITOR.finditer(text):
        if (monitor["value"] or "true").lower() not in ("true", "false"):
            return f"{path} sets fsmonitor"
    for hooks in _HOOKS.finditer(text):
        if os.path.lexists(Path(path).parent.parent / hooks["value"].strip('"') / "post-index-change"):
            return f"{path} sets hookspath, with a hook post-index-change"
        if hooks["value"].startswith(("~", "%")):
            return f"{path} sets hookspath"
    return None


def _hooked(common: Path) -> str | None:
    hook = common / "hooks" / "post-index-change"
    return f"{hook} would run" if os.path.lexists(hook) else None


def _submodules(directory: Path, common: Path, work: Path) -> str | None:
    """git looks into submodules, with their own configuration."""
    index = directory / "index"
    try:
        found = index.stat()
    except FileNotFoundError:
        return None
    links = _links(str(index), found.st_mtime_ns, found.st_size, found.st_ino)
    if not links:
        return None
    modules = work / ".gitmodules"
    named = _PATH.findall(modules.read_text(encoding="utf-8")) if modules.is_file() else []
    if links > len(named):
        return f"{work} has submodules that .gitmodules does not name"
    for name in named[:100]:
        inner = work / name / ".git"
        if os.path.lexists(inner) and (why := _helper_in(str(inner), str(work / name))):
            return why
    return None


@lru_cache(maxsize=32)
def _links(index: str, changed: int, size: int, inode: int) -> int:
    """How many entries of the index may be submodules, at the most."""
    return Path(index).read_bytes().count(_GITLINK)
