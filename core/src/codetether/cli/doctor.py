"""`codetether doctor`: what is installed, what works, what is broken and how to mend it."""

from __future__ import annotations

import locale
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import attrs
import click

from codetether._version import __version__
from codetether.cli.app import explained
from codetether.cli.table import as_json, print_json
from codetether.cli.terminal import GREEN, RED, YELLOW, Screen
from codetether.values import frozen

if TYPE_CHECKING:
    from codetether.models.tools import Mode
    from codetether.runtime import Runtime
    from codetether.settings.settings import Settings

Health = Literal["ok", "warn", "fail"]
ROOM = 512 * 1024 * 1024
"""Bytes below which a disk counts as nearly full."""
MARKS = {"ok": ("✓", GREEN), "warn": ("!", YELLOW), "fail": ("✗", RED)}


@frozen(kw_only=True)
class Finding:
    """One thing that was looked at: its health, what was seen, what to do."""

    name: str
    health: Health
    seen: str
    remedy: str = ""


@click.command("doctor")
@as_json
def doctor(as_json: bool) -> int:
    """Look at everything that a run needs; say what is broken and how to mend it.

    Exit code 1 when something is broken; what only might be missed is a warning.
    """
    from codetether.cli.interrupts import launch

    screen = Screen()

    async def examine(_: object) -> int:
        findings = []
        async for finding in examined():
            findings.append(finding)
            if not as_json:
                _show(screen, finding)
        broken = sum(f.health == "fail" for f in findings)
        if as_json:
            print_json(screen, {"ok": not broken, "findings": [attrs.asdict(f) for f in findings]})
        else:
            screen.line(f"{broken} broken" if broken else "Everything that a run needs is there.")
        return 1 if broken else 0

    return launch(examine)


def _show(screen: Screen, finding: Finding) -> None:
    mark, colour = MARKS[finding.health]
    shown = f"\x1b[{colour}m{mark}\x1b[0m" if screen.coloured and screen.live else mark
    screen.write(f"{shown} ")
    screen.line(f"{finding.name}: {finding.seen}")
    if finding.remedy and finding.health != "ok":
        screen.line(f"    {finding.remedy}")


async def examined() -> AsyncIterator[Finding]:
    """Everything, from the machine up to the model; what cannot be looked at because of a failure is left out."""
    for finding in (*_machine(), *_programs()):
        yield finding
    from codetether.settings.settings import load_settings

    try:
        settings = load_settings(Path.cwd())
    except Exception as error:  # whatever is wrong with the settings is what the doctor is asked for
        yield _failed("settings", error)
        return
    for finding in _settings(settings):
        yield finding
    notices: list[tuple[str, str]] = []
    from codetether.runtime import Runtime

    try:
        async with Runtime.open(
            settings, directory=Path.cwd(), on_notice=lambda source, text: notices.append((source, text))
        ) as runtime:
            for finding in (*_plugins(runtime), *_files(), *await _providers(runtime), *await _tools(runtime)):
                yield finding
            for finding in await _executors(runtime):
                yield finding
            yield await _sessions(runtime)
            yield _audit(runtime)
    except Exception as error:  # likewise for whatever keeps the runtime from opening
        yield _failed("runtime", error)
    for source, text in notices:
        if source not in ("plugins", "settings"):
            yield Finding(name=source or "notice", health="warn", seen=text)


def _failed(name: str, error: BaseException) -> Finding:
    message, remedy = explained(error)
    return Finding(name=name, health="fail", seen=message, remedy=remedy)


def _machine() -> Iterator[Finding]:
    system = f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    supported = platform.system() in ("Linux", "Darwin")
    yield Finding(
        name="codetether",
        health="ok" if supported else "warn",
        seen=f"{__version__}, {system}, in {sys.prefix}",
        remedy="only Linux and macOS are tested",
    )
    encoding = locale.getpreferredencoding(False).lower()
    yield Finding(
        name="encoding",
        health="ok" if encoding.replace("-", "") == "utf8" else "warn",
        seen=encoding,
        remedy="set LANG=C.UTF-8, or PYTHONUTF8=1",
    )
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        yield Finding(name="user", health="warn", seen="root: commands that you allow may do anything to this machine")


