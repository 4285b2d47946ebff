"""A completion request becomes the body that anthropic-messages servers take; each message is rendered once."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any, NamedTuple

import orjson
from codetether import JSON, CompletionRequest, Message, SamplingParams, ToolDefinition

from codetether_provider_anthropic.blocks import Blocks, dumps, fixed_schema
from codetether_provider_anthropic.quirks import Quirks

_MOST_TOKENS = 4096
"""The limit of an answer where nobody names one: the API wants one in every request."""
_THINKS = ("thinking", "redacted_thinking")


class _Rendered(NamedTuple):
    """A message's blocks, as JSON joined by commas: results of tools first, for they must lead.

    `thinks`: it begins with a thought. `alone`: the message where no other of its role stands beside it.
    """

    role: str
    results: bytes
    others: bytes
    thinks: bool
    alone: Mapping[str, JSON]


class Renderer:
    """Renders the requests of one session to one provider, keeping the bytes of messages that it has seen."""

    def __init__(self, provider: str, quirks: Quirks) -> None:
        self._quirks = quirks
        self._blocks = Blocks(provider)
        self._mark = _mark(quirks)
        self._kept: dict[int, tuple[weakref.ref[Message], _Rendered]] = {}
        self._tools: tuple[ToolDefinition, ...] = ()
        self._tools_rendered = orjson.Fragment(b"[]")

    def render(self, request: CompletionRequest) -> bytes:
        """The body of the request, as JSON."""
        quirks = self._quirks
        turns = self._turns(request.messages)
        thinking = self._thinking(turns)
        body: dict[str, Any] = {"model": request.model.model}
        body.update(self._sampling(request.sampling, thinking))
        if request.system.strip():
            body["system"] = self._system(request.system)
        if request.tools or quirks.server_tools:
            body["tools"] = self._offered(request.tools)
            if choice := self._choice(request.tool_choice, thinking):
                body["tool_choice"] = choice
        body["messages"] = self._messages(turns, request.messages)
        body["stream"] = quirks.stream
        body.update(quirks.extra_body)
        if thinking:
            body["thinking"] = thinking
        else:
            body.pop("thinking", None)
        return dumps(body)

    def _thinking(self, turns: list[list[_Rendered]]) -> Mapping[str, JSON] | None:
        """What the settings say of thinking.

        With a budget it is refused amid calls that were made without a thought, as those of another model were.
        """
        wanted: Mapping[str, JSON] | None = self._quirks.thinking or self._quirks.extra_body.get("thinking")
        if not isinstance(wanted, Mapping):
            return None
        if wanted.get("type") != "enabled":
            return wanted
        amid_calls = len(turns) > 1 and any(message.results for message in turns[-1])
        return None if amid_calls and not turns[-2][0].thinks else wanted

    def _sampling(self, sampling: SamplingParams, thinking: Mapping[str, JSON] | None) -> dict[str, JSON]:
        thinks = bool(thinking) and thinking.get("type") != "disabled"
        limit = sampling.max_output_tokens or _MOST_TOKENS
        budget = thinking.get("budget_tokens") if thinking else None
        if thinks and isinstance(budget, int) and budget >= limit:
            limit += budget  # the budget is part of the limit, and must be less
        temperature = None if thinks else sampling.temperature
        said: dict[str, JSON] = {
            "max_tokens": limit,
            "temperature": None if temperature is None else min(max(temperature, self._quirks.lowest_temperature), 1.0),
            "top_p": sampling.top_p,
            "stop_sequences": [word for word in sampling.stop if word.strip()] or None,
        }
        return {name: value for name, value in said.items() if value is not None}

    def _system(self, system: str) -> JSON:
        if not self._mark:
            return system
        return [orjson.Fragment(_marked(dumps({"type": "text", "text": system}), self._mark))]

    def _offered(self, tools: tuple[ToolDefinition, ...]) -> orjson.Fragment:
        if tools != self._tools or not tools:
            rendered = [dumps(_tool(tool)) for tool in tools]
            rendered += [dumps(dict(tool)) for tool in self._quirks.server_tools]
            rendered[-1] = _marked(rendered[-1], self._mark)
            self._tools_rendered = orjson.Fragment(b"[%b]" % b",".join(rendered))
            self._tools = tools
        return self._tools_rendered

    def _choice(self, choice: str, thinking: Mapping[str, JSON] | None) -> dict[str, JSON] | None:
        """None where it is the server's own default. Thinking and a forced call exclude each other."""
        made: dict[str, JSON]
        if choice == "none":
            return {"type": "none"}
        if choice == "auto" or (thinking and thinking.get("type") != "disabled"):
            made = {"type": "auto"}
        elif choice == "required":
            made = {"type": "any"}
        else:
            made = {"type": "tool", "name": choice}
        if not self._quirks.parallel_tool_calls:
            made["disable_parallel_tool_use"] = True
        return None if made == {"type": "auto"} else made

    def _turns(self, messages: Iterable[Message]) -> list[list[_Rendered]]:
        """The messages that say anything, those of one role in a row together: roles must alternate."""
        kept = self._kept
        rendered = (entry[1] if (entry := kept.get(id(message))) else self._keep(message) for message in messages)
        said = (message for message in rendered if message.results or message.others)
        return [list(turn) for _, turn in groupby(said, key=lambda message: message.role)]

    def _messages(self, turns: list[list[_Rendered]], messages: tuple[Message, ...]) -> list[Mapping[str, JSON]]:
        made = [turn[0].alone if len(turn) == 1 else _joined(turn) for turn in turns]
        if not turns:
            return made
        if self._mark:
            users = [place for place, turn in enumerate(turns) if turn[0].role == "user"]
            for place in users[-2:]:  # the next request reads the last one from the cache, this one that before it
                made[place] = _joined(turns[place], self._mark)
        if turns[-1][0].role == "assistant":
            made[-1] = self._begun(messages, len(turns[-1])) or made[-1]
        return made if turns[0][0].role == "user" else [_OPENING, *made]

    def _begun(self, messages: tuple[Message, ...], count: int) -> Mapping[str, JSON] | None:
        """An answer that the model shall go on with: white space at its end is refused."""
        last = [m for m in messages if m.role == "assistant" and self._kept[id(m)][1].others][-count:]
        blocks = [block for message in last for block in self._blocks.of_assistant(message)]
        if blocks[-1]["type"] != "text":
            return None
        blocks[-1]["text"] = blocks[-1]["text"].rstrip()
        return {"role": "assistant", "content": blocks}

    def _keep(self, message: Message) -> _Rendered:
        """Renders a message. The entry goes when the message does, before its identity can be another's."""
        rendered = self._rendered(message)
        key, kept = id(message), self._kept

        def forget(_: weakref.ref[Message]) -> None:
            kept.pop(key, None)

        kept[key] = (weakref.ref(message, forget), rendered)
        return rendered

    def _rendered(self, message: Message) -> _Rendered:
        if message.role == "assistant":
            blocks = self._blocks.of_assistant(message)
            thinks = bool(blocks) and blocks[0]["type"] in _THINKS
            return _one("assistant", b"", _content(blocks), thinks)
        results, others = self._blocks.of_user(message)
        return _one("user", _content(results), _content(others))


