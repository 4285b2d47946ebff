"""More ways to break a promise than the one that each has a plugin for, and what the kit says of them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attrs import evolve
from codetether import (
    AuditEntry,
    CompletionResponse,
    ContextPolicySpec,
    CredentialError,
    Message,
    Secret,
    SlashCommandSpec,
    ToolDefinition,
)

from tests.kit.broken import audit_sinks, breaking, credentials, event_sinks, forgetful, routers, tools, wires


class Greedy(tools.Probe):
    async def said(self, arguments: Any, ctx: Any) -> str:
        return str(arguments.pop("word"))


class Exporting(tools.Probe):
    async def said(self, arguments: Any, ctx: Any) -> str:
        os.environ["PROBE_SEEN"] = "yes"
        return "fine"


class Opaque(tools.Probe):
    async def said(self, arguments: Any, ctx: Any) -> str:
        return str(object())


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


class Repeating:
    async def choose(self, history: Sequence[Message]) -> Sequence[Message]:
        return (*history, *history)


class Idle:
    async def run(self, arguments: str) -> str:
        await asyncio.sleep(60)
        return "too late"


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
    ("tools: results are proper text", tools.with_(Opaque), "probe gave '<object object at 0x"),
    ("audit_sinks: every entry is kept in order", audit_sinks.sink(Emptying), "it changed the entry's detail"),
    ("event_sinks: its cursor tells what was flushed", event_sinks.sink(Backwards), "the events are not in the order"),
    (
        "credential_sources: a failure is a CredentialError",
        credentials.source(Blurting, credentials.FILE),
        "a secret stands in the error",
    ),
    (
        "context_policies: what is not changed stays the same object",
        breaking("context_policies", ContextPolicySpec(name="probe", create=lambda ctx: Repeating())),
        "messages of the history are chosen twice",
    ),
    (
        "slash_commands: whatever is typed is answered",
        breaking("slash_commands", SlashCommandSpec(name="probe", create=lambda ctx: Idle())),
        "it took longer than",
    ),
    ("tool_call_routers: calls have an object for arguments", routers.router(Inventive), "'```tool"),
    ("tool_call_routers: calls have an object for arguments", routers.router(Doubling), "'```tool"),
    ("wires: an answer is whole or an error", wires.wire(wires.Twice), "Finished came twice"),
    (
        "wires: an answer is whole or an error",
        wires.wire(wires.Odd),
        "Finished has the reason 'end_of_story', which is none",
    ),
    ("wires: keys stay secret", wires.wire(Open), "the API key stands in the connection's repr"),
)
