"""What a server offers, as the user saw and approved it: tools, prompts, and whether there are resources."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from attrs import field, frozen
from codetether import JSON, Fields, spelled_out

DESCRIBED = 4_000
"""Characters of a description that the model is given."""
SCHEMA_LIMIT = 100_000
"""Bytes of a tool's schema; more than the core takes is not even kept."""
MOST = 1_000
"""Tools, or prompts, of one server."""
_UNNAMED = re.compile(r"[^A-Za-z0-9_-]")


@frozen(kw_only=True)
class ToolEntry:
    """A tool as its server describes it."""

    name: str
    description: str = ""
    schema: Mapping[str, JSON] = field(factory=dict)

    @property
    def digest(self) -> str:
        """Of all that the model is told of it."""
        text = json.dumps([self.name, self.description, self.schema], sort_keys=True)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

    @property
    def told(self) -> str:
        """The description as the model gets it: what nobody sees spelled out, and cut to a limit."""
        text = spelled_out(self.description).strip()
        left = len(text) - DESCRIBED
        return text if left <= 0 else f"{text[:DESCRIBED]}\n[… {left} characters left out …]"

    @property
    def shown(self) -> str:
        """All that the model would be told, for the eyes of the user: what is hidden in it is left for them to see."""
        left = len(self.description) - DESCRIBED
        cut = f"\n[… {left} characters that the model is not told either …]" if left > 0 else ""
        schema = json.dumps(self.schema, ensure_ascii=False)
        return f"{self.description[:DESCRIBED]}{cut}\nparameters: {schema}"

    @property
    def parameters(self) -> dict[str, JSON]:
        """The schema as the model gets it: always an object's."""
        shown: Any = _spelled_out(self.schema)
        return {"type": "object", **{key: value for key, value in shown.items() if key != "$schema"}}


@frozen(kw_only=True)
class PromptEntry:
    """A prompt that a server has made up: `arguments` by name, with whether each is needed."""

    name: str
    description: str = ""
    arguments: Mapping[str, bool] = field(factory=dict)


@frozen(kw_only=True)
class Listing:
    """All that a server offers."""

    tools: tuple[ToolEntry, ...] = ()
    prompts: tuple[PromptEntry, ...] = ()
    resources: bool = False

    def tool(self, name: str) -> ToolEntry | None:
        """The tool of that name."""
        return next((tool for tool in self.tools if tool.name == name), None)

    def news(self, other: Listing) -> tuple[str, ...]:
        """The names of the other's tools that are new or not as they were here."""
        mine = {tool.name: tool.digest for tool in self.tools}
        return tuple(tool.name for tool in other.tools if mine.get(tool.name) != tool.digest)

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "tools": [{"name": t.name, "description": t.description, "schema": t.schema} for t in self.tools],
            "prompts": [{"name": p.name, "description": p.description, "arguments": p.arguments} for p in self.prompts],
            "resources": self.resources,
        }

    @classmethod
    def of(cls, raw: Any) -> Listing:
        """What `plain` gave; what is of another kind is passed over."""
        told = Fields(raw)
        tools = [
            ToolEntry(name=t.text("name"), description=t.text("description"), schema=t.object("schema").raw)
            for t in told.objects("tools")
            if t.text("name") and "schema" in t and t.object("schema").raw is not None
        ]
        prompts = [
            PromptEntry(
                name=p.text("name"), description=p.text("description"), arguments=p.object("arguments").raw or {}
            )
            for p in told.objects("prompts")
            if p.text("name")
        ]
        return cls(tools=tuple(tools), prompts=tuple(prompts), resources=told.flag("resources"))


def _spelled_out(schema: JSON) -> JSON:
    """A schema whose descriptions hide nothing: what nobody sees is spelled out in them."""
    if isinstance(schema, list):
        return [_spelled_out(item) for item in schema]
    if not isinstance(schema, Mapping):
        return schema
    return {
        key: spelled_out(value) if key in ("description", "title") and isinstance(value, str) else _spelled_out(value)
        for key, value in schema.items()
    }


def kept_tools(found: Iterable[ToolEntry]) -> tuple[tuple[ToolEntry, ...], tuple[str, ...]]:
    """The tools that can be kept, and why others cannot; of two with one name the first."""
    kept: dict[str, ToolEntry] = {}
    problems = []
    for tool in found:
        if len(kept) == MOST:
            problems.append(f"it has more than {MOST} tools")
            break
        size = len(json.dumps(tool.schema))
        if size > SCHEMA_LIMIT:
            problems.append(f"the schema of its tool {tool.name[:64]} has {size} bytes, more than {SCHEMA_LIMIT}")
        elif tool.name in kept:
            problems.append(f"it has two tools named {tool.name[:64]}")
        else:
            kept[tool.name] = tool
    return tuple(kept.values()), tuple(problems)


def offered_name(server: str, tool: str) -> str:
    """`mcp__server__tool`, ended by a digest wherever that is no name for a provider, or could mean two tools."""
    name = f"mcp__{_UNNAMED.sub('_', server)}__{_UNNAMED.sub('_', tool)}"
    told_apart = "__" not in server and not server.endswith("_")  # the first `__` is then where the server's name ends
    if name == f"mcp__{server}__{tool}" and len(name) <= 64 and told_apart:
        return name
    digest = hashlib.sha256(f"{server}\0{tool}".encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{name[:55]}_{digest}"
