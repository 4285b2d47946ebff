"""The grammar that an answer must obey: text, then calls of the offered tools with arguments that fit their schemas."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from codetether import JSON, ToolChoice, ToolDefinition

OPEN, CLOSE = "<tool_call>", "</tool_call>"
_TEXT = rf"TEXT: /(.|\n)+/ & ~/(.|\n)*{OPEN}(.|\n)*/"
_HEAD = "%llguidance {}"
_LITERAL = ("const", "enum", "default", "examples")
_MARKS = "MARK: /[,:]/\nEND: /[.!]/\n"
_TIGHT: JSON = {"whitespace_flexible": False, "lenient": True}


def tool_grammar(
    tools: Sequence[ToolDefinition], choice: ToolChoice, schema: Mapping[str, JSON] | None = None
) -> str | None:
    """A Lark grammar for `choice`: `auto` lets text stand before calls or alone; None where anything may be said.

    With a schema an answer without calls is a JSON value that fits it.

    A call is written `<tool_call>`, a line `{"name": …, "arguments": …}`, `</tool_call>`. Arguments are written without
    free white space, since small models never end it, and without properties that the schema does not name. What the
    engine cannot enforce of a schema is left to whoever checks the call.
    """
    offered = [tool for tool in tools if choice in ("auto", "required", tool.name)]
    if choice == "none" or not offered:
        return value_grammar(schema) if schema is not None else None
    free = choice == "auto" and schema is None
    start = "TEXT? | TEXT? calls" if free else "value | calls" if choice == "auto" else "calls"
    many = "call" if choice not in ("auto", "required") else 'call ("\\n" call)*'
    one = " | ".join(f"call_{i}" for i in range(len(offered)))
    rules = [_HEAD, f"start: {start}", f"calls: {many}", f"call: {one}"]
    rules += [f"call_{i}: {_call(tool)}" for i, tool in enumerate(offered)]
    if free:
        rules.append(_TEXT)
    if schema is not None:
        rules.append(f"value: {_value(schema)}")
    return "\n".join(rules) + "\n"


def choice_grammar(texts: Sequence[str]) -> str:
    """A grammar that admits exactly these texts."""
    return f"{_HEAD}\nstart: {' | '.join(_literal(text) for text in texts)}\n"


def value_grammar(schema: Mapping[str, JSON]) -> str:
    """A grammar that admits JSON values which fit the schema."""
    return f"{_HEAD}\nstart: {_value(schema)}\n"


def words_grammar(texts: Sequence[str], telling: Sequence[str] = ()) -> str:
    """A grammar that admits sentences made of these words alone, so that no name and no number is made up.

    Each holds one of the words that are telling, where there are any, after no more than a few others.
    """
    rest = [text for text in texts if text not in telling]
    if not rest or not telling:
        return f'{_HEAD}\nstart: WORD MARK? (" " WORD MARK?)* END?\nWORD: {_any(texts)}\n{_MARKS}'
    start = 'start: (REST MARK? " "){0,6} TOLD MARK? (" " (REST | TOLD) MARK?)* END?'
    return f"{_HEAD}\n{start}\nREST: {_any(rest)}\nTOLD: {_any(telling)}\n{_MARKS}"


def _any(texts: Sequence[str]) -> str:
    return " | ".join(_literal(text) for text in dict.fromkeys(texts))


def _value(schema: Mapping[str, JSON]) -> str:
    return f"%json {json.dumps({**_closed(schema), 'x-guidance': _TIGHT})}"


def _closed(schema: JSON) -> JSON:
    """The schema without room for properties that it does not name: small models never stop inventing some."""
    if isinstance(schema, list):
        return [_closed(each) for each in schema]
    if not isinstance(schema, Mapping):
        return schema
    own = {name: value if name in _LITERAL else _closed(value) for name, value in schema.items()}
    return {"additionalProperties": False, **own} if isinstance(schema.get("properties"), Mapping) else own


def _call(tool: ToolDefinition) -> str:
    head = _literal(f'{OPEN}\n{{"name": {json.dumps(tool.name)}, "arguments": ')
    tail = _literal("}\n" + CLOSE)
    return f"{head} %json {json.dumps(_strict(tool.schema))} {tail}"


def _strict(schema: Mapping[str, JSON]) -> dict[str, JSON]:
    return {
        "type": "object",
        "additionalProperties": False,
        **schema,
        "x-guidance": _TIGHT,
    }


def _literal(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
