"""An assistant's message becomes the items that it was made of, as far as the server takes them back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any

from codetether import JSON, Message, MessagePart, RefusalPart, TextPart, ThinkingPart, ToolCallPart

from codetether_provider_responses.quirks import Quirks

_LONGEST_ID = 64
"""Servers refuse longer ids, although some give them."""


def call_id(id_: str) -> str:
    """A call's id as it is sent: that of another provider may be too long."""
    return id_ if len(id_) <= _LONGEST_ID else f"call_{sha256(id_.encode('utf-8', 'replace')).hexdigest()[:40]}"


def echoed(message: Message, provider: str, quirks: Quirks) -> list[dict[str, JSON]]:
    """The items of a message. What another provider wrote keeps its texts and calls alone."""
    whole = _Echo(message, provider, quirks, ids=quirks.echo_ids and quirks.echo_thinking)
    if not whole.dropped:
        return whole.items
    return _Echo(message, provider, quirks, ids=False).items  # an item's id asks for the reasoning before it


class _Echo:
    """The items of one message."""

    def __init__(self, message: Message, provider: str, quirks: Quirks, *, ids: bool) -> None:
        self._provider = provider if message.provider == provider else ""
        self._quirks = quirks
        self._ids: set[str] | None = set() if ids else None
        self.dropped = False
        self._answered = _answered(self._note(part) for part in message.parts)
        self._texts: list[TextPart | RefusalPart] = []
        self.items: list[dict[str, JSON]] = []
        for part in message.parts:
            self._take(part)
        self._say()
        if self.items and self.items[-1]["type"] == "reasoning":
            self._drop_reasoning()

    def _take(self, part: MessagePart) -> None:
        match part:
            case TextPart() | RefusalPart():
                if self._texts and self._note(self._texts[-1]) != self._note(part):
                    self._say()
                self._texts.append(part)
            case ToolCallPart():
                self._say()
                own = self._note(part)
                call = {"call_id": call_id(part.id), "name": part.name, "arguments": part.arguments or "{}"}
                extra = {k: v for k, v in own.items() if k != "id"}
                self.items.append({"type": "function_call", **self._id(own), **call, **extra})
            case ThinkingPart():
                self._say()
                item = self._note(part).get("item")
                if isinstance(item, Mapping):
                    self._return(item)
            case _:
                self._say()

    def _note(self, part: Any) -> Mapping[str, JSON]:
        """What the parser noted for this provider."""
        own = getattr(part, "provider_data", {}).get(self._provider)
        return own if isinstance(own, Mapping) else {}

    def _id(self, own: Mapping[str, JSON]) -> dict[str, JSON]:
        """The item's id, where the server gave one that it takes back, and only once."""
        id_ = own.get("id")
        if self._ids is None or not isinstance(id_, str) or len(id_) > _LONGEST_ID or id_ in self._ids:
            return {}
        self._ids.add(id_)
        return {"id": id_}

    def _say(self) -> None:
        """The texts of one message."""
        texts, self._texts = self._texts, []
        if not texts:
            return
        if not any(part.text for part in texts):
            self._drop_reasoning()
            return
        own = self._note(texts[0])
        message: dict[str, JSON] = {"type": "message", "role": "assistant"}
        if id_ := self._id(own):
            content = [{"type": "output_text", "text": part.text, "annotations": []} for part in texts if part.text]
            message |= {**id_, "status": "completed", "content": content}
        else:  # without its id, a message is taken as text alone
            message["content"] = "".join(part.text for part in texts)
        if phase := own.get("phase"):
            message["phase"] = phase
        self.items.append(message)

    def _return(self, item: Mapping[str, JSON]) -> None:
        """An item as it came: reasoning, or what the server ran itself."""
        reasoning = item.get("type") == "reasoning"
        if reasoning and not (self._quirks.echo_thinking and self._can_be_read(item)):
            self.dropped = True
            return
        if not reasoning and not self._is_settled(item):
            self._drop_reasoning()
            return
        id_ = self._id(item)
        if item.get("id") and not (id_ or reasoning):  # only reasoning is taken without its id
            self._drop_reasoning()
            return
        rest = {k: v for k, v in item.items() if k != "id" and v is not None and not (reasoning and v == [])}
        if reasoning:
            rest["summary"] = item.get("summary") or []
        self.items.append({**id_, **rest})

    def _can_be_read(self, reasoning: Mapping[str, JSON]) -> bool:
        """Reasoning that is there in its id alone lies with a server that stores it, or nowhere."""
        return bool(self._quirks.store is not False or reasoning.get("encrypted_content") or reasoning.get("content"))

    def _is_settled(self, item: Mapping[str, JSON]) -> bool:
        """Whether nothing is owed for it: a call that the client should have run needs its output beside it."""
        if item.get("type") == "mcp_approval_request" or item.get("status") in ("in_progress", "incomplete"):
            return False
        call = item.get("call_id")
        return call is None or (isinstance(call, str) and call in self._answered)

    def _drop_reasoning(self) -> None:
        """Reasoning whose following item is not sent would be refused."""
        self.dropped = True
        while self.items and self.items[-1]["type"] == "reasoning":
            self.items.pop()


def _answered(notes: Iterable[Mapping[str, JSON]]) -> set[JSON]:
    """The calls for which both the call and its output stand in the same message."""
    found: dict[bool, set[JSON]] = {True: set(), False: set()}
    for note in notes:
        item = note.get("item")
        if isinstance(item, Mapping) and isinstance(item.get("call_id"), str):
            found[str(item.get("type")).endswith("_output")].add(item["call_id"])
    return found[True] & found[False]
