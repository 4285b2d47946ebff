"""Answers of a given form: what is asked of the model, and whether what it wrote fits the schema."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson
from attrs import field

from codetether.errors import UsageError
from codetether.models.record import JSON
from codetether.plugins.contracts import validator
from codetether.values import frozen

AGAIN = 2
"""How often an answer that does not fit is asked for again."""
_FENCED = re.compile(r"```[\w-]*\n(.*?)\n?```", re.DOTALL)
_SHOWN = 5


@frozen(kw_only=True)
class Form:
    """The form that a prompt's answer shall have: a JSON schema. `Form.of` checks it."""

    schema: Mapping[str, JSON]
    _validator: Any = field(repr=False, eq=False)

    @classmethod
    def of(cls, schema: Mapping[str, JSON]) -> Form:
        """Raises UsageError for what is no JSON schema."""
        try:
            return cls(schema=schema, validator=validator(schema))
        except (ValueError, TypeError, AttributeError) as error:
            why = str(error).partition("\n")[0]
            raise UsageError(f"that is no JSON schema: {why}", remedy='e.g. {"type": "object", …}') from None

    @property
    def instruction(self) -> str:
        """What the system prompt says of it: also where the provider enforces it, so that the model knows."""
        schema = orjson.dumps(self.schema).decode()
        return (
            "When you are done, answer with one JSON value that fits this JSON schema, and with nothing else: no "
            f"explanation, no code fence.\n{schema}"
        )

    def read(self, text: str) -> tuple[JSON, str]:
        """The value that an answer holds, and why it does not fit (empty where it does), with the path that failed."""
        try:
            value = _value(text)
        except ValueError as error:
            return None, f"it is no JSON: {error}"
        faults = [f"{_path(e.instance_path)}: {e.message}" for e in self._validator.iter_errors(value)]
        more = f"; and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
        return value, "; ".join(faults[:_SHOWN]) + more

    @staticmethod
    def asked_again(why: str) -> str:
        """What the model is told when its answer does not fit."""
        return f"Your answer does not fit the JSON schema: {why}\nAnswer again, with the JSON value alone."


def _value(text: str) -> JSON:
    """The JSON value that the text is, or that its one code fence holds. Raises ValueError."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        fences = _FENCED.findall(text)
        if len(fences) != 1:
            raise ValueError(str(error)) from None
    return orjson.loads(fences[0])


def _path(steps: list[str | int]) -> str:
    return "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
