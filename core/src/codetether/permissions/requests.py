"""Makes of a call that needs a yes what a person is shown, and what a yes that is kept is bound to."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any

from codetether.models.approvals import ApprovalRequest, Scope
from codetether.models.tools import Confinement, Decision, PermissionRequest
from codetether.permissions.dangers import dangers, guarded
from codetether.permissions.effects import Effects, effects
from codetether.permissions.places import inside
from codetether.permissions.shell import Line, read_line
from codetether.permissions.sources import CannotTell, digests, sources
from codetether.permissions.words import UNKNOWN
from codetether.values import frozen

SCOPES: tuple[Scope, ...] = ("once", "session", "always")


@frozen(kw_only=True)
class Prepared:
    """A request as it is shown, with the key of all that a yes is bound to, the rules and the files among it."""

    shown: ApprovalRequest
    key: str
    rules: str
    files: Mapping[str, str]


def prepared(
    request: PermissionRequest, asked: Decision, rules: Mapping[Any, Any], confinement: Confinement | None
) -> Prepared:
    """The request that a decision asks about. Blocks: it reads the files that commands run."""
    directory, resources = str(request.directory), request.resources
    lines = [read_line(command) for command in resources.commands]
    known = [effects(line, directory) for line in lines]
    reads = _resolved((*resources.reads, *(path for each in known for path in each.reads)), directory)
    writes = _resolved((*resources.writes, *(path for each in known for path in each.writes)), directory)
    hosts = tuple(dict.fromkeys((*resources.hosts, *(host for each in known for host in each.hosts))))
    outside = any(not inside(path, directory) for path in (*reads, *writes))
    sandbox = _sandbox(confinement)
    why = list(_dangers(request, lines, known))
    held: list[tuple[str, str]] = []
    try:
        held = digests(sources(lines, directory))
    except CannotTell as unknown:
        why.append(str(unknown))
    arguments = json.dumps(request.call.arguments, sort_keys=True, ensure_ascii=False)
    shown = ApprovalRequest(
        tool=request.call.name,
        effects=request.effects,
        arguments=arguments,
        directory=directory,
        commands=resources.commands,
        parts=tuple(part for line in lines for part in _parts(line)),
        reads=reads,
        writes=writes,
        hosts=hosts,
        secrets=resources.secrets,
        files=tuple(path for path, _ in held),
        preview="" if resources.preview.strip() in resources.commands else resources.preview,
        rule=asked.rule,
        reason=asked.reason,
        sandbox=sandbox,
        dangers=tuple(dict.fromkeys(why)),
        scopes=SCOPES[: 1 if why else 2 if asked.source != "mode" or outside else 3],
        subagent=request.subagent,
    )
    stood = rules_digest(rules)
    definition = request.definition
    bound = (
        *(definition.name, definition.description, definition.schema, definition.effects),
        *(directory, sandbox, stood, resources.commands, reads, writes, hosts, resources.secrets, held),
        None if _says_all(request) else arguments,
    )
    return Prepared(shown=shown, key=_digest(bound), rules=stood, files=dict(held))


def rules_digest(permissions: Mapping[Any, Any]) -> str:
    """What stands for rules of permission: a yes that was kept under others does not hold."""
    return _digest(permissions)


def _digest(value: Any) -> str:
    return sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


def _sandbox(confinement: Confinement | None) -> str:
    """What confines commands, and what it lets through."""
    if confinement is None:
        return ""
    return confinement.backend + (f", but not: {', '.join(confinement.missing)}" if confinement.missing else "")


def _says_all(request: PermissionRequest) -> bool:
    """Whether its commands, or its paths, say all that a yes is about; of all else every argument counts."""
    resources = request.resources
    only_files = set(request.effects) <= {"read", "write"} and bool(resources.writes or resources.reads)
    return not resources.secrets and (bool(resources.commands) or only_files)


def _dangers(request: PermissionRequest, lines: Iterable[Line], known: Iterable[Effects]) -> Iterable[str]:
    directory, resources = str(request.directory), request.resources
    for text, line, each in zip(resources.commands, lines, known, strict=True):
        yield from dangers(text, line, each, directory)
    yield from guarded(_resolved(resources.reads, directory), _resolved(resources.writes, directory), directory)


def _resolved(paths: Iterable[str], directory: str) -> tuple[str, ...]:
    joined = (os.path.join(directory, path) for path in paths if "\0" not in path)
    return tuple(dict.fromkeys(os.path.realpath(path) for path in joined))


def _parts(line: Line) -> Iterable[str]:
    """The commands of a line one by one, as written where it is simple, else as they were found at any depth."""
    if line.parts:
        return [f"{part.joint.strip()} {part.text}".strip() for part in line.parts]
    return [shlex.join(words).replace(UNKNOWN, "…") for words in line.commands]
