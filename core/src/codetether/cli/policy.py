"""`codetether policy`: what the rules say of a command, which are in force, what they say of a past session."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from codetether.cli.completion import session_ids
from codetether.cli.table import as_json, print_json, print_table
from codetether.cli.terminal import Screen, one_line
from codetether.errors import SettingsError, UsageError
from codetether.models.tools import Decision, Mode, PermissionRequest, Resources, ToolCall, ToolDefinition
from codetether.settings.core import MODES
from codetether.settings.settings import Settings, directories, load_settings

if TYPE_CHECKING:
    from codetether.models.approvals import KeptApproval
    from codetether.permissions.approvals import Approvals
    from codetether.permissions.rules import Rules
    from codetether.session.judging import JudgedCall

CODES = {"allow": 0, "deny": 3, "ask": 10}
"""Decision -> exit code of `policy check`."""
ALWAYS = (
    ("deny", "writing codetether's own files, and any .codetether directory"),
    ("ask", "writing files that make programs run later: .git, CI and editor tasks, shell start files, AGENTS.md"),
    ("ask", "reading files that often hold secrets: .env, keys, .ssh, .aws, .netrc"),
    ("ask", "removing or changing whole trees: the root, a home, the workspace, or what holds it"),
    ("ask", "touching what lies outside the workspace, but for mode unsafe"),
    ("allow", "commands that only read files of the workspace, each of their options known, but for mode plan"),
)
"""What no rule is needed for."""
_BASH = ToolDefinition(name="bash", description="", schema={})
mode_ = click.option("--mode", type=click.Choice(MODES), help="Judge as in this mode; else the one of the settings.")
allow_ = click.option("--allow", metavar="RULE", multiple=True, help="As if this rule were allowed; repeatable.")


@click.group("policy")
def policy() -> None:
    """Show what is permitted: a command, the rules in force, a past session."""


@policy.command("check", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@mode_
@allow_
@as_json
def check(command: tuple[str, ...], mode: Mode | None, allow: tuple[str, ...], as_json: bool) -> int:
    """Say whether COMMAND could run here unasked, by which rule and why; it is not run.

    One argument is a line for the shell, several are its words. Options stand before COMMAND. The rules are judged; a
    policy that a plugin brings may be stricter still.

    Exit codes: 0 allowed, 3 denied, 10 asks (which without a person to ask means denied).
    """
    if len(command) > 1 and any(map(str.isspace, command[0])):  # no program is called so: an option came too late
        raise click.UsageError(f"options stand before the command: codetether policy check {shlex.join(command[1:])} …")
    text = command[0] if len(command) == 1 else shlex.join(command)
    settings = _settings(allow)
    request = PermissionRequest(
        call=ToolCall(id="check", name="bash", arguments={"command": text}),
        definition=_BASH,
        resources=Resources(commands=(text,), preview=text),
        directory=Path.cwd().resolve(),
        mode=settings.mode(mode),
    )
    decision = rules_in_force(settings).decide(request)
    screen, layer = Screen(), layer_of(decision, settings)
    if as_json:
        print_json(screen, {"command": text, "mode": request.mode, **_told(decision), "layer": layer})
    else:
        screen.line(f"{decision.verdict}: {one_line(text, 400)}")
        screen.line(f"  rule: {decision.rule}")
        screen.line(f"  from: {layer}")
        if decision.reason:
            screen.line(f"  why: {one_line(decision.reason, 1000)}")
    return CODES[decision.verdict]


@policy.command("explain")
@mode_
@allow_
@as_json
def explain(mode: Mode | None, allow: tuple[str, ...], as_json: bool) -> int:
    """Show the rules in force here, where each comes from, and what each mode frees."""
    from codetether.permissions.rules import FREE

    screen, settings = Screen(), _settings(allow)
    rules = rules_in_force(settings)
    here = [each for each in _approvals().kept() if each.directory == str(Path.cwd().resolve())]
    rows = [
        (rule.verdict, rule.text, str(settings.origin(("permissions", rule.verdict, str(at)))))
        for found in (rules.deny, rules.ask, rules.allow)
        for at, rule in enumerate(found)
    ]
    if as_json:
        told = {
            "mode": settings.mode(mode),
            "rules": [{"verdict": v, "rule": text, "origin": origin} for v, text, origin in rows],
            "always": [{"verdict": verdict, "about": about} for verdict, about in ALWAYS],
            "modes": {name: list(effects) for name, effects in FREE.items()},
            "approvals": [_approval(each) for each in here],
            "notices": list(settings.notices),
        }
        print_json(screen, told)
        return 0
    for notice in settings.notices:
        screen.notice("", notice)
    screen.line(f"Mode {settings.mode(mode)}. Deny beats ask beats allow, whichever file they stand in.\n")
    if rows:
        print_table(screen, ("VERDICT", "RULE", "FROM"), rows)
    else:
        screen.line("No rules but what always holds.")
    screen.line("\nAlways:")
    for verdict, about in ALWAYS:
        screen.line(f"  {verdict:6} {about}")
    screen.line("\nEach mode frees, in the workspace:")
    for name, effects in FREE.items():
        screen.line(f"  {name:8} {', '.join(effects)}")
    if here:
        screen.line("\nAllowed here by you, until taken back (codetether policy revoke ID):")
        _print_approvals(screen, here)
    return 0


@policy.command("approvals")
@as_json
def approvals(as_json: bool) -> int:
    """List what you answered "always" to: 30 days long, for one call, one directory and the rules of that time."""
    screen, kept = Screen(), _approvals().kept()
    if as_json:
        print_json(screen, [_approval(each) for each in kept])
    elif kept:
        _print_approvals(screen, kept)
    else:
        screen.line("No approvals are kept")
    return 0


@policy.command("revoke")
@click.argument("ids", metavar="ID", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Take back every approval.")
def revoke(ids: tuple[str, ...], everything: bool) -> int:
    """Take approvals back; running sessions ask again too."""
    from codetether.cli.recorded import recorded

    if bool(ids) == everything:
        raise click.UsageError("name the approvals to take back, or all of them with --all")
    kept = _approvals()
    there = [each.id for each in kept.kept()]
    if unknown := [id_ for id_ in ids if id_ not in there]:
        raise UsageError(f"no approval {unknown[0]!r}", remedy="codetether policy approvals lists them")
    detail: dict[str, Any] = {"ids": there if everything else list(ids)}
    screen = Screen()
    for id_ in recorded("permission", "approval:revoke", detail, lambda: kept.revoke(None if everything else ids)):
        screen.line(f"taken back: {id_}")
    return 0


@policy.command("replay")
@click.argument("session_id", metavar="SESSION", shell_complete=session_ids)
@mode_
@allow_
@as_json
def replay(session_id: str, mode: Mode | None, allow: tuple[str, ...], as_json: bool) -> int:
    """Judge the calls of a past SESSION under the present rules and policies; nothing is run."""
    from codetether.cli.interrupts import launch

    screen = Screen()

    async def judged(_: object) -> int:
        from codetether.cli.sessions import stored
        from codetether.runtime import Runtime
        from codetether.session.judging import judge_calls

        async with stored() as store:
            session = (await store.load(session_id)).session
        directory = Path(session.metadata.directory)
        if not directory.is_dir():
            raise UsageError(
                f"the directory of session {session_id} does not exist any more: {directory}",
                remedy=f"put it back; codetether sessions show {session_id} shows the session without it",
            )
        async with Runtime.open(directory=directory, settings=_overrides(allow), on_notice=screen.notice) as runtime:
            calls = await judge_calls(runtime, session, runtime.settings.mode(mode))
        if as_json:
            print_json(screen, [_call(call) for call in calls])
        else:
            _print_calls(screen, calls)
        return 0

    return launch(judged)


def _print_calls(screen: Screen, calls: Sequence[JudgedCall]) -> None:
    for call in calls:
        verdict = call.decision.verdict if call.decision else "none"
        why = call.decision.rule if call.decision else one_line(call.problem, 200)
        screen.line(f"{verdict:6} {call.name} {one_line(call.arguments, 200)}")
        screen.line(f"       {why}; then it {'ran' if call.ran else 'did not run, or failed'}")
    counts = {v: sum(1 for c in calls if c.decision and c.decision.verdict == v) for v in ("allow", "ask", "deny")}
    screen.line(f"{len(calls)} calls: " + ", ".join(f"{number} {verdict}" for verdict, number in counts.items()))


def _call(call: JudgedCall) -> dict[str, Any]:
    made = {"id": call.id, "name": call.name, "arguments": call.arguments, "ran": call.ran}
    return {**made, **(_told(call.decision) if call.decision else {"decision": None, "reason": call.problem})}


def _told(decision: Decision) -> dict[str, str]:
    told = {"decision": decision.verdict, "rule": decision.rule}
    return {**told, "source": decision.source, "reason": decision.reason}


def _approvals() -> Approvals:
    from codetether.permissions.approvals import Approvals, approvals_of

    return Approvals(directory=approvals_of(directories().state))


def _state(approval: KeptApproval) -> str:
    """Whether it still holds: `holds`, `rules changed`, or `files changed`."""
    from codetether.permissions.requests import rules_digest
    from codetether.permissions.sources import CannotTell, digests

    try:
        if approval.rules != rules_digest(load_settings(Path(approval.directory)).core.permissions):
            return "rules changed"
        return "holds" if dict(digests(approval.files)) == approval.files else "files changed"
    except SettingsError:
        return "rules changed"
    except CannotTell:
        return "files changed"


def _approval(approval: KeptApproval) -> dict[str, Any]:
    from codetether.wire import to_dict

    told = {name: value for name, value in to_dict(approval).items() if name not in ("key", "rules")}
    return {**told, "state": _state(approval)}


def _print_approvals(screen: Screen, kept: Sequence[KeptApproval]) -> None:
    rows = [
        (
            each.id,
            f"{each.expires_at:%Y-%m-%d}" if (state := _state(each)) == "holds" else state,
            each.tool,
            each.directory,
            one_line(each.about, 200),
        )
        for each in kept
    ]
    print_table(screen, ("ID", "UNTIL", "TOOL", "DIRECTORY", "WHAT"), rows)


def _overrides(allow: Sequence[str]) -> Mapping[str, Any] | None:
    return {"permissions": {"allow": list(allow)}} if allow else None


def _settings(allow: Sequence[str]) -> Settings:
    return load_settings(Path.cwd(), overrides=_overrides(allow))


def rules_in_force(settings: Settings) -> Rules:
    """The rules of all layers. Raises SettingsError with file and line."""
    from codetether.permissions.rules import Rules

    places = settings.directories
    lists = {str(verdict): rules for verdict, rules in settings.core.permissions.items()}
    try:
        return Rules.parse(lists, own=(places.config, places.data, places.state, places.cache))
    except SettingsError as error:
        origin = settings.origin(error.path)
        what = error.message.removeprefix(f"{'.'.join(error.path)}: ")
        raise SettingsError(what, file=origin.file, line=origin.line, path=error.path, remedy=error.remedy) from error


def layer_of(decision: Decision, settings: Settings) -> str:
    """The layer, file and line of the rule that decided; `mode` or `core` where none of the user's did."""
    if decision.source != "settings":
        return decision.source
    found = [
        str(settings.origin(("permissions", verdict, str(at))))
        for verdict, rules in settings.core.permissions.items()
        for at, rule in enumerate(rules)
        if f"{verdict} {rule.get('rule') if isinstance(rule, Mapping) else rule}" in decision.rule.split(", ")
    ]
    return ", ".join(dict.fromkeys(found)) or "settings"
