"""`codetether plugins`, `providers` and `tools`: what is installed here, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from attrs import asdict

from codetether.cli.table import as_json, print_json, print_table
from codetether.cli.terminal import Screen

if TYPE_CHECKING:
    from codetether.plugins.loaded import PluginInfo
    from codetether.runtime import Runtime


def with_runtime(
    command: Callable[[Runtime, Screen], Awaitable[int]], *, strict: bool = False, unsaid: str | None = None
) -> int:
    """Runs a command in an open runtime; notices go to standard error, but for those of the source `unsaid`."""
    from codetether.cli.interrupts import launch

    screen = Screen()

    async def opened(_: object) -> int:
        from codetether.runtime import Runtime

        def notice(source: str, text: str) -> None:
            if source != unsaid:
                screen.notice(source, text)

        async with Runtime.open(directory=Path.cwd(), strict=strict, on_notice=notice) as runtime:
            return await command(runtime, screen)

    return launch(opened)


def list_plugins(*, as_json: bool, trace: bool, strict: bool) -> int:
    """Where each plugin comes from, whether it loaded, what is wrong with it; to standard output."""

    async def listing(runtime: Runtime, screen: Screen) -> int:
        found = runtime.plugins.plugins
        if as_json:
            print_json(screen, [_plugin(info, trace) for info in found])
            return 0
        rows = [(p.name, _from(p), p.status.replace("_", " "), _hooks(p)) for p in found]
        print_table(screen, ("NAME", "FROM", "STATUS", "HOOKS"), rows)
        for info in found:
            for problem in info.problems:
                where = f"{problem.hook}: " if problem.hook else ""
                screen.line(f"! {info.name} ({info.distribution or info.module}): {where}{problem.reason}")
        if trace:
            _trace(screen, found)
        return 0

    return with_runtime(listing, strict=strict, unsaid="plugins")  # the listing says it itself


@click.command("providers")
@as_json
def providers(as_json: bool) -> int:
    """List providers: whether each can be used, and why not."""

    async def listing(runtime: Runtime, screen: Screen) -> int:
        found = sorted(await runtime.providers(), key=lambda p: (p.place, p.name))
        if as_json:
            names = ("name", "available", "default_model", "aliases", "source", "reason", "models")
            print_json(screen, [{name: getattr(p, name) for name in names} for p in found])
        elif not found:
            screen.line("No providers found")
        else:
            from codetether.credentials import told_once

            reasons, often = told_once([p.source if p.available else p.reason for p in found])
            rows = [
                (p.name, "yes" if p.available else "no", p.default_model, reason)
                for p, reason in zip(found, reasons, strict=True)
            ]
            print_table(screen, ("NAME", "USABLE", "DEFAULT MODEL", "KEY FROM, OR WHY NOT"), rows)
            for each in often:
                screen.line(each)
        return 0

    return with_runtime(listing)


@click.command("tools")
@click.option("--cost", is_flag=True, help="Show about how many tokens each definition takes in every request.")
@as_json
def tools(cost: bool, as_json: bool) -> int:
    """List the tools that a session here would offer."""

    async def listing(runtime: Runtime, screen: Screen) -> int:
        if cost:
            return await _costs(runtime, screen, as_json=as_json)
        found = await runtime.tools(Path.cwd())
        if as_json:
            names = ("name", "description", "effects", "idempotent", "interactive", "timeout", "schema")
            print_json(screen, [{name: getattr(tool, name) for name in names} for tool in found])
        elif not found:
            screen.line("No tools found")
        else:
            rows = [(t.name, ",".join(t.effects), t.description.split("\n")[0]) for t in found]
            print_table(screen, ("NAME", "EFFECTS", "DESCRIPTION"), rows)
        return 0

    return with_runtime(listing)


async def _costs(runtime: Runtime, screen: Screen, *, as_json: bool) -> int:
    """What each definition takes, the most first; those that wait for a search take nothing until they are found."""
    from codetether.session.offering import answerable, estimated_tokens
    from codetether.session.workplace import offering_in

    offering = await offering_in(runtime, Path.cwd())
    both = {**offering.tools, **offering.waiting}
    definitions = [tool.definition for tool in both.values()]
    cost = {each.name: estimated_tokens(each) for each in answerable(definitions, runtime.person)}
    names = sorted(cost, key=lambda name: (-cost[name], name))
    rows = [{"name": n, "plugin": both[n].plugin, "tokens": cost[n], "at_once": n in offering.tools} for n in names]
    total, at_once = sum(cost.values()), sum(cost[name] for name in names if name in offering.tools)
    if as_json:
        print_json(screen, {"tools": rows, "tokens": total, "tokens_at_once": at_once})
        return 0
    cells = [(n, both[n].plugin, f"{cost[n]:,}", "" if n in offering.tools else "when found") for n in names]
    print_table(screen, ("NAME", "FROM", "TOKENS", "GIVEN"), cells)
    screen.line(f"about {at_once:,} tokens in each request")
    if at_once < total:
        screen.line(f"about {total - at_once:,} more, were all tools given at once ([tools] offered)")
    return 0


@click.command("agents")
@as_json
def agents(as_json: bool) -> int:
    """List the agents that a session can be (--agent), and that subagents can be."""

    async def listing(runtime: Runtime, screen: Screen) -> int:
        found = _agents(runtime)
        if as_json:
            print_json(screen, found)
            return 0
        usable = [each for each in found if not each["problem"]]
        rows = [(a["name"], a["mode"] or "", _limits(a), a["from"], a["description"]) for a in usable]
        print_table(screen, ("NAME", "MODE", "LIMITS", "FROM", "DESCRIPTION"), rows)
        for each in found:
            if each["problem"]:
                screen.line(f"! {each['name']} ({each['from']}): {each['problem']}")
        return 0

    return with_runtime(listing)


def _agents(runtime: Runtime) -> list[dict[str, Any]]:
    """Those that can be used, by name, then the files of those that cannot."""
    from codetether.specs import AgentSpec

    in_use, files = runtime.agents(), runtime.agents_here.files.all()
    origins = {record.record.name: f"plugin {record.plugin}" for record in runtime.plugins.collect(AgentSpec)}
    origins |= {f.name: str(f.path) for f in reversed(files) if f.spec is not None and f.spec == in_use[f.name]}
    origins |= dict.fromkeys(runtime.settings.core.agents, "settings")
    made = [{**asdict(spec), "from": origins[name], "problem": ""} for name, spec in sorted(in_use.items())]
    for file in files:
        why = file.problem or ("" if origins[file.name] == str(file.path) else "another agent has this name")
        if why:
            made.append({"name": file.name, "from": str(file.path), "problem": why})
    return made


def _limits(agent: dict[str, Any]) -> str:
    words = (("max_steps", "{} steps"), ("max_seconds", "{:g} s"), ("max_tokens", "{:,} tokens"), ("max_cost", "${:g}"))
    return ", ".join(form.format(agent[name]) for name, form in words if agent[name] is not None)


def _plugin(info: PluginInfo, trace: bool) -> dict[str, Any]:
    made: dict[str, Any] = {
        "name": info.name,
        "distribution": info.distribution,
        "version": info.version,
        "module": info.module,
        "status": info.status,
        "hooks": info.hooks,
        "problems": [{"hook": problem.hook, "reason": problem.reason} for problem in info.problems],
    }
    if trace:
        made |= {"seconds": info.seconds, "hook_seconds": info.hook_seconds}
    return made


def _from(info: PluginInfo) -> str:
    return f"{info.distribution} {info.version}".strip() or info.module


def _hooks(info: PluginInfo) -> str:
    return ", ".join(hook.removeprefix("codetether_") for hook in info.hooks)


def _trace(screen: Screen, found: list[PluginInfo]) -> None:
    times = [(p.seconds, p.name, "import") for p in found]
    times += [(seconds, p.name, hook) for p in found for hook, seconds in p.hook_seconds.items()]
    screen.line("")
    rows = [(name, what, f"{seconds * 1000:.1f}") for seconds, name, what in sorted(times, reverse=True)]
    print_table(screen, ("NAME", "WHAT", "MS"), rows)
