"""Approvals: what a person is asked to allow, and what was allowed for longer than once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from codetether.models.record import JSON, Record
from codetether.values import frozen

Scope = Literal["once", "session", "always"]
"""How far a yes reaches: this call, the same call in this session, the same call for 30 days."""


@frozen(kw_only=True)
class ApprovalRequest(Record):
    """A call that needs a yes, as it is shown to the person who may give it.

    Attributes:
        tool: its name. arguments: JSON text of the call's. subagent: the agent that calls it, of a subagent.
        commands: the lines as written. parts: the commands in them, one by one, each with what joins it to the last.
        reads, writes: absolute paths, every link followed. hosts: with a port where one is given.
        secrets: the names of those whose values it is given.
        files: what the commands run, or are told by what to run: a yes that is kept holds only while they stay as
            they are.
        preview: the change that would be made, as a diff.
        rule, reason: which rule asks, and why.
        sandbox: what confines the commands; empty where nothing does.
        dangers: why this must be looked at each time, in words; then a yes is for once.
        scopes: how far a yes may reach.
    """

    tool: str
    effects: tuple[str, ...] = ()
    arguments: str = ""
    directory: str = ""
    commands: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    preview: str = ""
    rule: str = ""
    reason: str = ""
    sandbox: str = ""
    dangers: tuple[str, ...] = ()
    scopes: tuple[Scope, ...] = ("once",)
    subagent: str = ""

    @property
    def about(self) -> str:
        """What it is about, in a line: the command, else the paths, else the hosts, else the arguments."""
        return " ; ".join(self.commands) or ", ".join(self.writes or self.reads or self.hosts) or self.arguments


@frozen(kw_only=True)
class KeptApproval(Record):
    """A yes for 30 days.

    Attributes:
        id: the first 16 digits of `key`, which stands for all that the yes is bound to.
        about: what was allowed, in a line. directory: the workspace where it holds.
        rules: stands for the rules of permission at that time; under others it does not hold.
        files: those that it runs, or is told by, with the SHA-256 of each; with others it does not hold.
        by: who gave it. session_id: in which session.
    """

    id: str
    key: str
    tool: str
    about: str
    directory: str
    rules: str
    files: Mapping[str, JSON]
    rule: str
    by: str
    session_id: str
    given_at: datetime
    expires_at: datetime
