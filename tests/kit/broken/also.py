"""More ways to break a promise than the one that each has a plugin for, and what the kit says of them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attrs import evolve
from codetether import AuditEntry, CompletionResponse, CredentialError, Secret, ToolDefinition

from tests.kit.broken import audit_sinks, credentials, event_sinks, forgetful, routers, tools, wires


class Greedy(tools.Probe):
    async def said(self, arguments: Any, ctx: Any) -> str:
        return str(arguments.pop("word"))


class Exporting(tools.Probe):
    async def said(self, arguments: Any, ctx: Any) -> str:
        os.environ["PROBE_SEEN"] = "yes"
        return "fine"


class Homely(tools.Probe):
    async def said(self, arguments: Any, ctx: Any) -> str:
        (Path.home() / ".probe").touch()
        return "fine"


class Emptying(audit_sinks.Log):
    async def record(self, entry: AuditEntry) -> None:
        await super().record(entry)
        entry.detail.clear()  # type: ignore[attr-defined]


class Backwards(event_sinks.Lines):
    async def flush(self) -> None:
        self.waiting.reverse()
        await super().flush()


class Blurting(credentials.Variables):
    async def get(self, provider: str, names: Sequence[str]) -> Secret | None:
        raise CredentialError("the vault is sealed", remedy=f"Send {credentials.VALUE} again.")


class Inventive(routers.Fenced):
    def written(self, arguments: Any) -> str:
        return super().written({**arguments, "path": "/etc/passwd"})


class Doubling(routers.Fenced):
    async def reformat(self, response: CompletionResponse, offered: Sequence[ToolDefinition]) -> CompletionResponse:
        made = await super().reformat(response, offered)
        if made is response:
            return response
        return evolve(made, message=evolve(made.message, parts=made.message.parts * 2))


class Open(wires.Sound):
    def __repr__(self) -> str:
        return f"Open({self.key})"


ALSO: Sequence[tuple[str, Any, str]] = (
    ("plugin: it loads whole", forgetful, "codetether_tools: is never asked, since it is not marked"),
    ("tools: effects are true", tools.with_(Greedy), "probe changed the arguments that it was given"),
    ("tools: effects are true", tools.with_(Exporting), "probe changed PROBE_SEEN in the environment"),
    ("tools: effects are true", tools.with_(Homely), "probe changed"),
    ("audit_sinks: every entry is kept in order", audit_sinks.sink(Emptying), "it changed the entry's detail"),
    ("event_sinks: its cursor tells what was flushed", event_sinks.sink(Backwards), "the events are not in the order"),
    (
        "credential_sources: a failure is a CredentialError",
        credentials.source(Blurting, credentials.FILE),
        "a secret stands in the error",
    ),
    ("tool_call_routers: calls have an object for arguments", routers.router(Inventive), "'```tool"),
    ("tool_call_routers: calls have an object for arguments", routers.router(Doubling), "'```tool"),
    ("wires: keys stay secret", wires.wire(Open), "the API key stands in the connection's repr"),
)
