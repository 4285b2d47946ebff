"""A completion request becomes the body that anthropic-messages servers take; each message is rendered once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice, takewhile
from typing import Any, NamedTuple

import orjson
from codetether import JSON, CompletionRequest, Message, SamplingParams, ToolDefinition
from codetether_http import Kept, dumps

from codetether_provider_anthropic.blocks import Blocks, fixed_schema
from codetether_provider_anthropic.quirks import Quirks

_MOST_TOKENS = 4096
"""The limit of an answer where nobody names one: the API wants one in every request."""
_THINKS = ("thinking", "redacted_thinking")


class _Turn(NamedTuple):
    """What one side says before the other does: blocks, as JSON joined by commas.

    `results`: of tools, which must lead. `thinks`: it begins with a thought. `message`: all of it.
    """

    role: str
    results: tuple[bytes, ...]
    others: tuple[bytes, ...]
    thinks: bool
    message: Mapping[str, JSON]

    def then(self, more: _Turn) -> _Turn:
        """With what the same side says next."""
        return _turn(self.role, self.results + more.results, self.others + more.others, self.thinks)


class Renderer:
    """Renders the requests of one session to one provider, keeping the bytes of messages that it has seen."""

    def __init__(self, provider: str, quirks: Quirks) -> None:
        self._quirks = quirks
        self._blocks = Blocks(provider)
        self._mark = _mark(quirks)
        self._seen: list[int] = []
        self._kept = Kept(self._rendered, self._seen.clear)
        self._turns: list[_Turn] = []
        self._tools: tuple[ToolDefinition, ...] = ()
        self._tools_rendered = orjson.Fragment(b"[]")

    def render(self, request: CompletionRequest) -> bytes:
        """The body of the request, as JSON."""
        quirks = self._quirks
        turns = self._taken(request.messages)
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

    def _thinking(self, turns: list[_Turn]) -> Mapping[str, JSON] | None:
        """What the settings say of thinking.

        With a budget it is refused amid calls that began without a thought, as those of another model did.
        """
        wanted: Mapping[str, JSON] | None = self._quirks.thinking or self._quirks.extra_body.get("thinking")
        if not isinstance(wanted, Mapping):
            return None
        if wanted.get("type") != "enabled":
            return wanted
        place = len(turns) - 1
        while place > 1 and turns[place].results:
            place -= 2  # to before the answer that asked for these results
        return None if place + 1 < len(turns) and not turns[place + 1].thinks else wanted

    def _sampling(self, sampling: SamplingParams, thinking: Mapping[str, JSON] | None) -> dict[str, JSON]:
        thinks = _is_on(thinking)
        limit = sampling.max_output_tokens or _MOST_TOKENS
        budget = thinking.get("budget_tokens") if thinking and thinks else None
        if isinstance(budget, int) and budget >= limit:
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
            return orjson.Fragment(dumps(system))
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
        if choice == "auto" or _is_on(thinking):
            made = {"type": "auto"}
        elif choice == "required":
            made = {"type": "any"}
        else:
            made = {"type": "tool", "name": choice}
        if not self._quirks.parallel_tool_calls:
            made["disable_parallel_tool_use"] = True
        return None if made == {"type": "auto"} else made

    def _taken(self, messages: tuple[Message, ...]) -> list[_Turn]:
        """The messages that say anything, as turns: roles must alternate. A history that went on is not read again."""
        seen, turns = self._seen, self._turns
        ids = [id(message) for message in messages]
        if not seen or ids[: len(seen)] != seen:
            seen.clear()
            turns.clear()
        for turn in self._kept.of(messages[len(seen) :]):
            if not (turn.results or turn.others):
                continue
            if turns and turns[-1].role == turn.role:
                turns[-1] = turns[-1].then(turn)
            else:
                turns.append(turn)
        seen[:] = ids
        return turns

    def _messages(self, turns: list[_Turn], messages: tuple[Message, ...]) -> list[Mapping[str, JSON]]:
        made = [turn.message for turn in turns]
        if not turns:
            return made
        if self._mark:
            users = (place for place in range(len(turns) - 1, -1, -1) if turns[place].role == "user")
            for place in islice(users, 2):  # the next request reads the last one from the cache, this one the other
                made[place] = _marked_message(turns[place], self._mark)
        if turns[-1].role == "assistant":
            made[-1] = self._begun(messages) or made[-1]
        return made if turns[0].role == "user" else [_OPENING, *made]

    def _begun(self, messages: tuple[Message, ...]) -> Mapping[str, JSON] | None:
        """An answer that the model shall go on with: white space at its end is refused."""
        answers = [*takewhile(lambda message: message.role == "assistant", reversed(messages))]
        blocks = [block for message in reversed(answers) for block in self._blocks.of_assistant(message)]
        if not blocks or blocks[-1]["type"] != "text":
            return None
        blocks[-1]["text"] = blocks[-1]["text"].rstrip()
        return _message("assistant", (_content(blocks),))

    def _rendered(self, message: Message) -> _Turn:
        if message.role == "assistant":
            blocks = self._blocks.of_assistant(message)
            thinks = bool(blocks) and blocks[0]["type"] in _THINKS
            return _turn("assistant", (), _contents(blocks), thinks)
        results, others = self._blocks.of_user(message)
        return _turn("user", _contents(results), _contents(others))


_OPENING: Mapping[str, JSON] = {"role": "user", "content": [{"type": "text", "text": "Go on."}]}
"""Stands before a history that begins with an answer: the API wants a user to speak first."""


def _is_on(thinking: Mapping[str, JSON] | None) -> bool:
    return thinking is not None and thinking.get("type") != "disabled"


def _turn(role: str, results: tuple[bytes, ...], others: tuple[bytes, ...], thinks: bool = False) -> _Turn:
    return _Turn(role, results, others, thinks, _message(role, results + others))


def _contents(blocks: list[dict[str, JSON]]) -> tuple[bytes, ...]:
    return (_content(blocks),) if blocks else ()


def _content(blocks: list[dict[str, JSON]]) -> bytes:
    rendered = b",".join(map(dumps, blocks))
    return bytes(memoryview(rendered))  # a copy of its own size: orjson's bytes keep the 4 KiB they grew in


def _message(role: str, content: Iterable[bytes]) -> Mapping[str, JSON]:
    """Each of the contents holds blocks that stand in a list."""
    return {"role": role, "content": [orjson.Fragment(blocks) for blocks in content]}


def _marked_message(turn: _Turn, mark: bytes) -> Mapping[str, JSON]:
    content = turn.results + turn.others
    return _message(turn.role, (*content[:-1], _marked(content[-1], mark)))


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
