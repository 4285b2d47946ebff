"""What a user and a site decide about the web tools: `[plugins.web]`."""

from __future__ import annotations

import re
from typing import Any

from attrs import Attribute, field, frozen

_PLACE = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9_.-]+):[0-9]{1,5}")


def _places(_: Any, attribute: Attribute[Any], value: tuple[str, ...]) -> None:
    for place in value:
        if not _PLACE.fullmatch(place):
            raise ValueError(f'holds {place!r}, not "host:port" in lower case')


def _positive(_: Any, attribute: Attribute[Any], value: int) -> None:
    if value < 1:
        raise ValueError(f"is the number {value}, not 1 or more")


@frozen(kw_only=True)
class WebSettings:
    """`[plugins.web]`.

    Attributes:
        allow_private: `host:port` of servers that may be reached though they are not public, e.g. `localhost:8000`.
        proxy: the HTTP proxy to go through, `http://host:port`; the environment's is not used.
        max_bytes: of a page, unpacked; what follows is left out, and that is said.
        search: the search engine: duckduckgo, brave, tavily, searxng, or `module:ENGINE` of one's own.
        search_url: where that engine is, in place of its usual address.
    """

    allow_private: tuple[str, ...] = field(default=(), validator=_places)
    proxy: str = ""
    max_bytes: int = field(default=5_000_000, validator=_positive)
    search: str = "duckduckgo"
    search_url: str = ""
