"""Decides what a tool call may do: deny before ask before allow, the strictest of all that apply."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from stat import S_ISLNK
from typing import Any, get_args

from attrs import field

from codetether.errors import SettingsError
from codetether.models.tools import Decision, Effect, Mode, PermissionRequest, Verdict
from codetether.permissions.examples import check_examples
from codetether.permissions.patterns import Kind, Rule, Touch
from codetether.permissions.places import below, inside, own_settings, persistent, secret_name
from codetether.values import frozen

EFFECTS: tuple[Effect, ...] = get_args(Effect)
VERDICTS: tuple[Verdict, ...] = ("deny", "ask", "allow")
FREE: Mapping[Mode, tuple[Effect, ...]] = {
    "plan": ("read",),
    "default": ("read",),
    "edit": ("read", "write"),
    "auto": ("read", "write"),
    "unsafe": EFFECTS,
}
"""What each mode frees in the workspace; commands that only read are free in all but plan."""
_STRICTNESS = {"allow": 0, "ask": 1, "deny": 2}
_RULE = re.compile(r"(?P<name>[A-Za-z0-9_*-]{1,64})(?:\((?P<pattern>.+)\))?", re.DOTALL)
_VERBS = {"read": "reading", "write": "writing", "execute": "running", "network": "reaching"}
_UNTOUCHING = {"deny": "is denied", "ask": "needs permission"}
_SHOWN = 300


def strictest(decisions: Iterable[Decision]) -> Decision:
    """The first of the strictest decisions. Of none: deny, since nobody allowed anything.

    Of those that ask, one by a rule or a guard comes before one by the mode alone: it says more.
    """
    chosen = max(decisions, key=_strictness, default=None)
    return chosen or Decision(verdict="deny", rule="no decision", reason="nobody decided about this call")


def _strictness(decision: Decision) -> tuple[int, bool]:
    return _STRICTNESS[decision.verdict], decision.verdict == "ask" and decision.source != "mode"


def resolve(directory: Path, spelled: str) -> Path:
    """Where a path leads: absolute, every link followed, nothing expanded (`~` and `$X` are plain names).

    Raises ValueError for text that no file can be named.
    """
    return Path(os.path.realpath(_joined(str(directory), spelled)))


def _joined(directory: str, spelled: str) -> str:
    if not spelled or "\0" in spelled:
        raise ValueError(f"not a path: {spelled!r}")
    return spelled if spelled.startswith("/") else f"{directory}/{spelled}"


@frozen(kw_only=True)
class Rules:
    """`[permissions]`: the lists `deny`, `ask` and `allow`."""

    deny: tuple[Rule, ...] = ()
    ask: tuple[Rule, ...] = ()
    allow: tuple[Rule, ...] = ()
    own: tuple[str, ...] = field(default=())
    _about: dict[tuple[str, Effect], tuple[tuple[Rule, ...], ...]] = field(
        factory=dict, init=False, eq=False, repr=False
    )
    _implied: dict[tuple[str, Mode, Effect], Decision] = field(factory=dict, init=False, eq=False, repr=False)

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
        lists = {v: tuple(parse_rule(v, r, i) for i, r in enumerate(permissions.get(v, ()))) for v in VERDICTS}
        resolved = tuple(os.path.realpath(path) for path in own)
        return cls(deny=lists["deny"], ask=lists["ask"], allow=lists["allow"], own=resolved)

    def decide(self, request: PermissionRequest) -> Decision:
        """The strictest decision about all that the call touches."""
        try:
            touches = tuple(_touches(request))
            if not touches:
                return self._untouching(request.call.name)
            return strictest(self._judge(request, touch) for touch in touches)
        except (ValueError, OSError) as error:  # what leads nowhere is no reason to guess
            return Decision(verdict="deny", rule="paths: not a path", source="core", reason=str(error))

    def _untouching(self, tool: str) -> Decision:
        """What is said of a call that touches nothing: only a rule that names its tool speaks of it."""
        for rule in (*self.deny, *self.ask):
            if rule.pattern is None and rule.names(tool):
                return _ruled(rule, f"{tool} {_UNTOUCHING[rule.verdict]} by the rule {rule.text}")
        return Decision(verdict="allow", rule="no effects", source="core")

    def _judge(self, request: PermissionRequest, touch: Touch) -> Decision:
        if touch.kind == "command":
            from codetether.permissions.lines import LineJudge  # only who judges a command pays for all that

            return LineJudge(rules=self, request=request, touch=touch).decide()
        if touch.kind == "implied":
            key = (request.call.name, request.mode, touch.effect)
            if key not in self._implied:
                goes = Decision(verdict="allow", rule=f"{touch.effect} goes with execute", source="core")
                self._implied[key] = self.strict(request, touch, said(touch)) or goes
            return self._implied[key]
        what = said(touch)
        if strict := self.strict(request, touch, what):
            return strict
        return self.guarded(touch, str(request.directory)) or self._permitted(request, touch, what)

    def strict(
        self, request: PermissionRequest, touch: Touch, what: str, *, tool: str | None = None
    ) -> Decision | None:
        """What denies the touch, or asks about it by a rule; None for nothing. `tool`: in place of the call's own."""
        tool = request.call.name if tool is None else tool
        mode, directory = request.mode, str(request.directory)
        unsure = None
        deny, ask, _ = self.speaking(tool, touch)
        for rule in deny:
            applies = rule.applies(tool, touch, directory)
            if applies:
                return _ruled(rule, f"{what} is denied by the rule {rule.text}")
            unsure = unsure or (rule if applies is None else None)
        if touch.effect == "write" and self._is_own(touch, directory):
            why = f"{what}: tools may not change codetether's own files"
            return Decision(verdict="deny", rule="own files: write denied", source="core", reason=why)
        if mode == "plan" and touch.effect != "read":
            why = f"{what} is not possible in mode plan, which only reads"
            return Decision(verdict="deny", rule=f"mode plan: {touch.effect} denied", source="mode", reason=why)
        for rule in ask:
            applies = rule.applies(tool, touch, directory)
            if applies:
                return _ruled(rule, f"{what} needs permission by the rule {rule.text}")
            unsure = unsure or (rule if applies is None else None)
        if unsure is None:
            return None
        why = f"{what} needs permission, since only running it tells whether the rule {unsure.text} speaks of it"
        return Decision(verdict="ask", rule=f"{unsure.verdict} {unsure.text}", source="settings", reason=why)

    def speaking(self, tool: str, touch: Touch) -> tuple[tuple[Rule, ...], ...]:
        """The rules that deny, that ask and that allow which may speak of the touch, by their names."""
        key = ("secret" if touch.kind == "secret" else tool, touch.effect)
        if key not in self._about:
            self._about[key] = tuple(
                tuple(r for r in rules if r.of_commands or r.name == key[0] or r.named(tool, touch.effect))
                for rules in (self.deny, self.ask, self.allow)
            )
        return self._about[key]

    def guarded(self, touch: Touch, directory: str) -> Decision | None:
        """What is asked about in every mode: files that make programs run later, and files that hold secrets."""
        if touch.kind != "path":
            return None
        guard = persistent if touch.effect == "write" else secret_name
        name = next((found for path in touch.paths if (found := guard(below(path, directory)))), None)
        if name is None:
            return None
        kind = "runs or steers programs later" if touch.effect == "write" else "often holds secrets"
        why = f"{_VERBS[touch.effect]} {touch.spelled} always needs permission, since {name} {kind}"
        return Decision(verdict="ask", rule=f"guarded file {name}: {touch.effect} asks", source="core", reason=why)

    def _permitted(self, request: PermissionRequest, touch: Touch, what: str) -> Decision:
        tool, mode, directory = request.call.name, request.mode, str(request.directory)
        outside = touch.kind == "path" and not all(inside(path, directory) for path in touch.paths)
        for rule in self.speaking(tool, touch)[2]:
            if (rule.pattern is not None or not outside) and rule.applies(tool, touch, directory):
                return _ruled(rule, f"{what} is allowed by the rule {rule.text}")
        if outside and mode != "unsafe":
            return outside_asks(touch, what, directory)
        nowhere = touch.effect == "write" and touch.kind == "whole" and mode != "unsafe"
        if touch.kind == "secret" and mode != "unsafe":
            why = f"{what} needs permission: secret({touch.spelled}) in [permissions] allow gives it"
            return Decision(verdict="ask", rule="secret: use asks", source="core", reason=why)
        if touch.effect in FREE[mode] and not nowhere:
            return Decision(verdict="allow", rule=f"mode {mode}: {touch.effect} allowed", source="mode")
        remedy = "--mode edit or --allow write" if touch.effect == "write" else f"--allow {tool}"
        why = f"{what} needs permission in mode {mode}; {remedy} gives it"
        return Decision(verdict="ask", rule=f"mode {mode}: {touch.effect} asks", source="mode", reason=why)

    def _is_own(self, touch: Touch, directory: str) -> bool:
        return any(
            own_settings(below(path, directory)) or any(inside(path, own) for own in self.own) for path in touch.paths
        )


