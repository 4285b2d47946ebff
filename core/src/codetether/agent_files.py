"""The agents of one's own: Markdown files with a head, from the user's settings and from a trusted repository."""

from __future__ import annotations

import math
import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import attrs

from codetether.errors import SettingsError
from codetether.formats.markdown import LARGEST, headed_text
from codetether.models.record import JSON
from codetether.models.tools import Mode
from codetether.settings.core import MODES
from codetether.settings.settings import Directories, project_paths
from codetether.settings.trust import is_trusted
from codetether.specs import AgentSpec
from codetether.values import frozen

NAME = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?")
Dialect = Literal["codetether", "claude", "opencode"]
FOLDERS: Mapping[Dialect, tuple[str, ...]] = {
    "codetether": (".codetether/agents",),
    "claude": (".claude/agents",),
    "opencode": (".opencode/agent", ".opencode/agents"),
}
"""Where a repository keeps agents, by the product whose words their heads use."""
_OF_USER: Mapping[Dialect, tuple[str, ...]] = {
    "claude": (".claude/agents",),
    "opencode": (".config/opencode/agent", ".config/opencode/agents"),
}
_TOOLS: Mapping[str, tuple[str, ...]] = {
    "ls": ("list",),
    "notebookread": ("read",),
    "notebookedit": ("edit", "multiedit", "apply_patch"),
    "patch": ("apply_patch",),
    "edit": ("edit", "multiedit", "apply_patch"),
    "bash": ("bash", "exec", "job_output", "job_kill"),
    "bashoutput": ("job_output",),
    "killshell": ("job_kill",),
    "todowrite": ("todo_write",),
    "todoread": ("todo_read",),
    "agent": ("task",),
    "askuserquestion": ("question",),
    "exitplanmode": ("plan_exit",),
}
"""What other products call tools of ours, in lower case; the others have the same name."""


@frozen(kw_only=True)
class FoundAgent:
    """A file that describes an agent.

    Attributes:
        spec: None where it cannot be used, for the reason in `problem`.
        own: it is the user's, and no repository's.
    """

    name: str
    path: Path
    own: bool
    spec: AgentSpec | None = None
    problem: str = ""


@frozen(kw_only=True)
class AgentFiles:
    """The files of agents that hold for a directory.

    Attributes:
        steps: a repository's agent may take no more.
    """

    directories: Directories
    directory: Path
    steps: int

    def find(self, name: str, *, own: bool) -> AgentSpec | None:
        """The user's own agent of that name, or a repository's, which may only tighten: it chooses no model.

        Raises SettingsError for one that cannot be used.
        """
        if not NAME.fullmatch(name):
            return None
        for folder, dialect in self._own() if own else self._of_repository():
            path = folder / f"{name}.md"
            if path.exists():
                found = self._read(path, dialect, own=own)
                if found.spec is None:
                    raise SettingsError(f"the agent {name!r} cannot be used: {found.problem}", file=path)
                return found.spec
        return None

    def all(self) -> Sequence[FoundAgent]:
        """All of them, the user's first; of two with the same name the first counts."""
        return [
            self._read(path, dialect, own=own)
            for own, folders in ((True, self._own()), (False, self._of_repository()))
            for folder, dialect in folders
            for path in _markdown(folder)
        ]

    def _own(self) -> Iterator[tuple[Path, Dialect]]:
        yield self.directories.config / "agents", "codetether"
        home = Path(os.path.expanduser("~"))  # noqa: PTH111 - Path.expanduser raises where there is none
        for dialect, names in _OF_USER.items():
            yield from ((home / name, dialect) for name in names)

    def _of_repository(self) -> Iterator[tuple[Path, Dialect]]:
        """Nearest first; the user's own are no repository's, where the home directory is one."""
        own = {str(folder) for folder, _ in self._own()}  # paths themselves are slow to compare
        for place in reversed(project_paths(self.directory)):
            for dialect, names in FOLDERS.items():
                folders = (place.parents[1] / name for name in names)
                yield from ((folder, dialect) for folder in folders if str(folder) not in own)

    def _read(self, path: Path, dialect: Dialect, *, own: bool) -> FoundAgent:
        found = FoundAgent(name=path.stem, path=path, own=own)
        try:
            data = _contents(path, own=own)
            if not own and not is_trusted(self.directories.state, path, data):
                raise ValueError("it is a repository's and not trusted (read it, then: codetether config trust)")
            spec = _spec(path.stem, data, dialect)
        except ValueError as error:
            return attrs.evolve(found, problem=str(error))
        if not own:
            spec = attrs.evolve(spec, model=None, max_steps=min(spec.max_steps or self.steps, self.steps))
        return attrs.evolve(found, spec=spec)


