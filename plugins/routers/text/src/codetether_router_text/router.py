"""The router: calls in the text of an answer become parts, and what a model without structured calls is told.

What reads text is loaded when there is some: an answer is asked for before that.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING
from uuid import uuid4

from attrs import evolve
from codetether import (
    CompletionResponse,
    Message,
    MessagePart,
    TextPart,
    ToolCallPart,
    ToolCallScanner,
    ToolDefinition,
)

if TYPE_CHECKING:
    from codetether_router_text.offers import Call, Offers
    from codetether_router_text.scanner import Found, Scanner

ANSWERED = frozenset(["stop", "tool_calls", "length", "unknown"])
"""An answer that a filter or a failure stopped asks for nothing."""


class TextRouter:
    """Deterministic: the same text gives the same calls, in whatever pieces it came.

    Args:
        lenient: nearly right calls are repaired.
        explains: models that make no structured calls are told of the tools in the prompt.
    """

    def __init__(self, lenient: bool = True, explains: bool = True) -> None:
        self._lenient = lenient
        self._explains = explains
        self._offers: Offers | None = None
        self._offered: Sequence[ToolDefinition] = ()

    async def reformat(self, response: CompletionResponse, offered: Sequence[ToolDefinition]) -> CompletionResponse:
        """The response with the calls of its text as parts; the very same object where there are none."""
        message = response.message
        if not offered or message.tool_calls or response.finish_reason not in ANSWERED:
            return response
        text = message.text
        if not text or not any(tool.name in text for tool in offered):
            return response
        from codetether_router_text.scanner import scanned

        offers = self._of(offered)
        parts: list[MessagePart] = []
        for part in message.parts:
            if isinstance(part, TextPart):
                parts += _rewritten(part, scanned(part.text, offers), response.finish_reason == "length")
            else:
                parts.append(part)
        if not any(isinstance(part, ToolCallPart) for part in parts):
            return response
        return evolve(response, message=evolve(message, parts=tuple(parts)), finish_reason="tool_calls")

    def scanner(self, offered: Sequence[ToolDefinition], native: bool) -> ToolCallScanner | None:
        """Shows the prose of one streamed answer."""
        return Screen(lambda: self._begun(offered)) if offered else None

    def _begun(self, offered: Sequence[ToolDefinition]) -> Scanner:
        from codetether_router_text.scanner import Scanner

        return Scanner(self._of(offered))

    def explanation(self, offered: Sequence[ToolDefinition]) -> str:
        """What a model that makes no structured calls is told of the tools; empty where it is told nothing."""
        if not self._explains or not offered:
            return ""
        from codetether_router_text.explanation import explained

        return explained(offered)

    def spoken(self, message: Message) -> Message:
        """The message as such a model is shown it: calls and results as text, in the format that it was told."""
        from codetether_router_text.explanation import spoken

        return spoken(message)

    def _of(self, offered: Sequence[ToolDefinition]) -> Offers:
        from codetether_router_text.offers import Offers

        if self._offers is None or self._offered != offered:
            self._offers, self._offered = Offers.of(offered, lenient=self._lenient), offered
        return self._offers


class Silent:
    """The router that is switched off."""

    async def reformat(self, response: CompletionResponse, offered: Sequence[ToolDefinition]) -> CompletionResponse:
        """The very same response."""
        return response

    def scanner(self, offered: Sequence[ToolDefinition], native: bool) -> ToolCallScanner | None:
        """None."""
        return None


class Screen:
    """What of a streamed answer a screen shows: the prose, without the white space around calls."""

    def __init__(self, begin: Callable[[], Scanner]) -> None:
        """`begin` makes the scanner when the first text is there."""
        self._begin = begin
        self._scanner: Scanner | None = None
        self._space = ""
        """White space that is shown only before more prose."""
        self._shown = False
        self._after_call = False
        self._called = False

    def feed(self, text: str) -> str:
        """The prose that can be shown by now."""
        if self._scanner is None:
            self._scanner = self._begin()
        return "".join(map(self._piece, self._scanner.feed(text)))

    def finish(self) -> str:
        """The prose that is left."""
        if self._scanner is None:
            return ""
        rest = "".join(map(self._piece, self._scanner.finish()))
        return rest if self._called else rest + self._space

    def _piece(self, piece: Found) -> str:
        if piece.calls:
            self._called = self._after_call = True
            self._space = ""
            return ""
        text = self._space + piece.text
        if self._after_call:
            text = text.lstrip()
        kept = text.rstrip()
        self._space = text[len(kept) :]
        if not kept:
            return ""
        between = "\n\n" if self._after_call and self._shown else ""
        self._shown, self._after_call = True, False
        return between + kept


def _rewritten(part: TextPart, found: Sequence[Found], is_cut: bool) -> list[MessagePart]:
    """A text and the calls that were taken out of it, each with what the model wrote; the part itself without calls.

    In an answer that was cut off at the output limit a call that only the end of the text ended is not whole.
    """
    from codetether_router_text.scanner import Found, prose

    found = [Found(piece.text) if is_cut and piece.cut else piece for piece in found]
    calls: list[MessagePart] = [_part(call, piece.text) for piece in found for call in piece.calls]
    if not calls:
        return [part]
    text = prose(found)
    kept = [evolve(part, text=text, written=part.text)] if text or part.provider_data else []
    return [*kept, *calls]


def _part(call: Call, written: str) -> ToolCallPart:
    arguments = json.dumps(call.arguments, ensure_ascii=False)
    if not arguments.isascii():
        try:
            arguments.encode()
        except UnicodeEncodeError:  # half of a surrogate pair, which no wire takes
            arguments = json.dumps(call.arguments)
    return ToolCallPart(id=f"fc_{uuid4().hex}", name=call.name, arguments=arguments, written=written)
