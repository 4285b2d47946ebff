"""Search engines: how each is asked, and how its answer reads."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

from attrs import field, frozen

from codetether_tools_web.failures import Refused
from codetether_tools_web.unseen import without_unseen

_TAG = re.compile(r"<[^>]{0,200}>")


@frozen(kw_only=True)
class Query:
    """What is searched for.

    Attributes:
        site: only on this host and those below it; empty for everywhere.
        key: the engine's key; empty where it needs none.
    """

    text: str
    count: int
    site: str = ""
    key: str = field(default="", repr=False)

    @property
    def worded(self) -> str:
        """The words as most engines understand them, with the site among them."""
        return f"site:{self.site} {self.text}" if self.site else self.text


@frozen(kw_only=True)
class Question:
    """The request that asks an engine: what stands behind its address, headers, and content to post."""

    parameters: Mapping[str, str | int] = field(factory=dict)
    headers: Mapping[str, str] = field(factory=dict)
    content: bytes | None = None


@frozen(kw_only=True)
class Hit:
    """One result."""

    title: str
    url: str
    text: str = ""


@frozen(kw_only=True)
class Engine:
    """A search engine.

    Attributes:
        url: where it is asked; empty where the user must say it (`search_url`).
        ask: the request for a query.
        read: the results in the text of an answer, best first. Raises Refused, or ValueError for what is no answer.
        key: the name of its key among the credentials; empty where it needs none.
        env: the variables that hold the key.
    """

    name: str
    url: str = ""
    ask: Callable[[Query], Question]
    read: Callable[[str], Sequence[Hit]]
    key: str = ""
    env: tuple[str, ...] = ()


def address(base: str, question: Question) -> str:
    """The engine's address with the question's parameters behind it."""
    return (
        f"{base}{'&' if urlsplit(base).query else '?'}{urlencode(question.parameters)}" if question.parameters else base
    )


def _read_duckduckgo(text: str) -> Sequence[Hit]:
    from bs4 import BeautifulSoup

    soup = BeautifulSoup(text, "lxml")
    hits = []
    for result in soup.find_all(class_="result"):
        link, words = result.find("a", class_="result__a"), result.find(class_="result__snippet")
        if link is None or "result--ad" in (result.get("class") or ()):
            continue
        if url := _behind(str(link.get("href") or "")):
            snippet = _line(words.get_text()) if words else ""
            hits.append(Hit(title=_line(link.get_text()), url=url, text=snippet))
    if not hits and soup.find(class_=re.compile("anomaly|challenge")):
        raise Refused(
            "DuckDuckGo wants to know whether a person is asking, and gives no results for now",
            remedy='The user may set an engine with a key: [plugins.web] search = "brave".',
        )
    if not hits and not soup.find(class_=re.compile("no-results|serp__results|results")):
        raise ValueError("no page of results")
    return hits


def _behind(link: str) -> str:
    """Where a link leads that goes through the engine's own counter; empty for an advertisement's."""
    parts = urlsplit(urljoin("https://duckduckgo.com/", link))
    if parts.hostname and parts.hostname.endswith("duckduckgo.com"):
        return parse_qs(parts.query).get("uddg", [""])[0] if parts.path.startswith("/l/") else ""
    return parts.geturl()


def _read_json(*path: str, text: str) -> Callable[[str], Sequence[Hit]]:
    """Reads the results that stand at `path` of a JSON answer, with their words under the name `text`."""

    def read(answer: str) -> Sequence[Hit]:
        found: Any = json.loads(answer)
        for name in path:
            found = found.get(name) if isinstance(found, dict) else None
        if found is None:
            return ()
        return [
            Hit(title=_line(str(hit.get("title") or "")), url=str(hit["url"]), text=_line(str(hit.get(text) or "")))
            for hit in found
            if isinstance(hit, dict) and hit.get("url")
        ]

    return read


def _line(text: str) -> str:
    return " ".join(without_unseen(unescape(_TAG.sub("", text))).split())


def _post_tavily(query: Query) -> Question:
    wish: dict[str, Any] = {"query": query.text, "max_results": query.count}
    if query.site:
        wish["include_domains"] = [query.site]
    headers = {"authorization": f"Bearer {query.key}", "content-type": "application/json"}
    return Question(headers=headers, content=json.dumps(wish).encode())


DUCKDUCKGO = Engine(
    name="duckduckgo",
    url="https://html.duckduckgo.com/html/",
    ask=lambda query: Question(parameters={"q": query.worded}, headers={"accept": "text/html"}),
    read=_read_duckduckgo,
)
BRAVE = Engine(
    name="brave",
    url="https://api.search.brave.com/res/v1/web/search",
    ask=lambda query: Question(
        parameters={"q": query.worded, "count": query.count},
        headers={"accept": "application/json", "x-subscription-token": query.key},
    ),
    read=_read_json("web", "results", text="description"),
    key="brave",
    env=("BRAVE_API_KEY", "BRAVE_SEARCH_API_KEY"),
)
TAVILY = Engine(
    name="tavily",
    url="https://api.tavily.com/search",
    ask=_post_tavily,
    read=_read_json("results", text="content"),
    key="tavily",
    env=("TAVILY_API_KEY",),
)
SEARXNG = Engine(
    name="searxng",
    ask=lambda query: Question(
        parameters={"q": query.worded, "format": "json"}, headers={"accept": "application/json"}
    ),
    read=_read_json("results", text="content"),
)
ENGINES: Mapping[str, Engine] = {engine.name: engine for engine in (DUCKDUCKGO, BRAVE, TAVILY, SEARXNG)}


def engine_named(name: str) -> Engine:
    """The engine of the settings: one of ours, or `module:NAME` of somebody else's. Raises Refused."""
    if name in ENGINES:
        return ENGINES[name]
    module, colon, attribute = name.partition(":")
    if not colon:
        raise Refused(
            f"there is no search engine {name!r}; there are: {', '.join(ENGINES)}",
            remedy="Set [plugins.web] search to one of them, or to module:ENGINE.",
        )
    from importlib import import_module

    try:
        found = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise Refused(f"the search engine {name} cannot be loaded: {error}") from error
    if not isinstance(found, Engine):
        raise Refused(f"{name} is {type(found).__name__}, not an Engine")
    return found
