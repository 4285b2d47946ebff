"""Tool-call routers at work: what is shown while a response streams, and the response that they make of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import attrs
from attrs import field

from codetether.errors import PluginError
from codetether.models.completion import CompletionRequest, CompletionResponse
from codetether.models.messages import Message
from codetether.models.tools import ToolDefinition
from codetether.plugins.boundary import BROKEN, asked
from codetether.protocols import ToolCallRouter
from codetether.record.redact import Redactor
from codetether.values import frozen

HOOK = "codetether_tool_call_routers"


@frozen(kw_only=True)
class Routing:
    """The routers of a session. One that fails is as if it were not there; `failed(plugin, hook, error)` is told."""

    routers: Sequence[tuple[str, ToolCallRouter]]
    tools: tuple[ToolDefinition, ...]
    native_calls: bool
    failed: Callable[[str, str, BaseException], None]
    redactor: Redactor
    _texts: dict[int, tuple[Message, Message]] = field(factory=dict, eq=False, repr=False, alias="texts")

    def screen(self, show: Callable[[str], None]) -> Callable[[str | None], None]:
        """Takes the text of one response (None: its end), and shows what scanners and redactor let through."""
        scanners = self._scanners()
        redaction = None if self.redactor.empty else self.redactor.stream()

        def take(text: str | None) -> None:
            shown, ended = text or "", text is None
            for name, scanner in tuple(scanners):
                try:
                    shown = scanner.feed(shown) + (scanner.finish() if ended else "")
                except BROKEN as error:  # a router can never break a response: the text is shown without it
                    scanners.remove((name, scanner))
                    self.failed(name, HOOK, error)
            if redaction is not None:
                shown = redaction.feed(shown) + (redaction.finish() if ended else "")
            if shown:
                show(shown)

        return take

    def told(self, request: CompletionRequest) -> CompletionRequest:
        """The request as a model without structured calls is asked: the tools in the prompt, calls and results as text.

        The very same request where the model makes structured calls, or no router can tell it of the tools.
        """
        if self.native_calls or not self.tools:
            return request
        for name, router in self.routers:
            try:
                explanation = getattr(router, "explanation", None)  # a router may lack it
                text = explanation(self.tools) if explanation else ""
                if not isinstance(text, str):
                    raise PluginError(f"explanation() gave {type(text).__name__}, not text")
                messages = tuple(self._spoken(router, message) for message in request.messages) if text else ()
            except BROKEN as error:  # the tools are offered as to any model, and that is said
                self.failed(name, HOOK, error)
                continue
            if text:
                system = "\n\n".join(filter(None, (request.system, text)))
                return attrs.evolve(request, system=system, tools=(), messages=messages)
        return request

    def _spoken(self, router: Any, message: Message) -> Message:
        """The message without structured parts; the same object each time, so that a wire renders it once."""
        known = self._texts.get(id(message))
        if known is None or known[0] is not message:
            made = router.spoken(message)
            if not isinstance(made, Message):
                raise PluginError(f"spoken() gave {type(made).__name__}, not a message")
            known = self._texts[id(message)] = (message, made)
        return known[1]

    def _scanners(self) -> list[tuple[str, Any]]:
        scanners = []
        for name, router in self.routers if self.tools else ():
            try:
                scanner = getattr(router, "scanner", None)  # the one method that a router may lack
                made = scanner(self.tools, self.native_calls) if scanner else None
            except BROKEN as error:  # a router can never break a response
                self.failed(name, HOOK, error)
                continue
            if made is not None:
                scanners.append((name, made))
        return scanners

    async def reformat(self, response: CompletionResponse) -> CompletionResponse:
        """The response with described calls as structured ones."""
        for name, router in self.routers:
            if response.tool_calls or not self.tools or not response.message.text:
                break
            try:
                made = await asked(router.reformat, response, self.tools)
                if not isinstance(made, CompletionResponse):
                    raise PluginError(f"reformat() gave {type(made).__name__}, not a response")
            except BROKEN as error:  # a router can never break a response: the original stays
                self.failed(name, HOOK, error)
                continue
            response = made
        return response
