"""The grammar of an answer: a call of the announced tool with arguments that can be copied, or no call."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Protocol

from attrs import define, field
from codetether import ToolDefinition

from codetether_router_functiongemma.excerpt import Excerpt
from codetether_router_functiongemma.schemas import DEPTH, Parameter, choices, is_wanted, kind, parameters, resolved

ITEMS = 8
"""Items of a list at most."""


class Form(Protocol):
    """How calls are written. All but `copied` give pieces of a Lark grammar.

    Attributes:
        no_call: the answer that there is none. comma: what stands between two arguments.
    """

    @property
    def no_call(self) -> str: ...

    @property
    def comma(self) -> str: ...

    def call(self, name: str, arguments: str) -> str:
        """A whole call; `arguments` is a piece of grammar."""

    def key(self, name: str) -> str:
        """What stands before a value."""

    def text(self, inner: str) -> str:
        """A text; `inner` is a piece of grammar."""

    def copied(self, chunk: str) -> str:
        """A piece of a text as it is written within one."""


def literal(text: str) -> str:
    """The text itself, as a piece of grammar."""
    return _json(text)


def call_grammar(tool: ToolDefinition, shown: Excerpt, form: Form) -> str | None:
    """A Lark grammar for llguidance; None where no call of the tool can be made of what is shown.

    Texts are what the announcement has in quotes, where that is enough for all of them, else runs of whole words of
    what is shown; numbers are those that stand there, listed values as they are listed.
    """
    rules = _Rules(shown=shown, form=form, root=tool.schema)
    arguments = rules.object(resolved(tool.schema, tool.schema), 0)
    if arguments is None:
        return None
    lines = ["%llguidance {}", f"start: {form.call(tool.name, arguments)} | {form.no_call}", *rules.lines]
    if 0 < rules.copies <= len(shown.literals):
        lines.append("copy: " + " | ".join(literal(form.copied(each)) for each in shown.literals))
    elif rules.copies:
        runs = [[form.copied(chunk) for chunk in run] for run in shown.runs()]
        if not runs:
            return None
        lines.append("copy: " + " | ".join(f"COPY_{i}" for i in range(len(runs))))
        lines += [f'COPY_{i}: %regex {{"substring_chunks": {_json(run)}}}' for i, run in enumerate(runs)]
    return "\n".join(lines) + "\n"


@define(kw_only=True)
class _Rules:
    """Pieces of grammar for values; None for a value that cannot be made. `lines` are the rules they stand on."""

    shown: Excerpt
    form: Form
    root: Mapping[str, Any]
    lines: list[str] = field(factory=list)
    copies: int = 0

    def object(self, schema: Mapping[str, Any], depth: int) -> str | None:
        known = parameters(schema, self.root)
        pairs: list[tuple[Parameter, str]] = []
        for parameter in known:
            value = self.value(parameter.schema, depth) if is_wanted(parameter, len(known), self.shown) else None
            if value is not None:
                pairs.append((parameter, f"{self.form.key(parameter.name)} {value}"))
            elif parameter.required:
                return None
        return self._chain(pairs)

    def _chain(self, pairs: list[tuple[Parameter, str]]) -> str:
        """The pairs in order, optional ones left out or not: rules for `first so far` and for `others before`."""
        first, later = literal(""), literal("")
        for parameter, pair in reversed(pairs):
            rest = self._rule(later) if later != literal("") else later
            begun = f"{pair} {rest}"
            after = f"{self.form.comma} {pair} {rest}"
            first, later = (
                (begun, after) if parameter.required else (f"{begun} | {self._rule(first)}", f"{after} | {rest}")
            )
        return self._rule(first)

    def value(self, schema: Mapping[str, Any], depth: int) -> str | None:
        listed = choices(schema)
        if listed is not None:
            return self._rule(" | ".join(map(self._choice, listed))) if listed else None
        if depth > DEPTH:
            return None
        match kind(schema):
            case "string" | "":
                self.copies += 1
                return self.form.text("copy")
            case "integer":
                return self._numbers([number for number in self.shown.numbers() if "." not in number])
            case "number":
                return self._numbers(self.shown.numbers())
            case "boolean":
                return self._rule('"true" | "false"')
            case "array":
                item = self.value(resolved(schema.get("items"), self.root), depth + 1)
                return None if item is None else f'"[" {item} ("," {item}){{0,{ITEMS - 1}}} "]"'
            case "object" if schema.get("properties"):
                inner = self.object(schema, depth + 1)
                return None if inner is None else f'"{{" {inner} "}}"'
        return None

    def _numbers(self, numbers: list[str]) -> str | None:
        return self._rule(" | ".join(map(literal, numbers))) if numbers else None

    def _choice(self, value: Any) -> str:
        return (
            self.form.text(literal(self.form.copied(value))) if isinstance(value, str) else literal(json.dumps(value))
        )

    def _rule(self, body: str) -> str:
        self.lines.append(f"r{len(self.lines)}: {body}")
        return f"r{len(self.lines) - 1}"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
