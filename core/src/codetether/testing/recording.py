"""A recorded exchange with a provider, and what a wire must explain of itself to be tried on such."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import orjson
from attrs import frozen

from codetether.models.completion import CompletionRequest
from codetether.models.messages import Message
from codetether.models.record import JSON

GROUP = "codetether.recordings"
"""Entry points that tell how to read an `api`: its name -> a Dialect, or an Exchange where it completes nothing."""


@frozen(kw_only=True)
class Recording:
    """One exchange, as its file tells it.

    Attributes:
        api: the wire format, e.g. `openai-chat`. provider: who answered.
        method, url: as they were asked; the url is empty where it is unknown.
        body: the request's body as a real client wrote it, None where it is unknown.
        answer: the bytes of the response's body.
        sizes: lengths of the pieces in which they came; empty where nobody noted them.
        expect: what a correct client reports.
    """

    id: str
    api: str
    provider: str
    body: JSON
    status: int
    headers: Mapping[str, str]
    answer: bytes
    sizes: tuple[int, ...]
    expect: Mapping[str, JSON]
    method: str = "POST"
    url: str = ""

    @property
    def name(self) -> str:
        """`api/id`."""
        return f"{self.api}/{self.id}"

    def pieces(self, way: str) -> list[bytes]:
        """The answer `whole`, in `bytes`, or in the `recorded` pieces (empty list: none were noted)."""
        match way:
            case "whole":
                return [self.answer]
            case "bytes":
                return [self.answer[i : i + 1] for i in range(len(self.answer))]
            case "recorded":
                return list(_cut(self.answer, self.sizes))
            case _:
                raise ValueError(f"no way {way!r}: there are whole, bytes, recorded")


def _cut(data: bytes, sizes: Iterable[int]) -> Iterator[bytes]:
    start = 0
    for size in sizes:
        yield data[start : start + size]
        start += size
    if start and start < len(data):
        yield data[start:]


def read(path: Path) -> Recording:
    """The recording in a file. Raises ValueError or KeyError for a file of another shape."""
    data = orjson.loads(path.read_bytes())
    request, response = data.get("request") or {}, data["response"]
    return Recording(
        id=data["id"],
        api=data["api"],
        provider=data["provider"],
        body=request.get("body"),
        status=response["status"],
        headers=response.get("headers") or {},
        answer=_answer(response),
        sizes=tuple(response.get("chunk_sizes") or ()),
        expect=data["expect"],
        method=request.get("method") or "POST",
        url=request.get("url") or "",
    )


def _answer(response: Mapping[str, Any]) -> bytes:
    if "sse" in response:
        sse: str = response["sse"]
        return b64decode(sse) if response.get("sse_encoding") == "base64" else sse.encode()
    body = response.get("body")
    if response.get("body_is_text") or isinstance(body, str):
        return str(body).encode()
    return orjson.dumps(body)


class Dialect(Protocol):
    """How requests and usage are written on a wire. It reads what clients sent; the wire itself writes."""

    @property
    def wire(self) -> str:
        """The wire that speaks it."""
        ...

    def provider(self, recorded: str) -> str:
        """The name that codetether gives the provider that a recording names."""
        ...

    def request(self, body: JSON, provider: str) -> CompletionRequest:
        """The conversation in a request's body."""
        ...

    def meaning(self, body: JSON) -> Mapping[str, JSON]:
        """What a body says, without the freedom that clients have in saying it: equal where they mean the same."""
        ...

    def not_modelled(self, body: JSON) -> Iterable[str]:
        """The names of the fields in a body that a CompletionRequest has no room for."""
        ...

    def usage(self, raw: Mapping[str, JSON]) -> Mapping[str, int | None]:
        """`input`, `output`, `cached`, `cache_write`, `reasoning` as the provider counts them; None: not said."""
        ...


@runtime_checkable
class Signed(Protocol):
    """What a Dialect has besides where thoughts come with signatures that must go back with them."""

    def signatures(self, message: Message) -> Sequence[str]:
        """The SHA-256 of each signature in an answer, in order, as hexadecimal digits."""
        ...


@runtime_checkable
class Exchange(Protocol):
    """How an api is asked that completes nothing: signing in, lists of models."""

    async def exchange(self, recording: Recording, base_url: str) -> None:
        """Asks the server at `base_url` what was asked in the recording, and reads the answer to its end.

        Raises ProviderError for what the answer says went wrong, with its words in `details`.
        """
