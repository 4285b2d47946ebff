"""The items of a rollout: what was said and done, and the parts that are made of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from attrs import define
from codetether import Fields, ImagePart, MessagePart, TextPart, ToolCallPart, Usage, data_url

KIND = "codex_item"
"""Under which a part remembers of which kind its item was, where that is no plain function call."""
OURS = "codetether"
"""Under which a line that we wrote keeps what Codex has no place for."""
CLOSED = "closed_by_import"
INJECTED = re.compile(
    r"\s*(# AGENTS\.md instructions|<(environment_context|INSTRUCTIONS|user_instructions|permissions instructions"
    r"|turn_aborted|skills_instructions|skill|collaboration_mode|subagent_notification|apps_instructions)\b)"
)
_COUNTS = (
    ("input_tokens", ("input_tokens",)),
    ("output_tokens", ("output_tokens",)),
    ("cache_read_tokens", ("cached_input_tokens", "cache_read_input_tokens")),
    ("cache_write_tokens", ("cache_write_input_tokens",)),
    ("reasoning_tokens", ("reasoning_output_tokens",)),
)


@define(kw_only=True)
class Item:
    """Something that was said or done; `event`: it only announces what another record may hold too."""

    kind: str
    at: datetime | None
    payload: Fields
    model: str
    ours: Fields
    event: bool = False

    @property
    def totals(self) -> bool:
        """Whether it counts all tokens so far."""
        return bool(self.payload.object("total_token_usage") or self.payload.object("thread_token_usage"))


def roles_of(item: Item) -> Iterator[str]:
    if item.kind == "message" and any(not injected for _, injected in content_of(item.payload)):
        yield item.payload.text("role")


def content_of(payload: Fields) -> Iterator[tuple[TextPart | ImagePart | None, bool]]:
    """The pieces of a message, each with whether Codex put it in; None is one of an unknown kind."""
    if isinstance(text := payload.get("content"), str):
        yield TextPart(text=text), bool(INJECTED.match(text))
        return
    kinds = payload.object("internal_chat_message_metadata_passthrough").list("content_item_kinds")
    for number, piece in enumerate(payload.list("content")):
        part = _piece(piece)
        kind = kinds[number] if number < len(kinds) and payload.text("role") == "user" else None
        put_in = isinstance(kind, str) and kind != "unknown" and not kind.startswith("user")
        text = part.text if isinstance(part, TextPart) else ""
        yield part, put_in or (payload.text("role") == "user" and bool(INJECTED.match(text)))


def _piece(piece: Any) -> TextPart | ImagePart | None:
    if isinstance(piece, str):
        return TextPart(text=piece)
    found = Fields(piece)
    if isinstance(found.get("text"), str):
        return TextPart(text=found.get("text"))
    url = found.text("image_url") or found.object("image_url").text("url")
    return image_of(url) if url else None


def image_of(url: str) -> ImagePart:
    held = data_url(url)
    if held is None:
        return ImagePart(media_type="image/*", url=url)
    return ImagePart(media_type=held[0], data=held[1])


def noted(part: MessagePart, provider: str, note: dict[str, Any]) -> MessagePart:
    return TextPart(text=part.text, provider_data={provider: note}) if note and isinstance(part, TextPart) else part


def call_of(kind: str, payload: Fields, provider: str) -> ToolCallPart:
    """A call of any kind; what is no function's arguments is put into an object."""
    name = payload.text("name") or kind.removesuffix("_call")
    given = payload.get("arguments")
    if kind == "custom_tool_call":
        given = {"input": payload.get("input") if "input" in payload else ""}
    elif kind == "local_shell_call":
        given = payload.get("action")
    elif given is None and "input" in payload:
        given = payload.get("input")
    arguments = given if isinstance(given, str) and given.strip() else dumped({} if given in (None, "") else given)
    extra = {} if kind == "function_call" else {KIND: kind}
    note = {"id": payload.text("id")} if payload.text("id") and kind == "function_call" else {}
    return ToolCallPart(
        id=payload.text("call_id", "id"),
        name=name,
        arguments=arguments,
        provider_data={provider: note} if note else {},
        extra=extra,
    )


def dumped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def output_of(output: Any) -> tuple[list[Any], bool]:
    """What a tool answered, and whether it says that it succeeded."""
    if isinstance(output, str):
        return [TextPart(text=output)], _exit_code(output) in (None, 0)
    if isinstance(output, dict):
        inner, found = Fields(output), output.get("content", output.get("output"))
        content, success = (
            output_of(found) if isinstance(found, str | list) else ([TextPart(text=dumped(output))], True)
        )
        return content, success and inner.get("success") is not False
    if isinstance(output, list):
        return [part for piece in output if (part := _piece(piece)) is not None], True
    return [], True


def _exit_code(output: str) -> int | None:
    """The exit code where the output is the object that older versions gave."""
    if not (output.startswith("{") and '"exit_code"' in output):
        return None
    try:
        code = Fields(json.loads(output)).object("metadata").get("exit_code")
    except (ValueError, RecursionError):
        return None
    return code if isinstance(code, int) else None


def usage_of(counts: Fields) -> Usage:
    return Usage(**{name: counts.count(*theirs) for name, theirs in _COUNTS})  # type: ignore[arg-type]


def sum_of(one: Usage, other: Usage, sign: int) -> Any:
    """One plus or minus the other; None where that would be less than nothing."""
    made = {name: getattr(one, name) + sign * getattr(other, name) for name, _ in _COUNTS}
    return None if min(made.values()) < 0 else Usage(**made)
