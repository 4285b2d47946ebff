"""Skills as they are found: a folder with a SKILL.md, whose head is checked before anybody relies on it."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from attrs import evolve, frozen
from codetether import JSON, UsageError, headed_text, visible

from codetether_tools_work.places import FILE, Around, Places

NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
LONGEST = {"name": 64, "description": 1024, "compatibility": 500}
"""Characters of what stands in a head."""
MOST_FILES = 200
LARGEST = 256 * 1024
"""Bytes of one file of a skill."""


@frozen(kw_only=True)
class Skill:
    """A skill.

    Attributes:
        folder: where it really lies. trusted: it is the user's own, or the user trusts the file as it is.
        problem: why it cannot be used; empty where it can.
    """

    name: str
    folder: Path
    path: Path
    own: bool
    trusted: bool = False
    description: str = ""
    text: str = ""
    problem: str = ""


def found_skills(ctx: Around) -> list[Skill]:
    """All skills, damaged ones last; of several of the same name the first that can be used counts."""
    found: dict[str, Skill] = {}
    damaged = []
    for path, own in Places.of(ctx).skill_files():
        skill = _read(ctx, path, own=own)
        if skill.problem:
            damaged.append(skill)
        else:
            found.setdefault(skill.name, skill)
    return [*sorted(found.values(), key=lambda skill: skill.name), *damaged]


def _read(ctx: Around, path: Path, *, own: bool) -> Skill:
    folder = Path(os.path.realpath(path.parent))
    skill = Skill(name=path.parent.name, folder=folder, path=path, own=own)
    try:
        if not own and folder != path.parent:
            raise UsageError("its folder is a link, which is not followed")
        data = contents(folder, FILE)
        made = headed_text(data)
        description = _checked(made.head, skill.name)
    except (UsageError, ValueError) as error:
        return evolve(skill, problem=str(error))
    trusted = own or ctx.trusts(path, data)
    return evolve(skill, trusted=trusted, description=" ".join(description.split()), text=made.text)


def _checked(head: Mapping[str, JSON], folder: str) -> str:
    """The description of a head that is right. Raises ValueError."""
    for key in ("name", "description"):
        value = head.get(key)
        if not isinstance(value, str) or not value.strip():
            raise ValueError(f"its head has no {key}")
    for key, most in LONGEST.items():
        if len(str(head.get(key, ""))) > most:
            raise ValueError(f"the {key} in its head is longer than {most} characters")
    name = str(head["name"])
    if not NAME.fullmatch(name):
        raise ValueError(f"its name {visible(name)!r} is not of small letters, digits and single hyphens")
    if name != folder:
        raise ValueError(f"its name is {name!r}, and its folder's {visible(folder)!r}: make them the same")
    return str(head["description"])


def contents(folder: Path, name: str) -> bytes:
    """A regular file in the folder of a skill. Raises UsageError for all else, and for what leads out of it."""
    shown = visible(name)
    if not name or "\0" in name or Path(name).is_absolute():
        raise UsageError(f"{shown!r} is no file of the skill")
    real = os.path.realpath(folder / name)
    if not real.startswith(f"{folder}/"):
        raise UsageError(f"{shown} leads out of the skill's folder")
    try:
        with os.fdopen(os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise UsageError(f"{shown} is no regular file")
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise UsageError(f"{shown} cannot be read: {error.strerror}") from error
    if len(data) > LARGEST:
        raise UsageError(f"{shown} has more than {LARGEST:,} bytes")
    return data


def files(skill: Skill) -> list[str]:
    """The files of a skill but SKILL.md, from its folder; what is a link is said."""
    found: list[str] = []
    for name in _walk(skill.folder):
        if len(found) == MOST_FILES:
            return [*found, "… and more"]
        if name != FILE:
            found.append(f"{name} (a link)" if (skill.folder / name).is_symlink() else name)
    return found


def _walk(folder: Path) -> Iterator[str]:
    for place, directories, names in os.walk(folder):
        directories[:] = sorted(name for name in directories if name not in ("__pycache__", ".git"))
        for name in sorted(names):
            yield os.path.relpath(os.path.join(place, name), folder)  # noqa: PTH118 - names, not places
