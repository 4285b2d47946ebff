"""The generated parts of the reference pages, taken from the code by `make docs`."""

from __future__ import annotations

import ast
import inspect
import re
import typing
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, get_args

import attrs
import click
from codetether import errors, hookspecs, wire
from codetether.cli.plugin_commands import AUTH, PluginGroup, listed_commands
from codetether.models import approvals, audit, events, session
from codetether.models.record import Unknown
from codetether.plugins.contracts import YIELDS
from codetether.settings import core as settings_core
from codetether.settings import settings
from codetether.testing.examine import all_promises

_written: list[str] = []


def out(*lines: str) -> None:
    """Writes lines into the page."""
    _written.extend(lines)


def written(page: Callable[..., None], *args: str, **options: str) -> str:
    """All that a page's function writes."""
    _written.clear()
    page(*args, **options)
    return "\n".join(_written)


def prose(docstring: str | None) -> str:
    """A docstring as Markdown: its sections become bold words."""
    text = inspect.cleandoc(docstring or "")
    for word in ("Attributes", "Args", "Returns", "Raises"):
        text = text.replace(f"\n{word}:\n", f"\n**{word}**\n\n")
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith("        ") and lines:
            lines[-1] += f" {line.strip()}"
        else:
            lines.append(f"- {line.strip()}" if line.startswith("    ") else line)
    return "\n".join(lines)


def first_line(docstring: str | None) -> str:
    """A docstring's first sentence."""
    return inspect.cleandoc(docstring or "").split("\n\n")[0].replace("\n", " ")


