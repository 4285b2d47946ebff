"""Which tools the model is given at once, and which wait until it searches for them."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from math import log
from typing import TYPE_CHECKING, Any

from attrs import field

from codetether.models.record import JSON
from codetether.models.tools import (
    Resources,
    ToolCall,
    ToolDefinition,
    ToolExample,
    ToolResult,
    error_result,
    text_result,
)
from codetether.plugin_contexts import SessionContext, ToolContext
from codetether.session.dispatch import OfferedTool
from codetether.settings.core import ToolSettings
from codetether.values import define

if TYPE_CHECKING:
    from codetether.protocols import Person
    from codetether.session.agent import Agent

NAME = "tool_search"
MEMORY = "tools found"
"""Under this the session remembers which tools it found, so that it is given them again when it is resumed."""
COUNT = 5
MOST = 20
NAME_WEIGHT = 3
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+|[^\W\d_]+")


@define(kw_only=True)
class Offering:
    """The tools of a session.

    Attributes:
        tools: what can be called, in the order in which the model was given it; a tool that is found comes last, so
            that what was sent before stays as it was.
        waiting: what can be found.
        agent: who gives the tools to the model, once it is there.
    """

    tools: dict[str, OfferedTool]
    waiting: dict[str, OfferedTool] = field(factory=dict)
    agent: Agent | None = None

    @classmethod
    def of(cls, kept: Mapping[str, OfferedTool], settings: ToolSettings, found: Iterable[str] = ()) -> Offering:
        """Divides the tools that the session's filters kept; those of `found` were found before."""
        at_once = given_at_once(kept, settings)
        if len(at_once) == len(kept) or NAME in settings.disabled:
            return cls(tools=dict(kept))
        waiting = {name: tool for name, tool in kept.items() if name not in at_once}
        offering = cls(tools={}, waiting=waiting)
        search = ToolSearch(offering)
        given = {name: kept[name] for name in at_once}
        given[NAME] = OfferedTool(plugin="core", definition=search.definition, tool=search)
        offering.tools.update(sorted(given.items()))
        offering.give(found)
        return offering

    def give(self, names: Iterable[str]) -> list[ToolDefinition]:
        """Makes the tools callable from the next step on; those that do not wait are passed over."""
        new = {name: self.waiting.pop(name) for name in names if name in self.waiting}
        self.tools.update(new)
        definitions = [tool.definition for tool in new.values()]
        if self.agent is not None and new:
            self.agent.offer(definitions)
        return definitions


def given_at_once(tools: Mapping[str, OfferedTool], settings: ToolSettings) -> list[str]:
    """The names of the tools that the model is given without asking: all, where they are no more than `offered`.

    Else those of `first`, then whole plugins while they fit, those with few tools before those with many. Tools that
    ask the user never wait, and do not count.
    """
    asking = [name for name, tool in tools.items() if tool.definition.interactive]
    others = {name: tool.plugin for name, tool in tools.items() if name not in asking}
    if len(others) <= settings.offered:
        return list(tools)
    given = [name for name in others if any(fnmatchcase(name, glob) for glob in settings.first)]
    for plugin, _ in sorted(Counter(others.values()).items(), key=lambda pair: (pair[1], pair[0])):
        more = [name for name, theirs in others.items() if theirs == plugin and name not in given]
        if len(given) + len(more) <= settings.offered:
            given += more
    return asking + given


def answerable(definitions: Iterable[ToolDefinition], person: Person | None) -> list[ToolDefinition]:
    """Without those that ask the user where nobody can answer."""
    return [definition for definition in definitions if person is not None or not definition.interactive]


def found_before(memory: Mapping[tuple[str, str], JSON]) -> list[str]:
    """The tools that a session found earlier."""
    found = memory.get(("core", MEMORY))
    return [str(name) for name in found] if isinstance(found, list) else []


