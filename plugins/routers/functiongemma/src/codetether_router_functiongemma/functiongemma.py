"""FunctionGemma's own format: declarations in a developer's turn, and calls between marks.

Written from the formatting page and the model card of google/functiongemma-270m-it: keys are bare and in the order of
their names, texts stand between two `<escape>`, types are upper case, nothing stands between two calls.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from attrs import frozen
from codetether import ToolDefinition

from codetether_router_functiongemma.excerpt import Excerpt, clean

START_CALL, END_CALL, ESCAPE = "<start_function_call>", "<end_function_call>", "<escape>"
MARKS = (START_CALL, END_CALL, ESCAPE)
STOPS = ("<start_function_response>", "<end_of_turn>")
SENTENCE = "You are a model that can do function calling with the following functions"
"""The card calls it the line that activates function calling."""
_BARE = re.compile(r"[^,{}\[\]<]+")


@frozen(kw_only=True)
class FunctionGemmaForm:
    """How it writes a call. `tokens`: the model's vocabulary has the marks, each as one token."""

    tokens: bool = True
    no_call: str = "/[^<{}](.|\\n)*/"
    comma: str = '","'

    def call(self, name: str, arguments: str) -> str:
        """`<start_function_call>call:NAME{…}<end_function_call>`."""
        return f'{self._mark(START_CALL)} {json.dumps(f"call:{name}{{")} {arguments} "}}" {self._mark(END_CALL)}'

    def key(self, name: str) -> str:
        """`NAME:`."""
        return json.dumps(f"{name}:", ensure_ascii=False)

    def text(self, inner: str) -> str:
        """`<escape>TEXT<escape>`."""
        return f"{self._mark(ESCAPE)} {inner} {self._mark(ESCAPE)}"

    def copied(self, chunk: str) -> str:
        """As it stands: within two marks there is nothing to escape."""
        return chunk

    def _mark(self, mark: str) -> str:
        return mark if self.tokens else json.dumps(mark)


def messages(shown: Excerpt) -> list[dict[str, str]]:
    """The turns: who the model is, and what it shall turn into a call."""
    said = f"{shown.request}\n{shown.text}" if shown.request else shown.text
    return [{"role": "developer", "content": SENTENCE}, {"role": "user", "content": said}]


def declared(tool: ToolDefinition) -> dict[str, Any]:
    """The tool as chat templates take it."""
    function = {"name": tool.name, "description": clean(tool.description), "parameters": _cleaned(dict(tool.schema))}
    return {"type": "function", "function": function}


def is_known(template: str) -> bool:
    """Whether a chat template is one for this format."""
    return START_CALL in template or "<start_function_declaration>" in template


def question(template: str, tool: ToolDefinition, shown: Excerpt) -> str:
    """The prompt, laid out by the file's own chat template where that knows the format and can be used."""
    if is_known(template):
        try:
            return templated(template, tool, shown)
        except (
            ValueError
        ):  # made for another renderer: the format is documented, so the question can be asked all the same
            return prompt(tool, shown)
    return prompt(tool, shown)


def prompt(tool: ToolDefinition, shown: Excerpt) -> str:
    """The prompt, for a file that brings no template. The engine itself puts `<bos>` before it."""
    function = declared(tool)["function"]
    declaration = written({"description": function["description"], "parameters": _upper(function["parameters"])})
    developer, user = (turn["content"] for turn in messages(shown))
    return (
        f"<start_of_turn>developer\n{developer}<start_function_declaration>declaration:{tool.name}{declaration}"
        f"<end_function_declaration><end_of_turn>\n<start_of_turn>user\n{user}<end_of_turn>\n<start_of_turn>model\n"
    )


