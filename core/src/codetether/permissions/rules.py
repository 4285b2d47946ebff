"""Decides what a tool call may do: deny before ask before allow, the strictest of all that apply."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, get_args

from attrs import field

from codetether.errors import SettingsError
from codetether.models.tools import Decision, Effect, Mode, PermissionRequest, Verdict
from codetether.permissions.places import below, inside, own_settings, persistent, secret
from codetether.values import frozen

EFFECTS: tuple[Effect, ...] = get_args(Effect)
_STRICTNESS = {"allow": 0, "ask": 1, "deny": 2}
_FREE: Mapping[Mode, tuple[Effect, ...]] = {
    "plan": ("read",),
    "default": ("read",),
    "edit": ("read", "write"),
    "auto": ("read", "write"),
    "unsafe": EFFECTS,
}
_RULE = re.compile(r"(?P<name>[A-Za-z0-9_*-]{1,64})(?:\((?P<pattern>.+)\))?", re.DOTALL)
_PLAIN = re.compile(r"[A-Za-z0-9_@%+=:,./ -]+")
_PARTS = re.compile(r"[;&|\n(){}`]+|\$\(")
_VERBS = {"read": "reading", "write": "writing", "execute": "running", "network": "reaching"}


def strictest(decisions: Iterable[Decision]) -> Decision:
    """The first of the strictest decisions. Of none: deny, since nobody allowed anything."""
    chosen = None
    for decision in decisions:
        if chosen is None or _STRICTNESS[decision.verdict] > _STRICTNESS[chosen.verdict]:
            chosen = decision
    return chosen or Decision(verdict="deny", rule="no decision", reason="nobody decided about this call")


def resolve(directory: Path, spelled: str) -> Path:
    """Where a path leads: absolute, every link followed, nothing expanded (`~` and `$X` are plain names).

    Raises ValueError for text that no file can be named.
    """
    if not spelled or "\0" in spelled:
        raise ValueError(f"not a path: {spelled!r}")
    return Path(os.path.realpath(os.path.join(directory, spelled)))  # noqa: PTH118 - one string, no Path made twice


@frozen(kw_only=True)
class Touch:
    """One thing that a call touches, with the effect it has there.

    Attributes:
        kind: `whole` where the tool names nothing in particular; `implied` by a command that it does name.
        paths: as spelled (without `.` and `..`) and as resolved, for a path.
    """

    effect: Effect
    kind: Literal["path", "command", "host", "whole", "implied"] = "whole"
    spelled: str = ""
    paths: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.spelled or self.effect


@frozen(kw_only=True)
class Rule:
    """A rule as written: `tool`, `effect`, or either with a pattern in parentheses.

    Patterns of paths are globs, taken from the workspace unless absolute or under `~/`; one without `/` fits at any
    depth, and what fits a directory fits all below it. Patterns of commands are the command's words, where a last
    word `*` stands for any more. Patterns of hosts are globs.
    """

    verdict: Verdict
    text: str
    name: str
    pattern: str | None = None

    def applies(self, tool: str, touch: Touch, directory: str) -> bool:
        """Whether the rule speaks of this touch of this tool. An allowing rule must fit it in every spelling."""
        if self.name != touch.effect and not _name(self.name).fullmatch(tool):
            return False
        if self.pattern is None:
            return True
        match touch.kind:
            case "path":
                fits = [_fits_path(self.pattern, path, directory, self.verdict) for path in touch.paths]
                return all(fits) if self.verdict == "allow" else any(fits)
            case "command":
                return _fits_command(self.pattern, touch.spelled, self.verdict)
            case "host":
                return bool(_name(self.pattern.casefold()).fullmatch(touch.spelled.casefold()))
            case "whole":
                return self.verdict != "allow"
            case "implied":
                return False


@frozen(kw_only=True)
class Rules:
    """`[permissions]`: the lists `deny`, `ask` and `allow`."""

    deny: tuple[Rule, ...] = ()
    ask: tuple[Rule, ...] = ()
    allow: tuple[Rule, ...] = ()
    own: tuple[str, ...] = field(default=())

    @classmethod
    def parse(cls, permissions: Mapping[str, Any], own: Iterable[Path] = ()) -> Rules:
        """The rules of a `[permissions]` table; `own` are the directories that no tool may write.

        Raises SettingsError for a key or a rule that is not understood, since a rule that is passed over protects
        nobody.
        """
        unknown = sorted(set(permissions) - {"deny", "ask", "allow"})
        if unknown:
            raise SettingsError(
                f'unknown key "{unknown[0]}"', path=("permissions", unknown[0]), remedy="The keys are deny, ask, allow."
            )
        lists = {v: tuple(_rule(v, r, i) for i, r in enumerate(permissions.get(v, ()))) for v in _STRICTNESS}
        resolved = tuple(os.path.realpath(path) for path in own)
        return cls(deny=lists["deny"], ask=lists["ask"], allow=lists["allow"], own=resolved)

    def decide(self, request: PermissionRequest) -> Decision:
        """The strictest decision about all that the call touches."""
        try:
            touches = tuple(_touches(request))
        except (ValueError, OSError) as error:  # what leads nowhere is no reason to guess
            return Decision(verdict="deny", rule="paths: not a path", source="core", reason=str(error))
        if not touches:
            return Decision(verdict="allow", rule="no effects", source="core")
        return strictest(self._judge(request, touch) for touch in touches)

    def _judge(self, request: PermissionRequest, touch: Touch) -> Decision:
        tool, mode, directory = request.call.name, request.mode, str(request.directory)
        what = f"{_VERBS[touch.effect]} {touch.spelled}" if touch.spelled else touch.effect
        for rule in self.deny:
            if rule.applies(tool, touch, directory):
                return _ruled(rule, f"{what} is denied by the rule {rule.text}")
        if touch.effect == "write" and self._is_own(touch, directory):
            why = f"{what}: tools may not change codetether's own files"
            return Decision(verdict="deny", rule="own files: write denied", source="core", reason=why)
        if mode == "plan" and touch.effect != "read":
            why = f"{what} is not possible in mode plan, which only reads"
            return Decision(verdict="deny", rule=f"mode plan: {touch.effect} denied", source="mode", reason=why)
        for rule in self.ask:
            if rule.applies(tool, touch, directory):
                return _ruled(rule, f"{what} needs permission by the rule {rule.text}")
        if touch.kind == "implied":
            return Decision(verdict="allow", rule=f"{touch.effect} goes with execute", source="core")
        return self._guarded(touch, directory) or self._permitted(request, touch, directory, what)

    def _guarded(self, touch: Touch, directory: str) -> Decision | None:
        """What is asked about in every mode: files that make programs run later, and files that hold secrets."""
        if touch.kind != "path":
            return None
        guard = persistent if touch.effect == "write" else secret
        name = next((found for path in touch.paths if (found := guard(below(path, directory)))), None)
        if name is None:
            return None
        kind = "runs or steers programs later" if touch.effect == "write" else "often holds secrets"
        why = f"{_VERBS[touch.effect]} {touch.spelled} always needs permission, since {name} {kind}"
        return Decision(verdict="ask", rule=f"guarded file {name}: {touch.effect} asks", source="core", reason=why)

    def _permitted(self, request: PermissionRequest, touch: Touch, directory: str, what: str) -> Decision:
        tool, mode = request.call.name, request.mode
        outside = touch.kind == "path" and not all(inside(path, directory) for path in touch.paths)
        for rule in self.allow:
            if (rule.pattern is not None or not outside) and rule.applies(tool, touch, directory):
                return _ruled(rule, f"{what} is allowed by the rule {rule.text}")
        if outside and mode != "unsafe":
            why = f"{what} needs permission, since it lies outside the workspace {directory}"
            return Decision(
                verdict="ask", rule=f"outside the workspace: {touch.effect} asks", source="core", reason=why
            )
        nowhere = touch.effect == "write" and touch.kind == "whole" and mode != "unsafe"
        if touch.effect in _FREE[mode] and not nowhere:
            return Decision(verdict="allow", rule=f"mode {mode}: {touch.effect} allowed", source="mode")
        remedy = "--mode edit or --allow write" if touch.effect == "write" else f"--allow {tool}"
        why = f"{what} needs permission in mode {mode}; {remedy} gives it"
        return Decision(verdict="ask", rule=f"mode {mode}: {touch.effect} asks", source="mode", reason=why)

    def _is_own(self, touch: Touch, directory: str) -> bool:
        return any(
            own_settings(below(path, directory)) or any(inside(path, own) for own in self.own) for path in touch.paths
        )


def _ruled(rule: Rule, reason: str) -> Decision:
    return Decision(verdict=rule.verdict, rule=f"{rule.verdict} {rule.text}", source="settings", reason=reason)


def _touches(request: PermissionRequest) -> Iterator[Touch]:
    """All that the call touches. Running a program stands for all that the program may do."""
    resources = request.resources
    for spelled in resources.reads:
        yield _path(request.directory, "read", spelled)
    for spelled in resources.writes:
        yield _path(request.directory, "write", spelled)
    for command in resources.commands:
        yield Touch(effect="execute", kind="command", spelled=command)
    for host in resources.hosts:
        yield Touch(effect="network", kind="host", spelled=host)
    named: dict[Effect, tuple[str, ...]] = {
        "read": resources.reads,
        "write": resources.writes,
        "execute": resources.commands,
        "network": resources.hosts,
    }
    for effect in request.effects:
        if not named.get(effect):  # one of a later version is nobody's by implication
            yield Touch(effect=effect, kind="implied" if resources.commands and effect in named else "whole")


def _path(directory: Path, effect: Effect, spelled: str) -> Touch:
    real = str(resolve(directory, spelled))
    plain = os.path.normpath(os.path.join(directory, spelled))  # noqa: PTH118 - one string, no Path made twice
    return Touch(effect=effect, kind="path", spelled=spelled, paths=tuple({plain: None, real: None}))


def _rule(verdict: Any, text: Any, index: int) -> Rule:
    found = _RULE.fullmatch(text.strip()) if isinstance(text, str) else None
    if found is None:
        raise SettingsError(
            f"{text!r} is no rule",
            path=("permissions", verdict, str(index)),
            remedy='Write "tool", "effect" (read, write, execute, network) or "tool(pattern)".',
        )
    return Rule(verdict=verdict, text=text.strip(), name=found["name"], pattern=found["pattern"])


@lru_cache(maxsize=512)
def _name(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(piece) for piece in pattern.split("*")))


def _fits_path(pattern: str, path: str, directory: str, verdict: Verdict) -> bool:
    if verdict == "allow":
        return bool(_path_pattern(pattern, directory, False).fullmatch(path))
    return bool(_path_pattern(pattern, directory, True).fullmatch(path.casefold()))


@lru_cache(maxsize=512)
def _path_pattern(pattern: str, directory: str, strict: bool) -> re.Pattern[str]:
    """A glob over absolute paths. A strict rule's `**/` starts at the root of the file system, in any case."""
    if pattern.startswith("~/"):
        pattern = os.path.expanduser(pattern)  # noqa: PTH111 - a person wrote the rule; `~` is meant
    pattern = pattern.removeprefix("./").rstrip("/") or "/"
    if "/" not in pattern:
        pattern = f"**/{pattern}"
    if not pattern.startswith("/"):
        root = "" if strict and pattern.startswith("**/") else directory
        pattern = f"{_literal(root)}/{pattern}"
    if strict:
        pattern = pattern.casefold()
    return re.compile(_glob(pattern) + "(?:/.*)?", re.DOTALL)


