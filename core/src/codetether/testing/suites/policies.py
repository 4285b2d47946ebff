"""What permission policies keep."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs

from codetether.models.tools import Decision, Effect, Mode, PermissionRequest, Resources, ToolCall, ToolDefinition
from codetether.testing.promises import BrokenPromise, promises, require, within
from codetether.testing.trial import Trial

SEVERITY = {"allow": 0, "ask": 1, "deny": 2}
MODES: tuple[Mode, ...] = ("plan", "default", "edit")
"""From the strictest; what the modes after these free depends on a sandbox."""


def request(
    trial: Trial,
    *effects: Any,
    mode: Mode = "default",
    name: str = "conformance_probe",
    arguments: dict[str, Any] | None = None,
    **resources: Any,
) -> PermissionRequest:
    """A call to be judged."""
    return PermissionRequest(
        call=ToolCall(id="call-1", name=name, arguments=arguments or {}),
        definition=ToolDefinition(name=name, description="a probe", schema={"type": "object"}, effects=effects),
        resources=Resources(**resources),
        directory=trial.directory,
        mode=mode,
        session_id="trial",
    )


def usual(trial: Trial, mode: Mode = "default") -> Iterator[PermissionRequest]:
    """Calls as they come."""
    yield request(trial, "read", mode=mode, reads=("notes.txt",))
    yield request(trial, "read", "write", mode=mode, reads=("a",), writes=("src/a.py", "b.txt"))
    yield request(trial, "read", "write", "execute", "network", mode=mode, commands=("git push --force", "ls"))
    yield request(trial, "network", mode=mode, hosts=("example.com:443",))
    yield request(trial, "write", mode=mode, writes=("../O/secret.txt", "/etc/passwd"))
    yield request(trial, mode=mode)


def odd(trial: Trial) -> Iterator[PermissionRequest]:
    """Calls as nobody wants them."""
    texts = ("", "\0", "\ud800", "(((", "'", "a" * 100_000, "\u202e/etc", "~", "-rf /", "[::1")
    for text in texts:
        yield request(trial, "execute", commands=(text,))
        yield request(trial, "write", writes=(text,), reads=(text,))
        yield request(trial, "network", hosts=(text,))
        yield request(trial, "read", name=text or "x", arguments={text: [text, None, 1e300]})
    yield request(trial, "telepathy")
    yield request(trial, "execute", commands=("echo",) * 1000)


async def judged(policy: Any, asked: PermissionRequest) -> int:
    """How severe the decision is; a broken promise when it is none."""
    what = f"{asked.effects} {str(asked.resources)[:120]}"
    try:
        decision = await within(5, policy.decide(asked))
    except Exception as error:
        raise BrokenPromise(f"decide() raised {type(error).__name__} for {what}: {str(error)[:200]}") from error
    good = isinstance(decision, Decision) and decision.verdict in SEVERITY
    require(good, f"decide() gave {decision!r:.200} for {what}, no decision")
    return SEVERITY[decision.verdict]


async def every_call_gets_a_decision(trial: Trial) -> None:
    """`decide()` gives a Decision for whatever comes, within five seconds, and never raises."""
    policy = await trial.make()
    for asked in (*usual(trial), *odd(trial)):
        await judged(policy, asked)


async def the_same_call_is_judged_the_same(trial: Trial) -> None:
    """A call that was denied or asked about is not allowed for being made again."""
    policy = await trial.make()
    for asked in usual(trial):
        verdicts = [await judged(policy, asked) for _ in range(3)]
        require(len(set(verdicts)) == 1, f"the same call gets different verdicts: {asked.effects} {asked.resources}")


async def a_call_that_touches_more_is_judged_no_milder(trial: Trial) -> None:
    """What is denied stays denied when something harmless is done beside it, before it or after it."""
    policy = await trial.make()
    for asked in usual(trial):
        alone, own = await judged(policy, asked), asked.resources
        for name in ("reads", "writes", "commands", "hosts"):
            values = getattr(own, name)
            for more in ((*values, "notes.txt"), ("notes.txt", *values)):
                if name == "commands":
                    more = tuple("ls" if word == "notes.txt" else word for word in more)
                changes: Any = {name: more}
                with_more = attrs.evolve(asked, resources=attrs.evolve(own, **changes))
                milder = await judged(policy, with_more) < alone
                require(not milder, f"{own} is judged milder when {more[0]!r} and others stand in its {name}")


async def a_stricter_mode_is_no_milder(trial: Trial) -> None:
    """What mode `edit` asks about or denies is not allowed by `default`, nor what `default` does by `plan`."""
    policy = await trial.make()
    for calls in zip(*(usual(trial, mode) for mode in MODES), strict=True):
        verdicts = [await judged(policy, asked) for asked in calls]
        falling = verdicts == sorted(verdicts, reverse=True)
        require(falling, f"{calls[0].effects} is judged {verdicts} in {MODES}: a stricter mode is milder")


async def an_unknown_effect_is_judged_like_the_worst(trial: Trial) -> None:
    """An effect of a later version is judged no milder than the most dangerous one of today."""
    policy = await trial.make()
    known: tuple[Effect, ...] = ("read", "write", "execute", "network")
    worst = max([await judged(policy, request(trial, effect)) for effect in known])
    unknown = await judged(policy, request(trial, "telepathy"))
    require(
        unknown >= worst, "a call with an effect that it does not know is judged milder than one with a known effect"
    )


PROMISES = promises(
    "permission_policies",
    every_call_gets_a_decision,
    the_same_call_is_judged_the_same,
    a_call_that_touches_more_is_judged_no_milder,
    a_stricter_mode_is_no_milder,
    an_unknown_effect_is_judged_like_the_worst,
)