def templated(template: str, tool: ToolDefinition, shown: Excerpt) -> str:
    """The prompt as the model's own chat template has it. Raises ValueError for a template that cannot be used.

    It runs in a sandbox, since it came with the file.
    """
    from jinja2 import TemplateError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def refuse(why: str) -> None:
        raise ValueError(f"the chat template refuses: {why}")

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.globals["raise_exception"] = refuse
    environment.filters["tojson"] = lambda value, **_: json.dumps(value, ensure_ascii=False)
    try:
        made = environment.from_string(template).render(
            messages=messages(shown), tools=[declared(tool)], add_generation_prompt=True, bos_token="", eos_token=""
        )
    except (TemplateError, TypeError, ArithmeticError, RecursionError, KeyError) as error:
        raise ValueError(f"the chat template cannot be used: {error}") from error
    if tool.name not in made or shown.text not in made:
        raise ValueError("the chat template leaves out the tool or the text")
    return made


def written(value: Any) -> str:
    """A value in the format."""
    match value:
        case str():
            return f"{ESCAPE}{value}{ESCAPE}"
        case Mapping():
            return "{" + ",".join(f"{key}:{written(value[key])}" for key in sorted(value)) + "}"
        case list() | tuple():
            return "[" + ",".join(map(written, value)) + "]"
    return json.dumps(value)


def read(text: str) -> list[tuple[str, dict[str, Any]]]:
    """The calls of an answer: names and arguments. Raises ValueError for anything but whole calls."""
    found, at = [], 0
    text = text.strip()
    while at < len(text):
        head = re.compile(rf"{START_CALL}\s*call:([\w.-]+)(?=\{{)").match(text, at)
        if head is None:
            raise ValueError(f"no call at {text[at : at + 40]!r}")
        arguments, at = _value(text, head.end(), 0)
        if not text.startswith(END_CALL, at):
            raise ValueError(f"the call of {head[1]} has no end")
        at += len(END_CALL)
        found.append((head[1], arguments))
    return found


def _value(text: str, at: int, depth: int) -> tuple[Any, int]:
    """A value and where it ends."""
    if depth > 32:
        raise ValueError("nested too deeply")
    if text.startswith(ESCAPE, at):
        end = text.index(ESCAPE, at + len(ESCAPE))
        return text[at + len(ESCAPE) : end], end + len(ESCAPE)
    if text[at : at + 1] == "[":
        return _list(text, at + 1, depth)
    if text[at : at + 1] == "{":
        return _object(text, at + 1, depth)
    bare = _BARE.match(text, at)
    if bare is None:
        raise ValueError(f"no value at {text[at : at + 40]!r}")
    return json.loads(bare[0]), bare.end()


def _list(text: str, at: int, depth: int) -> tuple[list[Any], int]:
    items: list[Any] = []
    while text[at : at + 1] != "]":
        if items:
            at = _after(",", text, at)
        item, at = _value(text, at, depth + 1)
        items.append(item)
    return items, at + 1


def _object(text: str, at: int, depth: int) -> tuple[dict[str, Any], int]:
    values: dict[str, Any] = {}
    while text[at : at + 1] != "}":
        if values:
            at = _after(",", text, at)
        colon = text.index(":", at)
        key = text[at:colon].strip()
        if not key or any(sign in key for sign in "{}[]<,"):
            raise ValueError(f"no name at {text[at : at + 40]!r}")
        values[key], at = _value(text, colon + 1, depth + 1)
    return values, at + 1


def _after(sign: str, text: str, at: int) -> int:
    if not text.startswith(sign, at):
        raise ValueError(f"{sign!r} is missing at {text[at : at + 40]!r}")
    return at + len(sign)


def _upper(schema: Any) -> Any:
    """A schema as it is declared: names of types in upper case, and none of JSON Schema's own machinery."""
    match schema:
        case Mapping():
            kept = {
                key: value for key, value in schema.items() if key not in ("additionalProperties", "$schema", "title")
            }
            return {
                key: value.upper() if key == "type" and isinstance(value, str) else _upper(value)
                for key, value in kept.items()
            }
        case list():
            return [_upper(each) for each in schema]
    return schema


def _cleaned(value: Any) -> Any:
    match value:
        case str():
            return clean(value)
        case dict():
            return {key: _cleaned(each) for key, each in value.items()}
        case list() | tuple():
            return [_cleaned(each) for each in value]
    return value