def _programs() -> Iterator[Finding]:
    for name, what, needed in (("bash", "the tool bash", False), ("git", "the state of a project", False)):
        path = shutil.which(name)
        yield Finding(
            name=name,
            health="ok" if path else "fail" if needed else "warn",
            seen=path or "not found",
            remedy=f"install {name}: {what} needs it",
        )
    for module, extra, what in (("prompt_toolkit", "chat", "codetether chat"), ("xllamacpp", "local", "a local model")):
        import importlib.util

        there = importlib.util.find_spec(module) is not None
        yield Finding(
            name=module,
            health="ok" if there else "warn",
            seen="installed" if there else "not installed",
            remedy=f'{what} needs it: pip install "codetether-agent[{extra}]"',
        )


def _settings(settings: Settings) -> Iterator[Finding]:
    directories = settings.directories
    file = directories.settings_file
    yield Finding(name="settings", health="ok", seen=str(file) if file.exists() else f"{file} (none: all defaults)")
    for notice in settings.notices:
        yield Finding(name="settings", health="warn", seen=notice)
    for name in ("data", "state", "cache"):
        yield _directory(name, getattr(directories, name))


def _directory(name: str, path: Path) -> Finding:
    """Whether files can be made in it, or where it would be made; and whether there is room."""
    nearest = next(p for p in (path, *path.parents) if p.exists())
    try:
        with tempfile.TemporaryFile(dir=nearest) as file:
            file.write(b"x")
            file.flush()
        free = shutil.disk_usage(nearest).free
    except OSError as error:
        remedy = "make it writable, or set CODETETHER_HOME to a directory that is"
        return Finding(name=name, health="fail", seen=f"{path}: {error.strerror}", remedy=remedy)
    enough = free >= ROOM
    seen = f"{path}, {free // 2**20:,} MB free"
    return Finding(name=name, health="ok" if enough else "warn", seen=seen, remedy="make room on that disk")


def _plugins(runtime: Runtime) -> Iterator[Finding]:
    loaded = [p for p in runtime.plugins.plugins if p.status == "loaded"]
    refused = [p for p in runtime.plugins.plugins if p.status in ("blocked", "not_allowed")]
    seen = f"{len(loaded)} loaded" + (f", {len(refused)} refused by the settings" if refused else "")
    yield Finding(name="plugins", health="ok", seen=seen)
    for info, problem in runtime.plugins.problems():
        where = f"{problem.hook}: " if problem.hook else ""
        remedy = f"upgrade or uninstall {info.distribution or info.module}, or block it: [plugins] block"
        yield Finding(name=f"plugin {info.name}", health="fail", seen=f"{where}{problem.reason}", remedy=remedy)


def _files() -> Iterator[Finding]:
    """Whether the plugins' files are still what was installed."""
    from codetether.cli.plugin_verify import verified

    found = verified()
    faulty = [each for each in found if each.problems]
    if not faulty:
        yield Finding(name="plugin files", health="ok", seen=f"{len(found)} distributions are what was installed")
    for each in faulty:
        tampered = any(problem.kind in ("changed", "missing", "unrecorded", "claimed") for problem in each.problems)
        first = each.problems[0]
        more = f", and {len(each.problems) - 1} more" if len(each.problems) > 1 else ""
        seen = f"{first.what}: {first.kind}: {first.why}{more}"
        remedy = f"codetether plugins verify {each.name}"
        yield Finding(name=f"files of {each.name}", health="fail" if tampered else "warn", seen=seen, remedy=remedy)


