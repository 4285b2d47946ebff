"""The page of all public names of `codetether`, with what each can do, taken from the code by `make docs`."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any, get_args

import attrs
import codetether
from codetether import wire
from codetether.models import events, session
from pages import fields, out, prose, type_name

ROOMS = {
    "Plugins": ("hookspecs", "plugin_contexts"),
    "Records that hooks yield": ("specs",),
    "What plugins make": ("protocols",),
    "Tools": ("functions", "deferred_tool", "models.tools"),
    "Messages": ("models.messages", "images"),
    "Requests and answers": ("models.completion", "models.window"),
    "Providers and secrets": ("models.providers",),
    "Audit": ("models.audit", "record.audit_key"),
    "Events": ("models.events", "models.archive"),
    "Sessions": ("runtime", "session.running", "session.workplace", "models.session", "models.approvals"),
    "Sessions of other products": (
        "models.foreign",
        "formats.protocols",
        "formats.transcript",
        "formats.source",
        "formats.fields",
        "formats.markdown",
        "formats.unseen",
    ),
    "Values": ("models.record", "wire"),
    "Settings": ("settings.settings", "settings.trust", "permissions.places"),
    "Commands of plugins": ("cli.sign_in", "cli.config", "cli.table", "cli.terminal"),
    "Commands that run": ("builtin.executor",),
    "Files that last": ("storage.durable", "storage.disk", "storage.segments", "storage.streams"),
    "Errors": ("errors",),
}
"""Titles, and the rooms of the code whose names stand below each."""
SAID = {"hookimpl": "Marks a function of a plugin as a hook: `@hookimpl` above `def codetether_tools(): …`."}
HIDDEN = {"T"}


PLAIN = (str, int, float, tuple, type(None))


class Bare(str):
    """An annotation as it is written."""

    __slots__ = ()
    __repr__ = str.__str__


def names_page() -> None:
    """Every name, under the title of its room."""
    public = {room: [name for name in names.split() if name not in HIDDEN] for room, names in codetether._ROOMS.items()}
    for title, rooms in ROOMS.items():
        names = [name for room in rooms for name in public.pop(room)]
        linked: dict[str, list[str]] = {}
        for name in names:
            linked.setdefault(_page(getattr(codetether, name)), []).append(name)
        out("", f"## {title}")
        for page, others in linked.items():
            if page:
                out("", f"On [a page of their own]({page}): {', '.join(f'`{name}`' for name in others)}.")
        for name in linked.get("", ()):
            out("", f"### `{name}`", "", *_entry(name, getattr(codetether, name)))
    assert not public, f"rooms without a title: {', '.join(public)}"


def _page(value: Any) -> str:
    """The page that says more of it; empty where this is it."""
    if not inspect.isclass(value):
        return ""
    if value in wire.TAGS and value in get_args(events.SessionEvent):
        return "events.md"
    if value in wire.TAGS and value in get_args(session.JournalEntry):
        return "journal.md"
    return {"codetether.errors": "errors.md", "codetether.specs": "hooks.md"}.get(value.__module__, "")


def _entry(name: str, value: Any) -> Iterator[str]:
    if name in SAID:
        yield SAID[name]
    elif inspect.isfunction(value):
        yield from (f"`{_signature(name, value)}`", "", prose(value.__doc__))
    elif inspect.isclass(value) and value.__module__.startswith("codetether"):
        said, _, attributes = prose(value.__doc__).partition("\n**Attributes**")
        yield said.strip()
        above = [base.__name__ for base in value.__bases__ if base.__name__ in codetether._HOME]
        if above:
            yield from ("", f"With all of {', '.join(f'[`{base}`](#{base.lower()})' for base in above)}.")
        if attrs.has(value) and not any(each.name.startswith("_") for each in attrs.fields(value)):
            rows = (" | ".join(cell.replace("|", "\\|") for cell in row) for row in fields(value))
            yield from ("", "| field | type | default |", "|---|---|---|")
            yield from (f"| {row} |".replace("]]]", "]] ]") for row in rows)
        if attributes:
            yield from ("", attributes.strip())
        if members := list(_members(value)):
            yield from ("", *members)
    else:
        yield f"`{_plain(value)}`"


def _members(cls: type[Any]) -> Iterator[str]:
    """Its own public methods and properties, as they are used."""
    for name, value in vars(cls).items():
        made = getattr(value, "__func__", value)
        if name.startswith("_") or not made.__doc__:
            continue
        if isinstance(made, property):
            yield f"- `{name}: {_plain(made.fget.__annotations__.get('return', 'Any'))}`: {_line(made.__doc__)}"
        elif inspect.isfunction(made):
            yield f"- `{_signature(name, made)}`: {_line(made.__doc__)}"


def _signature(name: str, function: Any) -> str:
    """The call as it is written, without `self`; a default that is no plain value is not shown."""
    found = inspect.signature(function)
    shown = [
        each.replace(
            annotation=each.empty if each.annotation is each.empty else Bare(_plain(each.annotation)),
            default=each.default if isinstance(each.default, PLAIN) or each.default is each.empty else Bare("…"),
        )
        for each in found.parameters.values()
        if each.name not in ("self", "cls")
    ]
    text = str(found.replace(parameters=shown, return_annotation=Bare(_plain(found.return_annotation))))
    return f"{'async ' if inspect.iscoroutinefunction(function) else ''}{name}{text}"


def _plain(kind: Any) -> str:
    """A type as a reader would write it; three brackets at once would end what cog has written."""
    text = type_name(kind) if inspect.isclass(kind) else str(kind)
    return re.sub(r"\b(typing|collections\.abc|codetether(\.[a-z_]+)*)\.", "", text).replace("]]]", "]] ]")


def _line(docstring: str) -> str:
    return " ".join(inspect.cleandoc(docstring).split())
