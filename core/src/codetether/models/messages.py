"""Messages: who said what, in parts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Literal

from attrs import field

from codetether.models.record import JSON, Record, Unknown
from codetether.values import frozen

Role = Literal["user", "assistant", "tool"]


@frozen(kw_only=True)
class Part(Record):
    """One piece of a message.

    Attributes:
        provider_data: what the provider must be given back with this part (signatures, encrypted
            reasoning), under the provider's name; dropped when another provider is asked.
    """

    provider_data: Mapping[str, JSON] = field(factory=dict, repr=False)


@frozen(kw_only=True)
class TextPart(Part):
    """Visible text. `written` holds what the model really wrote when a router took calls out of it."""

    text: str
    written: str | None = None


@frozen(kw_only=True)
class ThinkingPart(Part):
    """Readable reasoning; empty text with `provider_data` is redacted or encrypted reasoning."""

    text: str = ""


@frozen(kw_only=True)
class RefusalPart(Part):
    """Text by which the model refuses, where the wire tells it apart."""

    text: str


@frozen(kw_only=True)
class ImagePart(Part):
    """An image: `data` (bytes) or `url`, with its media type, e.g. `image/png`."""

    media_type: str
    data: bytes | None = None
    url: str | None = None


@frozen(kw_only=True)
class FilePart(Part):
    """A file that is no image: `data` (bytes) or `url`, with its media type and name."""

    media_type: str
    name: str = ""
    data: bytes | None = None
    url: str | None = None


@frozen(kw_only=True)
class ToolCallPart(Part):
    """The model asks for a tool.

    Attributes:
        id: pairs the call with its result; unique within a session once recorded.
        arguments: the JSON text as the model wrote it, checked only by dispatch.
        written: what the model really wrote, when a router made the call out of text.
    """

    id: str
    name: str
    arguments: str
    written: str | None = None


@frozen(kw_only=True)
class ToolResultPart(Part):
    """A tool's answer; `success` is a flag of its own, never guessed from the text."""

    tool_call_id: str
    name: str
    content: tuple[TextPart | ImagePart | FilePart | Unknown, ...] = ()
    success: bool

    @property
    def text(self) -> str:
        """The text parts joined by newlines."""
        return "\n".join(p.text for p in self.content if isinstance(p, TextPart))


MessagePart = TextPart | ThinkingPart | RefusalPart | ImagePart | FilePart | ToolCallPart | ToolResultPart | Unknown


@frozen(kw_only=True)
class Message(Record):
    """One message.

    Attributes:
        provider: who wrote an assistant message, so that `provider_data` goes back to nobody else.
        model: the model's id, of an assistant message.
        created_at: UTC; None for one that is not recorded yet.
    """

    role: Role
    parts: tuple[MessagePart, ...]
    provider: str | None = None
    model: str | None = None
    created_at: datetime | None = None

    @property
    def text(self) -> str:
        """The text parts joined by newlines, empty ones left out."""
        return "\n".join(p.text for p in self.parts if isinstance(p, TextPart) and p.text)

    @property
    def tool_calls(self) -> tuple[ToolCallPart, ...]:
        """The tool calls in the order the model made them."""
        return tuple(p for p in self.parts if isinstance(p, ToolCallPart))


def user(text: str, parts: Iterable[MessagePart] = ()) -> Message:
    """A user's message: the text, then images and files."""
    return Message(role="user", parts=(TextPart(text=text), *parts))
