"""Tells what a rollout's items say: they become messages, as one response of the model each."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from codetether import Fields, MessagePart, TextPart, ThinkingPart, ToolCallPart, Transcript, Usage

from codetether_format_codex.items import (
    INJECTED,
    KIND,
    Item,
    call_of,
    content_of,
    dumped,
    image_of,
    noted,
    output_of,
    roles_of,
    sum_of,
    usage_of,
)


class Telling:
    """Groups items into messages: reasoning, a text and the calls after it are one response of the model."""

    def __init__(self, talk: Transcript, provider: str, ends: Mapping[str, Fields]) -> None:
        self._talk = talk
        self._provider = provider
        self._ends = ends
        self._parts: list[MessagePart] = []
        self._at: datetime | None = None
        self._model = ""
        self._total = Usage()

    def tell(self, items: list[Item]) -> None:
        """All of them."""
        spoken = {role for item in items if not item.event for role in roles_of(item)}
        counted = any(item.kind == "token_count" and item.payload for item in items)
        for item in items:
            match item.kind:
                case "user_message" | "agent_message":
                    role = "user" if item.kind == "user_message" else "assistant"
                    if role not in spoken:
                        self._announced(item, role)
                case "token_count":
                    self._spend(item.payload.object("total_token_usage"), item.payload.object("last_token_usage"))
                case "tokens":
                    if not counted:
                        self._spend(item.payload.object("thread_token_usage"), item.payload.object("usage"))
                case _:
                    self._item(item)
        self._end()

    def _announced(self, item: Item, role: str) -> None:
        text = item.payload.text("message")
        images = [image_of(url) for url in item.payload.list("images") if isinstance(url, str)]
        if role == "assistant":
            self._say([TextPart(text=text)], item)
        elif not INJECTED.match(text):
            self._end()
            self._talk.user([*([TextPart(text=text)] if text else []), *images], item.at)

    def _item(self, item: Item) -> None:
        payload = item.payload
        match item.kind:
            case "message":
                self._message(item)
            case "reasoning":
                self._part(self._thought(payload), item)
            case "web_search_call" | "image_generation_call" | "tool_search_call" as kind if not payload.text(
                "call_id"
            ):
                self._ran_by_provider(kind.removesuffix("_call"), item)
            case kind if kind.endswith("_call"):
                self._part(call_of(kind, payload, self._provider), item)
            case kind if kind.endswith("_output"):
                self._result(item)
            case kind:
                self._talk.lose(f"items of the unknown type {kind[:60]!r}")

    def _message(self, item: Item) -> None:
        role, content = item.payload.text("role"), list(content_of(item.payload))
        kept = [part for part, injected in content if not injected and part is not None]
        if lost := sum(part is None for part, _ in content):
            self._talk.lose("pieces of messages of an unknown kind", lost)
        if role == "assistant":
            note = {k: item.payload.get(k) for k in ("id", "phase") if item.payload.text(k)}
            self._say([noted(part, self._provider, note) for part in kept], item)
        elif role == "user":
            if kept or not content:
                self._end()
                self._talk.user(kept, item.at)
            if any(injected for _, injected in content):
                self._talk.lose("messages that Codex itself put in (instructions, environment)")
        else:
            self._talk.lose("messages that Codex itself put in (instructions, environment)")

    def _say(self, parts: list[MessagePart], item: Item) -> None:
        """A text begins another response where this one has its text."""
        if any(isinstance(part, TextPart) for part in self._parts):
            self._end()
        self._at, self._model = self._at or item.at, item.model
        self._parts += parts

    def _part(self, part: MessagePart, item: Item) -> None:
        self._at, self._model = self._at or item.at, item.model
        self._parts.append(part)

    def _thought(self, payload: Fields) -> ThinkingPart:
        texts = [t.text("text") for name in ("summary", "content") for t in payload.objects(name) if t.text("text")]
        kept = {k: payload.get(k) for k in ("type", "id", "summary", "content", "encrypted_content") if k in payload}
        sealed = {self._provider: {"item": kept}} if payload.text("encrypted_content") else {}
        return ThinkingPart(text="\n\n".join(texts), provider_data=sealed)

    def _ran_by_provider(self, name: str, item: Item) -> None:
        """What the provider ran itself: the session may hold its result, or only that it was done."""
        id_ = item.payload.text("id") or f"{name}_{len(self._parts)}"
        action = item.payload.get("action") or {"query": item.payload.text("query", "revised_prompt")}
        self._part(ToolCallPart(id=id_, name=name, arguments=dumped(action), extra={KIND: f"{name}_call"}), item)
        self._end()
        picture = item.payload.text("result")
        if picture and (image := image_of(f"data:image/png;base64,{picture}")) is not None:
            self._talk.result(id_, [image], item.at)

    def _result(self, item: Item) -> None:
        self._end()
        call_id = item.payload.text("call_id", "id")
        content, success = output_of(item.payload.get("output"))
        ended = self._ends.get(call_id, Fields(None))
        if "exit_code" in ended and isinstance(ended.get("exit_code"), int):
            success = ended.get("exit_code") == 0
        elif ended.text("status") in ("failed", "declined") or ended.get("success") is False:
            success = False
        if item.ours.get("success") is False:
            success = False
        took = ended.object("duration")
        duration = took.count("secs") * 1000 + took.count("nanos") / 1e6 or float(item.ours.count("duration_ms"))
        self._talk.result(call_id, content, item.at, success=success, duration_ms=duration)

    def _spend(self, total: Fields, last: Fields) -> None:
        """Totals are cumulative: what is more than before was spent by the response before."""
        if not total and not last:
            return
        self._end()
        now = usage_of(total) if total else sum_of(self._total, usage_of(last), 1)
        more = sum_of(now, self._total, -1)
        if more is None:  # counted from the start again: after a resumption, in some versions
            more = usage_of(last) if last else now
        self._total = now or Usage()
        self._talk.spend(more)

    def _end(self) -> None:
        """The response is whole."""
        if self._parts or self._at:
            provider = self._provider if self._model else None
            self._talk.assistant(self._parts, self._at, provider=provider, model=self._model or None)
        self._parts, self._at = [], None