def type_name(kind: Any) -> str:
    """A type as a reader would write it."""
    if isinstance(kind, str):
        return kind
    if typing.get_origin(kind) is not None:
        return re.sub(r"\b(typing|collections\.abc|codetether(\.[a-z_]+)*)\.", "", str(kind))
    return getattr(kind, "__name__", str(kind))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A Markdown table."""
    out("| " + " | ".join(head) + " |", "|" + "---|" * len(head))
    out(*("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |" for row in rows))


def fields(cls: type[Any]) -> list[tuple[str, str, str]]:
    """Name, type and default of each field of an attrs class, without what unknown fields are kept in."""
    rows = []
    for attribute in attrs.fields(cls):
        if attribute.name == "extra":
            continue
        default = attribute.default
        if cls is settings_core.CoreSettings and attrs.has(type(default)):  # a table of its own
            continue
        shown = "" if default is attrs.NOTHING else "empty" if isinstance(default, attrs.Factory) else repr(default)
        rows.append((f"`{attribute.name}`", f"`{type_name(attribute.type)}`", f"`{shown}`" if shown else "required"))
    return rows


def source(path: str, *names: str, language: str = "python") -> None:
    """A file of the project, or its definitions of those names: what the tests run is what is shown."""
    text = Path(path).read_text()
    if names:
        lines = text.splitlines()
        wanted = []
        for node in ast.parse(text).body:
            name = getattr(node, "name", None) or next((t.id for t in getattr(node, "targets", ())), None)
            if name in names:
                first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))])
                wanted.append("\n".join(lines[first - 1 : node.end_lineno]))
        assert len(wanted) == len(names), f"{path} does not define all of {names}"
        text = "\n\n\n".join(wanted)
    out("", f"```{language}", text.strip(), "```", "")


def hooks() -> None:
    """Every hook under its exact name, with what it yields."""
    for name, cls in YIELDS.items():
        out("", f"## `{name}`", "", prose(getattr(hookspecs, name).__doc__), "")
        out(f"Yields `{cls.__name__}`: {first_line(cls.__doc__)}", "")
        table(("field", "type", "default"), fields(cls))
        notes = [line for line in prose(cls.__doc__).splitlines() if line.startswith("- ")]
        out("", *notes) if notes else None


def promises_page() -> None:
    """Every promise of the conformance kit, kind by kind."""
    kinds: dict[str, list[str]] = {}
    for promise in all_promises():
        kinds.setdefault(promise.kind, []).append(f"- **{promise.name}**: {promise.text}")
    for kind, lines in kinds.items():
        out("", f"### `{kind}`", "", *lines)


def settings_page() -> None:
    """Every table of the settings, and the variables."""
    out("", "## Top level", "")
    table(("key", "type", "default"), fields(settings_core.CoreSettings))
    for name, attribute in attrs.fields_dict(settings_core.CoreSettings).items():
        cls = type(attribute.default) if attrs.has(type(attribute.default)) else None
        if cls is not None:
            out("", f"## `[{name}]`", "", prose(cls.__doc__), "")
            table(("key", "type", "default"), fields(cls))
    for heading, cls in (
        ("[providers.NAME]", settings_core.ProviderSettings),
        ("[agents.NAME]", settings_core.AgentSettings),
        ("[secrets.NAME]", settings_core.SecretSettings),
    ):
        out("", f"## `{heading}`", "", prose(cls.__doc__), "")
        table(("key", "type", "default"), fields(cls))
    for plugin, cls in _of_plugins():
        out("", f"## `[plugins.{plugin}]`", "", prose(cls.__doc__), "")
        variables = [attribute.metadata.get("env", "") for attribute in attrs.fields(cls)]
        rows = [(*row, f"`{name}`" if name else "") for row, name in zip(fields(cls), variables, strict=True)]
        table(("key", "type", "default", "variable"), rows)
    out("", "## Environment", "")
    table(("variable", "setting"), ((f"`{v}`", f"`{'.'.join(k)}`") for v, k in settings.VARIABLES.items()))


def _of_plugins() -> list[tuple[str, type[Any]]]:
    """The settings that our own plugins declare."""
    points = [p for p in entry_points(group="codetether") if p.dist and p.dist.name.startswith("codetether-")]
    return [
        (point.name, spec.cls)
        for point in sorted(points, key=lambda p: p.name)
        for spec in getattr(point.load(), "codetether_settings", tuple)()
    ]


def members(union: Any) -> None:
    """Each member of a tagged union: its word, what it says, its fields."""
    for cls in get_args(union):
        if cls is Unknown:
            continue
        out("", f"## `{wire.TAGS[cls]}`", "", prose(cls.__doc__).split("\n**Attributes**")[0], "")
        table(("field", "type", "default"), fields(cls))


def events_page() -> None:
    """The events of a session."""
    members(events.SessionEvent)


def journal_page() -> None:
    """The entries of a journal."""
    members(session.JournalEntry)


def audit_page() -> None:
    """The audit entry."""
    _record(audit.AuditEntry)


def approval_page() -> None:
    """The request that stands in `approval_required`."""
    _record(approvals.ApprovalRequest)


def _record(cls: type[Any]) -> None:
    out("", prose(cls.__doc__), "")
    table(("field", "type", "default"), fields(cls))


def errors_page() -> None:
    """The tree of errors, and each with what it means."""
    tree = inspect.getdoc(errors) or ""
    out("", "```", tree[tree.index("CodetetherError") :], "```", "")
    found = [cls for _, cls in inspect.getmembers(errors, inspect.isclass) if issubclass(cls, errors.CodetetherError)]
    table(("error", "meaning"), ((f"`{cls.__name__}`", first_line(cls.__doc__)) for cls in found))


def commands(command: click.Command | None = None, path: str = "codetether") -> None:
    """Every command with its help, as the program prints it."""
    if command is None:
        from codetether.cli.app import codetether as program

        command = program
    with click.Context(command, info_name=path, max_content_width=100, terminal_width=100) as context:
        text = command.get_help(context).replace("\n\n\n", "\n\n")
        text = re.sub(r"( from codetether-\S+) \S+$", r"\1", text, flags=re.MULTILINE)  # a version is news each time
        out("", f"## `{path}`", "", "```text", text, "```")
        if isinstance(command, click.Group):
            brought = listed_commands(command.commands, AUTH) if isinstance(command, PluginGroup) else []
            for name in (*command.list_commands(context), *(name for name, _ in brought)):
                found = command.get_command(context, name)
                if found is not None:
                    commands(found, f"{path} {name}")