_OPENING: Mapping[str, JSON] = {"role": "user", "content": [{"type": "text", "text": "Go on."}]}
"""Stands before a history that begins with an answer: the API wants a user to speak first."""


def _one(role: str, results: bytes, others: bytes, thinks: bool = False) -> _Rendered:
    return _Rendered(role, results, others, thinks, _message(role, [part for part in (results, others) if part]))


def _content(blocks: list[dict[str, JSON]]) -> bytes:
    rendered = b",".join(map(dumps, blocks))
    return bytes(memoryview(rendered))  # a copy of its own size: orjson's bytes keep the 4 KiB they grew in


def _joined(turn: list[_Rendered], mark: bytes = b"") -> Mapping[str, JSON]:
    content = [m.results for m in turn if m.results] + [m.others for m in turn if m.others]
    return _message(turn[0].role, [*content[:-1], _marked(content[-1], mark)])


def _message(role: str, content: list[bytes]) -> Mapping[str, JSON]:
    """Each of the contents holds blocks that stand in a list."""
    return {"role": role, "content": [orjson.Fragment(blocks) for blocks in content]}


def _marked(blocks: bytes, mark: bytes) -> bytes:
    """The blocks, the last of which the cache shall end with. Blocks are objects, and none is empty."""
    return blocks[:-1] + mark + b"}" if mark else blocks


def _mark(quirks: Quirks) -> bytes:
    match quirks.cache:
        case "off":
            return b""
        case "1h":
            return b',"cache_control":{"type":"ephemeral","ttl":"1h"}'
        case _:
            return b',"cache_control":{"type":"ephemeral"}'


def _tool(tool: ToolDefinition) -> dict[str, JSON]:
    schema = fixed_schema(tool.schema)
    schema.setdefault("properties", {})
    return {"name": tool.name, "description": tool.description, "input_schema": schema}
