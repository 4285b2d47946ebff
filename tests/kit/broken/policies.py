"""One policy for each promise of permission policies."""

from __future__ import annotations

from typing import Any

from codetether import Decision, PermissionRequest, PolicySpec, Resources, Verdict

from tests.kit.broken import breaking


class Asking:
    """A policy that keeps every promise: it asks about everything but reading."""

    async def decide(self, request: PermissionRequest) -> Decision:
        return Decision(verdict=self.verdict(request), rule="probe")

    def verdict(self, request: PermissionRequest) -> Verdict:
        if request.mode == "plan" and request.effects != ("read",):
            return "deny"
        return "allow" if request.effects == ("read",) else "ask"


class Splitting(Asking):
    def verdict(self, request: PermissionRequest) -> Verdict:
        for command in request.resources.commands:
            command.encode()
        return super().verdict(request)


class Forgiving(Asking):
    def __init__(self) -> None:
        self.seen: set[str] = set()

    def verdict(self, request: PermissionRequest) -> Verdict:
        if request.resources == Resources(hosts=("example.com:443",)) and request.mode == "default":
            known = "seen" in self.seen
            self.seen.add("seen")
            return "allow" if known else "ask"
        return super().verdict(request)


class FirstOnly(Asking):
    def verdict(self, request: PermissionRequest) -> Verdict:
        first = request.resources.commands[:1]
        return "allow" if first == ("ls",) and request.mode == "default" else super().verdict(request)


class Planless(Asking):
    def verdict(self, request: PermissionRequest) -> Verdict:
        return "allow" if request.mode == "plan" else super().verdict(request)


class Trusting(Asking):
    def verdict(self, request: PermissionRequest) -> Verdict:
        return "allow" if request.effects == ("telepathy",) else super().verdict(request)


def policy(cls: type[Any]) -> Any:
    """A plugin with such a policy."""
    return breaking("permission_policies", PolicySpec(name="probe", create=lambda ctx: cls()))


BROKEN: dict[str, Any] = {
    "every call gets a decision": policy(Splitting),
    "the same call is judged the same": policy(Forgiving),
    "a call that touches more is judged no milder": policy(FirstOnly),
    "a stricter mode is no milder": policy(Planless),
    "an unknown effect is judged like the worst": policy(Trusting),
}
