"""Decides about one command line: what it is known to do, the rules about commands, and what only reads."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import field

from codetether.models.tools import Decision, Effect, PermissionRequest
from codetether.permissions.commands import READ_ONLY, NotAllowed, allowed
from codetether.permissions.denials import candidates
from codetether.permissions.effects import Effects, effects, told
from codetether.permissions.given import given
from codetether.permissions.patterns import Touch
from codetether.permissions.places import inside
from codetether.permissions.rules import Rules, outside_asks, path_touch, said
from codetether.permissions.searches import files_searched, shows_history
from codetether.permissions.shell import Line, read_line
from codetether.values import frozen


@frozen(kw_only=True)
class LineJudge:
    """Judges the command line of one call."""

    rules: Rules
    request: PermissionRequest
    touch: Touch
    _judged: dict[tuple[Effect, str], tuple[Touch, Decision | None]] = field(factory=dict, init=False)

    def decide(self) -> Decision:
        """Deny before ask before allow, over the line and over all that it is known to do."""
        line = read_line(self.touch.spelled)
        known = effects(line, str(self.request.directory))
        what = said(self.touch) + _doing(known)
        found = self.rules.strict(self.request, self.touch, what)
        if found is not None and found.verdict == "deny":
            return found
        asked = found
        for decision in (*self._known(line, known), *filter(None, [self._searched(line)])):
            if decision.verdict == "deny":
                return decision
            asked = asked or decision
        return asked or self._permitted(line, what)

    def _known(self, line: Line, known: Effects) -> list[Decision]:
        """What the rules for paths and hosts, and the guards, say of what the line is known to do."""
        found = []
        if known.whole:
            shown = "what only running it can tell" if known.whole == "?" else known.whole
            why = f"{said(self.touch)} always needs permission, since it would change {shown} with all that is in it"
            found.append(Decision(verdict="ask", rule="whole trees: execute asks", source="core", reason=why))
        judged = [self._path(effect, path)[1] for effect, path in (*_paths(known), *self._given(line))]
        judged += [self._strict(Touch(effect="network", kind="host", spelled=host)) for host in known.hosts]
        return found + [decision for decision in judged if decision is not None]

    def _given(self, line: Line) -> Iterator[tuple[Effect, str]]:
        """What programs of which no more is known may read: the files among their arguments."""
        directory = str(self.request.directory)
        for words in candidates(line):
            if not told(words):
                yield from (("read", path) for path in given(words, directory))

    def _searched(self, line: Line) -> Decision | None:
        """What is asked where a search, or git, would come upon a file that a rule keeps from being read."""
        rules = [rule for rule in (*self.rules.deny, *self.rules.ask) if rule.name == "read" and rule.pattern]
        if not rules:
            return None
        if shows_history(line, str(self.request.directory)):
            why = f"{said(self.touch)} needs permission, since it may show what a file holds or held that the rule "
            why += f"{rules[0].text} keeps from being read; files that are named behind -- are looked at one by one"
            rule_text = f"{rules[0].verdict} {rules[0].text}"
            return Decision(verdict="ask", rule=rule_text, source="settings", reason=why)
        for path in files_searched(line, str(self.request.directory)):
            if (decision := self._strict(path_touch(self.request.directory, "read", path))) is not None:
                why = f"{said(self.touch)} needs permission, since it would come upon {path}: {decision.reason}"
                return Decision(verdict="ask", rule=decision.rule, source=decision.source, reason=why)
        return None

    def _strict(self, touch: Touch) -> Decision | None:
        """What denies or asks. Rules with the tool's own name are about its commands; mode plan has had its say."""
        decision = self.rules.strict(self.request, touch, said(touch), tool="")
        return None if decision is not None and decision.source == "mode" else decision

    def _path(self, effect: Effect, path: str) -> tuple[Touch, Decision | None]:
        """A path that is touched, and what denies that or asks about it; judged once for each line."""
        key = (effect, path if path.startswith("/") else f"{self.request.directory}/{path}")
        if key not in self._judged:
            touch = path_touch(self.request.directory, effect, path)
            self._judged[key] = touch, self._strict(touch) or self.rules.guarded(touch, str(self.request.directory))
        return self._judged[key]

    def _permitted(self, line: Line, what: str) -> Decision:
        tool, mode = self.request.call.name, self.request.mode
        _, _, rules = self.rules.speaking(tool, self.touch)
        for rule in rules:
            if rule.pattern is None:
                reason = f"{what} is allowed by the rule {rule.text}"
                return Decision(verdict="allow", rule=f"allow {rule.text}", source="settings", reason=reason)
        try:
            found = allowed(line, self.request.directory, rules, self._free)
        except NotAllowed as refused:
            if mode == "unsafe":
                return Decision(verdict="allow", rule="mode unsafe: execute allowed", source="mode")
            if mode == "auto" and self.request.confined:
                return Decision(verdict="allow", rule="mode auto: execute allowed in the sandbox", source="mode")
            why = f"{what} needs permission in mode {mode}, since {refused}; --allow {tool} gives it"
            return Decision(verdict="ask", rule=f"mode {mode}: execute asks", source="mode", reason=why)
        if not found.by_user:
            return Decision(verdict="allow", rule=f"{READ_ONLY}: allowed", source="core", reason=f"{what} only reads")
        rule_text = ", ".join(rule for rule in found.rules if rule != READ_ONLY)
        return Decision(verdict="allow", rule=rule_text, source="settings", reason=f"{what} is allowed by {rule_text}")

    def _free(self, effect: Effect, path: str) -> Decision:
        """Whether a command may touch a path as part of what it is allowed to do."""
        touch, decision = self._path(effect, path)
        if decision is not None:
            return decision
        directory = str(self.request.directory)
        if not all(inside(path, directory) for path in touch.paths) and not self._ruled(touch):
            return outside_asks(touch, said(touch), directory)
        return Decision(verdict="allow")

    def _ruled(self, touch: Touch) -> bool:
        """Whether a rule frees a path outside the workspace."""
        tool, directory = self.request.call.name, str(self.request.directory)
        return self.request.mode == "unsafe" or any(
            rule.pattern is not None and rule.name == touch.effect and rule.applies(tool, touch, directory)
            for rule in self.rules.allow
        )


def _paths(known: Effects) -> list[tuple[Effect, str]]:
    reads: list[tuple[Effect, str]] = [("read", path) for path in known.reads]
    return reads + [("write", path) for path in known.writes]


def _doing(known: Effects) -> str:
    """What the line is known to write and to reach, for the reason."""
    told = []
    if known.writes:
        told.append(f"writes {', '.join(known.writes[:5])}" + (" and more" if len(known.writes) > 5 else ""))
    if known.hosts:
        told.append(f"reaches {', '.join(known.hosts[:5])}")
    return f" (which {' and '.join(told)})" if told else ""