def _literal(path: str) -> str:
    return re.sub(r"([*?\[])", r"[\1]", path)


_GLOB = re.compile(r"/\*\*(?=/|$)|\*\*|\*|\?|\[!?\]?[^\]]*\]|.", re.DOTALL)


def _glob(pattern: str) -> str:
    out = []
    for token in _GLOB.findall(pattern):
        match token:
            case "/**":
                out.append("(?:/.*)?")
            case "**":
                out.append(".*")
            case "*":
                out.append("[^/]*")
            case "?":
                out.append("[^/]")
            case _ if len(token) > 2 and token[0] == "[":
                negative = token[1] == "!"
                out.append(f"[{'^' if negative else ''}{_set(token[1 + negative : -1])}]")
            case _:
                out.append(re.escape(token))
    return "".join(out)


def _set(members: str) -> str:
    return re.sub(r"([\\\[\]^&~|])", r"\\\1", members)


def _fits_command(pattern: str, command: str, verdict: Verdict) -> bool:
    """Whether the pattern's words fit the command's.

    What allows must be a single plain command, without quoting, expansion, redirection or a second command. What
    denies or asks looks at each part of the line, as a courtesy: only confinement is a fence.
    """
    words = pattern.split()
    if verdict == "allow":
        return bool(_PLAIN.fullmatch(command)) and _fits_words(words, command.split())
    return any(_fits_words(words, _unquoted(part), loosely=True) for part in _PARTS.split(command))


def _unquoted(part: str) -> list[str]:
    return re.sub(r"[\"'\\]", "", part).split()


def _fits_words(pattern: list[str], words: list[str], *, loosely: bool = False) -> bool:
    if loosely:
        starts = range(len(words))
        bare = [os.path.basename(word) for word in words]  # noqa: PTH119
        head = pattern[:-1] if pattern[-1] == "*" else pattern
        return any(
            _fits_words([*head, "*"], words[i:]) or _fits_words([*head, "*"], [bare[i], *words[i + 1 :]])
            for i in starts
        )
    if pattern[-1] == "*":
        head = pattern[:-1]
        return len(words) >= len(head) and all(_name(p).fullmatch(w) for p, w in zip(head, words, strict=False))
    return len(pattern) == len(words) and all(_name(p).fullmatch(w) for p, w in zip(pattern, words, strict=True))
