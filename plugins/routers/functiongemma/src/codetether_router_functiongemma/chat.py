"""The format in which models other than FunctionGemma are asked: examples as turns of a chat, and calls as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from attrs import frozen
from codetether import ToolDefinition

from codetether_router_functiongemma.excerpt import Excerpt, clean
from codetether_router_functiongemma.schemas import kind, parameters, resolved

NO_CALL = "no_call"
_TASK = (
    "An assistant wrote the text below. If it is now about to use the tool, write the call as JSON, with the arguments "
    f"copied from the text. If it only talks about the tool, or leaves out what the tool needs, write {NO_CALL}."
)
_FIND, _NOTE = "find_person(name: string) - Looks a person up.", "add_note(title: string, body: string) - Keeps a note."
_PAGE = "open_page(url: string) - Opens a page."
_EXAMPLES: tuple[tuple[str, str, dict[str, str] | None], ...] = (
    (_FIND, "I'll look for Ada Lovelace with find_person.", {"name": "Ada Lovelace"}),
    (_FIND, "I will use find_person to see whether we know her.", None),
    (
        _NOTE,
        "Let me call `add_note` with the title `milk` and the body `buy two bottles`.",
        {"body": "buy two bottles", "title": "milk"},
    ),
    ("count_people() - Says how many people there are.", "Let me see how many there are with count_people.", {}),
    (_FIND, "I'll call find_person once I know the name.", None),
    (_PAGE, "Sure! Using open_page to read https://a.example/b now.", {"url": "https://a.example/b"}),
    (_PAGE, "open_page(https://a.example/c/d)", {"url": "https://a.example/c/d"}),
    (_NOTE, "I'm going to use add_note a lot in this project.", None),
)


@frozen(kw_only=True)
class ChatForm:
    """Calls as JSON."""

    no_call: str = json.dumps(NO_CALL)
    comma: str = '", "'

    def call(self, name: str, arguments: str) -> str:
        """`{"name": NAME, "arguments": {…}}`."""
        head = json.dumps(f'{{"name": {json.dumps(name)}, "arguments": {{')
        return f'{head} {arguments} "}}}}"'

    def key(self, name: str) -> str:
        """`"NAME": `."""
        return json.dumps(f"{json.dumps(name, ensure_ascii=False)}: ", ensure_ascii=False)

    def text(self, inner: str) -> str:
        """In double quotes."""
        return f'"\\"" {inner} "\\""'

    def copied(self, chunk: str) -> str:
        """With what JSON escapes escaped."""
        return json.dumps(chunk, ensure_ascii=False)[1:-1]


def messages(tool: ToolDefinition, shown: Excerpt) -> list[dict[str, str]]:
    """The turns: what is to be done, examples, the question."""
    turns: list[dict[str, str]] = []
    for line, text, arguments in _EXAMPLES:
        name = line.partition("(")[0]
        answer = NO_CALL if arguments is None else json.dumps({"name": name, "arguments": arguments})
        turns += [
            {"role": "user", "content": _question(line, text, "")},
            {"role": "assistant", "content": answer},
        ]
    turns.append({"role": "user", "content": _question(_line(tool), shown.text, shown.request)})
    turns[0]["content"] = f"{_TASK}\n\n{turns[0]['content']}"  # many templates know no turn of the system
    return turns


def read(text: str) -> list[tuple[str, dict[str, Any]]]:
    """The call of an answer: name and arguments; none where it says so. Raises ValueError for anything else."""
    if text.strip() == NO_CALL:
        return []
    call = json.loads(text)
    if (
        not isinstance(call, dict)
        or not isinstance(call.get("name"), str)
        or not isinstance(call.get("arguments"), dict)
    ):
        raise ValueError(f"no call: {text[:80]!r}")
    return [(call["name"], call["arguments"])]


def _question(line: str, text: str, request: str) -> str:
    asked = f"Request: {request}\n" if request else ""
    return f"Tool: {line}\n{asked}Text: {text}"


def _line(tool: ToolDefinition) -> str:
    root: Mapping[str, Any] = tool.schema
    known = parameters(resolved(root, root), root)
    names = ", ".join(f"{each.name}{'' if each.required else '?'}: {kind(each.schema) or 'string'}" for each in known)
    return f"{tool.name}({names}) - {clean(tool.description).partition(chr(10))[0][:200]}"