async def _providers(runtime: Runtime) -> list[Finding]:
    found = await runtime.providers()
    usable = [p for p in found if p.available]
    if not usable:
        asked = "; ".join(f"{p.name}: {p.reason}" for p in found) or "none is installed"
        remedy = 'set OPENAI_API_KEY, or install a model of your own: pip install "codetether-agent[local]"'
        return [Finding(name="providers", health="fail", seen=f"none can be used ({asked})", remedy=remedy)]
    named = ", ".join(f"{p.name} ({p.source})" if p.source else p.name for p in usable)
    findings = [Finding(name="providers", health="ok", seen=named)]
    try:
        model = await runtime.resolve(runtime.settings.core.wish)
        findings.append(Finding(name="model", health="ok", seen=str(model)))
    except Exception as error:  # the doctor's finding
        findings.append(_failed("model", error))
    for name, store in runtime.model_stores().items():
        for model_file in store.list():
            seen = str(model_file.path) if model_file.present else "not fetched yet"
            remedy = f"codetether models pull {model_file.name} (or it is fetched when first used)"
            health: Health = "ok" if model_file.present else "warn"
            findings.append(Finding(name=f"{name}/{model_file.name}", health=health, seen=seen, remedy=remedy))
    return findings


async def _tools(runtime: Runtime) -> list[Finding]:
    tools = await runtime.tools()
    names = ", ".join(tool.name for tool in tools)
    return [Finding(name="tools", health="ok" if tools else "warn", seen=names or "none", remedy="install some")]


async def _executors(runtime: Runtime) -> list[Finding]:
    """What runs commands in the usual modes, and in mode auto."""
    name = runtime.settings.core.session.executor
    if name != "auto":
        return await _executor(runtime, name, "default")
    return [*await _executor(runtime, "local", "default"), *await _executor(runtime, "sandbox", "auto")]


async def _executor(runtime: Runtime, name: str, mode: Mode) -> list[Finding]:
    from codetether.session.workplace import trial_executor

    try:
        done, confinement = await trial_executor(runtime, ["/bin/sh", "-c", "echo here"], mode)
    except Exception as error:  # the doctor's finding
        return [_failed(f"executor {name}", error)]
    if name == "sandbox" and confinement is None:
        return [Finding(name="sandbox", health="warn", seen="none: mode auto asks before each command")]
    works = done.exit_code == 0 and done.stdout.strip() == b"here"
    said = done.stderr.decode(errors="replace").strip()[:200] or "it said nothing"
    seen = "runs commands" if works else f"/bin/sh -c 'echo here' ended with exit code {done.exit_code}: {said}"
    remedy = "" if works else "/bin/sh must be there, be allowed to run, and be seen by the executor"
    found = [Finding(name=f"executor {name}", health="ok" if works else "fail", seen=seen, remedy=remedy)]
    if confinement is None:
        return found
    for each in confinement.properties:
        health: Health = "ok" if each.state == "enforced" else "warn"
        seen = f"{each.state}: {each.detail}" if each.detail else each.state
        name = f"sandbox {confinement.backend}, {each.name}"
        found.append(Finding(name=name, health=health, seen=seen, remedy=confinement.remedy))
    return found


async def _sessions(runtime: Runtime) -> Finding:
    try:
        found = await runtime.sessions.list(limit=100_000)
    except Exception as error:  # the doctor's finding
        return _failed("sessions", error)
    return Finding(name="sessions", health="ok", seen=f"{len(found)} in {runtime.settings.directories.data}")


def _audit(runtime: Runtime) -> Finding:
    from codetether.specs import AuditSinkSpec

    sinks = [f"{p.record.name} ({p.plugin})" for p in runtime.plugins.collect(AuditSinkSpec)]
    if not sinks:
        return Finding(name="audit", health="warn", seen="no sink", remedy="pip install codetether-sink-audit-jsonl")
    return Finding(name="audit", health="ok", seen=", ".join(sinks))