def _markdown(folder: Path) -> list[Path]:
    try:
        return [folder / name for name in sorted(os.listdir(folder)) if name.endswith(".md")]  # noqa: PTH208 - names
    except OSError:  # most of them are not there
        return []


def _contents(path: Path, *, own: bool) -> bytes:
    """A file's content. A user's own may be a link; a repository's may not. Raises ValueError."""
    if not own and os.path.realpath(path) != str(path):
        raise ValueError("it is a link, or lies behind one, which is not followed")
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if own else os.O_NOFOLLOW)
    try:
        with os.fdopen(os.open(path, flags), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ValueError("it is no regular file")
            return file.read(LARGEST + 1)
    except OSError as error:
        raise ValueError(error.strerror or str(error)) from error


def _spec(name: str, data: bytes, dialect: Dialect) -> AgentSpec:
    """The agent that a file describes. Raises ValueError."""
    if not NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name of an agent: small letters, digits, - and _, at most 64")
    made = headed_text(data)
    head, prompt = made.head, made.text
    base = AgentSpec(name=name, prompt=prompt, description=" ".join(_text(head, "description").split()))
    match dialect:
        case "claude":
            tools = head.get("tools")
            words = tools.split(",") if isinstance(tools, str) else tools
            return attrs.evolve(base, tools=None if words is None else _translated(_words(words, "tools")))
        case "opencode":
            steps, model = _count(head, "steps", "maxSteps"), _text(head, "model") or None
            return attrs.evolve(base, tools=_allowed(head), max_steps=steps, model=model)
        case "codetether":
            return _own_spec(head, base)


_KEYS = {"name", "description", "prompt", "model", "mode", "tools"}
_LIMITS = {"max_steps", "max_seconds", "max_tokens", "max_cost"}


def _own_spec(head: Mapping[str, JSON], base: AgentSpec) -> AgentSpec:
    limits = head.get("limits") or {}
    if not isinstance(limits, Mapping):
        raise ValueError("limits is no table")
    given = {**limits, **{key: head[key] for key in _LIMITS & head.keys()}}
    unknown = sorted((head.keys() - _KEYS - _LIMITS - {"limits"}) | (given.keys() - _LIMITS))
    if unknown:
        raise ValueError(f"unknown key {unknown[0]!r}; there are: {', '.join(sorted(_KEYS | _LIMITS))}")
    if head.get("name", base.name) != base.name:
        raise ValueError(f"its name is {head['name']!r}, and its file's {base.name!r}: make them the same")
    mode: Mode | None = next((mode for mode in MODES if mode == head.get("mode")), None)
    if "mode" in head and (mode is None or mode == "unsafe"):
        raise ValueError(f"no mode {head['mode']!r}; there are: {', '.join(m for m in MODES if m != 'unsafe')}")
    words = head.get("tools")
    tools = words.replace(",", " ").split() if isinstance(words, str) else words
    return attrs.evolve(
        base,
        tools=None if tools is None else _words(tools, "tools"),
        mode=mode,
        model=_text(head, "model") or None,
        max_steps=_count(given, "max_steps"),
        max_seconds=_number(given, "max_seconds"),
        max_tokens=_count(given, "max_tokens"),
        max_cost=_number(given, "max_cost"),
    )


def _text(head: Mapping[str, JSON], key: str) -> str:
    value = head.get(key, "")
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{key} is no text")
    return value or ""


def _number(head: Mapping[str, JSON], *keys: str) -> float | None:
    key = next((key for key in keys if head.get(key) is not None), None)
    if key is None:
        return None
    value = head[key]
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value <= 0:
        raise ValueError(f"{key} is no number above 0")
    return value


def _count(head: Mapping[str, JSON], *keys: str) -> int | None:
    value = _number(head, *keys)
    return None if value is None else max(int(value), 1)


def _words(value: JSON, key: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise ValueError(f"{key} is no list of names")
    return tuple(word.strip() for word in value if isinstance(word, str) and word.strip())


def _translated(words: Sequence[str]) -> tuple[str, ...]:
    """Other products' tools by our names; `Bash(git *)` is the tool, since rules are the user's to write."""
    names = [word.partition("(")[0].strip().lower() for word in words]
    return tuple(dict.fromkeys(ours for name in names for ours in _TOOLS.get(name, (name,))))


def _allowed(head: Mapping[str, JSON]) -> tuple[str, ...] | None:
    """OpenCode's `tools: {write: false}` and `permission: {edit: deny}`: what is taken away."""
    tools, permission = head.get("tools") or {}, head.get("permission") or {}
    off = [key for key, value in tools.items() if value is False] if isinstance(tools, Mapping) else []
    off += [key for key, value in permission.items() if value == "deny"] if isinstance(permission, Mapping) else []
    if "edit" in off:
        off.append("write")
    return tuple(f"!{name}" for name in _translated(off)) if off else None