def said(touch: Touch) -> str:
    """The touch in words; a long command keeps its beginning and its end."""
    spelled = touch.spelled
    if touch.kind == "secret":
        return f"the use of the secret {spelled}"
    if len(spelled) > _SHOWN:
        spelled = f"{spelled[: _SHOWN // 2]} … {spelled[-_SHOWN // 2 :]}"
    return f"{_VERBS[touch.effect]} {spelled}" if spelled else touch.effect


def outside_asks(touch: Touch, what: str, directory: str) -> Decision:
    """The decision about a path that lies outside the workspace."""
    why = f"{what} needs permission, since it lies outside the workspace {directory}"
    return Decision(verdict="ask", rule=f"outside the workspace: {touch.effect} asks", source="core", reason=why)


def _ruled(rule: Rule, reason: str) -> Decision:
    return Decision(verdict=rule.verdict, rule=f"{rule.verdict} {rule.text}", source="settings", reason=reason)


def _touches(request: PermissionRequest) -> Iterator[Touch]:
    """All that the call touches. Running a program stands for all that the program may do."""
    resources = request.resources
    for name in resources.secrets:
        yield Touch(effect="execute" if resources.commands else "network", kind="secret", spelled=name)
    for spelled in resources.reads:
        yield path_touch(request.directory, "read", spelled)
    for spelled in resources.writes:
        yield path_touch(request.directory, "write", spelled)
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
            yield _unnamed(effect, "implied" if resources.commands and effect in named else "whole")


