"""What a server asks the user: put to the person who can be asked, declined where there is nobody."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from attrs import frozen
from codetether import JSON, Person, Question, SessionContext, UsageError

from codetether_tools_mcp.servers import Server

if TYPE_CHECKING:
    from mcp.types import ElicitRequestParams, ElicitResult

DEADLINE = 300.0
"""Seconds that the user has for each answer."""
TRIES = 3
"""Answers to one question, where they do not fit."""
DECLINE, LEFT_OUT = "decline", "-"


class _Unanswered(Exception):
    """The user said nothing."""


async def elicited(server: Server, ctx: SessionContext, _: Any, params: ElicitRequestParams) -> ElicitResult:
    """What the user says: first whether at all, then each value that the server wants."""
    from mcp.types import ElicitRequestURLParams, ElicitResult

    if (person := ctx.person) is None:
        ctx.notice(f"MCP server {server.name} asked the user something; nobody can be asked here, so it was declined")
        return ElicitResult(action="decline")
    asks = f"MCP server {server.name} asks: {params.message}"
    try:
        if isinstance(params, ElicitRequestURLParams):
            said = await _said(
                person, f"{asks}\nIt wants you to open this page yourself: {params.url}", "opened", DECLINE
            )
            return ElicitResult(action="accept" if said == "opened" else "decline")
        schema = params.requested_schema
        fields = [Wanted.of(name, each, schema) for name, each in schema.get("properties", {}).items()]
        wants = f"\nIt wants: {', '.join(each.name for each in fields)}" if fields else ""
        if await _said(person, asks + wants, "answer", DECLINE) != "answer":
            return ElicitResult(action="decline")
        values = {each.name: await each.asked(person, server.name) for each in fields}
    except _Unanswered:
        return ElicitResult(action="cancel")
    return ElicitResult(action="accept", content={name: v for name, v in values.items() if v is not None})


async def _said(person: Person, text: str, *choices: str) -> str:
    answer = await person.ask(Question(text=text, choices=choices), DEADLINE)
    if answer is None:
        raise _Unanswered
    return answer.text.strip()


@frozen(kw_only=True)
class Wanted:
    """One value that a server wants: text, a number, a yes or no, one of some choices or several."""

    name: str
    schema: Mapping[str, Any]
    required: bool

    @classmethod
    def of(cls, name: str, schema: Mapping[str, Any], whole: Mapping[str, Any]) -> Wanted:
        """That of one property of the schema that the server sent."""
        return cls(name=name, schema=schema, required=name in whole.get("required", ()))

    async def asked(self, person: Person, server: str) -> Any:
        """What the user wrote, as the schema wants it; None for what is left out. Raises _Unanswered."""
        about = ": ".join(filter(None, (str(self.schema.get("title", self.name)), self.schema.get("description"))))
        text, problem = f"{server}: {about}{self._hint}", ""
        choices = (*self._choices, *([] if self.required else [LEFT_OUT])) if self._choices else ()
        for _ in range(TRIES):
            try:
                return self._read(await _said(person, problem + text, *choices))
            except UsageError as error:
                problem = f"{error.message}\n"
        raise _Unanswered

    @property
    def _hint(self) -> str:
        hints = ["several, with commas between them"] if self.schema.get("type") == "array" else []
        if "items" in self.schema:
            hints.append("of " + ", ".join(_choices(self.schema["items"])))
        if not self.required:
            default = self.schema.get("default", "nothing")
            shown = next((label for label, value in self._choices.items() if value == default), default)
            hints.append(f"`{LEFT_OUT}` for {shown}")
        return f" ({'; '.join(hints)})" if hints else ""

    @property
    def _choices(self) -> Mapping[str, Any]:
        return _choices(self.schema)

    def _read(self, text: str) -> JSON:
        import jsonschema_rs

        if text == LEFT_OUT and not self.required:
            return self.schema.get("default")
        try:
            value = _value(self.schema, text)
            jsonschema_rs.Draft202012Validator(dict(self.schema), retriever=_refused).validate(value)
        except (ValueError, jsonschema_rs.ValidationError) as error:
            raise UsageError(f"{text!r} does not fit: {getattr(error, 'message', error)}") from error
        return value


def _value(schema: Mapping[str, Any], text: str) -> JSON:
    match schema.get("type"):
        case "array":
            return [_value(schema.get("items", {}), each.strip()) for each in text.split(",") if each.strip()]
        case "integer" | "number" as kind:
            try:
                return int(text) if kind == "integer" else float(text)
            except ValueError:
                raise ValueError(f"it is no {kind}") from None
        case _:
            return _choices(schema).get(text, text)


def _choices(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """What there is to choose from, as it is shown."""
    if schema.get("type") == "boolean":
        return {"yes": True, "no": False}
    if values := schema.get("enum"):
        return dict(zip(map(str, schema.get("enumNames") or values), values, strict=False))
    return {
        str(each.get("title", each.get("const"))): each.get("const")
        for each in schema.get("oneOf") or schema.get("anyOf") or ()
    }


def _refused(uri: str) -> JSON:
    raise ValueError(f"{uri} is not fetched")