class ToolSearch:
    """Finds tools by what they say of themselves."""

    def __init__(self, offering: Offering) -> None:
        self._offering = offering
        self.definition = ToolDefinition(
            name=NAME,
            description=(
                "Finds tools that are installed but not listed here, by words of their names and descriptions. Those "
                f"found can be called from then on. There are {_groups(offering.waiting)}."
            ),
            schema={
                "type": "object",
                "properties": {
                    "query": {
                        "type": "string",
                        "minLength": 1,
                        "description": "What the tool should do, in a few words; or the names of tools.",
                    },
                    "count": {
                        "type": "integer",
                        "minimum": 1,
                        "maximum": MOST,
                        "default": COUNT,
                        "description": "How many tools at most.",
                    },
                },
                "required": ["query"],
                "additionalProperties": False,
            },
            effects=(),
            idempotent=True,
            examples=(ToolExample(prompt="open an issue on the tracker", arguments={"query": "create issue"}),),
            timeout=30.0,
        )

    def resources(self, call: ToolCall, ctx: SessionContext) -> Resources:
        """It touches nothing."""
        return Resources()

    async def run(self, call: ToolCall, ctx: ToolContext) -> ToolResult:
        """Name, description and schema of the tools found, a line each."""
        waiting = {name: tool.definition for name, tool in self._offering.waiting.items()}
        query, count = str(call.arguments["query"]), int(call.arguments.get("count", COUNT))
        found = self._offering.give(ranked(query, list(waiting.values()))[:count])
        if not found:
            there = _groups(self._offering.waiting)
            return error_result(f"no tool fits {query!r}; try other words. There are {there}")
        before: Any = ctx.recall(MEMORY) or []
        await ctx.remember(MEMORY, [*before, *(definition.name for definition in found)])
        lines = [json.dumps(_told(definition), ensure_ascii=False) for definition in found]
        return text_result("\n".join(["These can be called now:", *lines]), tools=[d.name for d in found])


def ranked(query: str, definitions: Sequence[ToolDefinition]) -> list[str]:
    """The names of the tools that have words of the query, best first: BM25, with names called outright before all."""
    texts = {each.name: _words_of(each) for each in definitions}
    usual = sum(map(Counter.total, texts.values())) / max(len(texts), 1)
    common = Counter(word for text in texts.values() for word in text)
    wanted, called = set(_words(query)), set(re.findall(r"[\w-]+", query))

    def score(name: str) -> float:
        text = texts[name]
        long = 1.2 * (0.25 + 0.75 * text.total() / usual)
        return sum(log(1 + len(texts) / common[w]) * text[w] / (text[w] + long) for w in wanted & text.keys())

    scores = {name: (name in called, score(name)) for name in texts}
    return sorted((name for name in texts if any(scores[name])), key=lambda name: (*(-x for x in scores[name]), name))


def estimated_tokens(definition: ToolDefinition) -> int:
    """About how many tokens a definition takes in each request, by its length: nobody's tokenizer is asked."""
    return -(-len(json.dumps(_told(definition)).encode()) // 4)


def _told(definition: ToolDefinition) -> dict[str, Any]:
    return {"name": definition.name, "description": definition.description, "parameters": dict(definition.schema)}


def _words_of(definition: ToolDefinition) -> Counter[str]:
    properties: Mapping[str, Any] = definition.schema.get("properties", {})
    words = [*_words(definition.name)] * NAME_WEIGHT + _words(definition.description)
    for name, rules in properties.items():
        words += _words(name) + _words(str(rules.get("description", "")) if isinstance(rules, Mapping) else "")
    return Counter(words)


def _words(text: str) -> list[str]:
    """The words, in lower case, without the `s` of more than one; those of `createIssue` and `create_issue` too."""
    found = (word.lower() for word in _WORD.findall(text) if len(word) > 1 or not word.isascii())
    return [word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word for word in found]


def _groups(tools: Mapping[str, OfferedTool]) -> str:
    """How many wait of each plugin, or of each server behind one."""
    counts = Counter(name.rpartition("__")[0] or tool.plugin for name, tool in tools.items())
    listed = ", ".join(f"{count} of {group}" for group, count in sorted(counts.items())[:MOST])
    return f"{listed}{', and others' if len(counts) > MOST else ''}" if counts else "none left"