@lru_cache(maxsize=32)
def _unnamed(effect: Effect, kind: Kind) -> Touch:
    return Touch(effect=effect, kind=kind)


def path_touch(directory: Path, effect: Effect, spelled: str) -> Touch:
    """A path that is touched. Raises ValueError for text that no file can be named."""
    joined = _joined(str(directory), spelled)  # strings throughout: a command may touch many paths
    plain = os.path.normpath(joined)
    real = plain if ".." not in joined and _unlinked(plain) else os.path.realpath(joined)
    return Touch(effect=effect, kind="path", spelled=spelled, paths=tuple({plain: None, real: None}))


def _unlinked(path: str) -> bool:
    """Whether no part of the path is a link, so that it leads where it says; at half the cost of `realpath`."""
    at = 0
    try:
        while at != -1:
            at = path.find("/", at + 1)
            if S_ISLNK(os.lstat(path if at == -1 else path[:at]).st_mode):
                return False
    except OSError:  # what is not there leads nowhere else
        pass
    return not path.startswith("//")


def parse_rule(verdict: Verdict, text: Any, index: int) -> Rule:
    """A rule as it stands in a list: text, or a table with `rule` and its examples. Raises SettingsError."""
    path = ("permissions", verdict, str(index))
    examples: Mapping[str, Any] = {}
    if isinstance(text, Mapping):
        examples = {key: value for key, value in text.items() if key != "rule"}
        text = text.get("rule")
    found = _RULE.fullmatch(text.strip()) if isinstance(text, str) else None
    if found is None:
        raise SettingsError(
            f"{text!r} is no rule",
            path=path,
            remedy='Write "tool", "effect" (read, write, execute, network) or "tool(pattern)".',
        )
    rule = Rule(verdict=verdict, text=text.strip(), name=found["name"], pattern=found["pattern"])
    check_examples(rule, examples, path)
    return rule
