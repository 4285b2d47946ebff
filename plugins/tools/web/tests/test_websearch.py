"""Stories about websearch: each engine as a server on loopback that speaks as it does."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import pytest
from codetether import Secret
from codetether_tools_web.engines import Engine, Hit, Query, Question

from .conftest import Context, Make, Site, answer

DUCKDUCKGO = """\
<div id="links" class="results">
 <div class="result results_links results_links_deep result--ad"><h2 class="result__title">
  <a class="result__a" href="https://duckduckgo.com/y.js?ad_domain=shop.example">Buy now</a></h2></div>
 <div class="result results_links results_links_deep web-result"><h2 class="result__title">
  <a rel="nofollow" class="result__a"
   href="//duckduckgo.com/l/?uddg=https%3A%2F%2Fdocs.example%2Fa%3Fb%3D1%26c%3D2&amp;rut=0f">
   The <b>first</b> &amp; best</a></h2>
  <a class="result__snippet" href="#">Words   of the <b>first</b> page.</a></div>
 <div class="result results_links web-result"><a class="result__a" href="https://two.example/">Second</a></div>
</div>"""
FOUND = """\
duckduckgo: site:docs.example first page

1. The first & best
   https://docs.example/a?b=1&c=2
   Words of the first page.

2. Second
   https://two.example/"""

KEEP_ONE = "The user keeps one: codetether auth login brave, or BRAVE_API_KEY or BRAVE_SEARCH_API_KEY."
SET_ONE = "Set [plugins.web] search to one of them, or to module:ENGINE."


class Keys:
    """Credentials that hold one key."""

    def __init__(self, key: str = "") -> None:
        self._key = key
        self.asked: list[tuple[str, Sequence[str]]] = []

    async def get(self, provider: str, names: Sequence[str] = ()) -> Secret | None:
        """The key, whoever it is for."""
        self.asked.append((provider, names))
        return Secret(values={"api_key": self._key}) if self._key else None


async def test_duckduckgo_needs_no_key(site: Site, bench: Make) -> None:
    site.pages["/html/"] = answer(DUCKDUCKGO.encode())
    tools = bench(search_url=site.url("/html/"))
    result = await tools.search("first  page", site="docs.example", count=5)
    assert (result.success, result.output, site.paths) == (
        True,
        FOUND,
        ["/html/?q=site%3adocs.example+first+page"],
    )
    assert (await tools.search("first page", count=1)).metadata["results"] == 1


async def test_duckduckgo_without_results(site: Site, bench: Make) -> None:
    tools = bench(search_url=site.url("/"))
    said = {}
    for name, page in {
        "none": '<div class="no-results">No results.</div>',
        "doubt": '<form id="challenge-form"><div class="anomaly-modal__title">Are you human?</div></form>',
        "other": "<h1>Hello</h1>",
    }.items():
        site.pages["/"] = answer(page.encode())
        result = await tools.search("x")
        said[name] = (result.success, result.output.partition(",")[0])
    assert said == {
        "none": (True, "duckduckgo found nothing for: x"),
        "doubt": (False, "Error: DuckDuckGo wants to know whether a person is asking"),
        "other": (False, "Error: duckduckgo gave something else than results: no page of results"),
    }


@pytest.mark.parametrize(
    ("engine", "found", "sent"),
    [
        (
            "brave",
            {"web": {"results": [{"title": "A <b>b</b>", "url": "https://a.example/", "description": "x &amp; y"}]}},
            ("x-subscription-token: canary-key\r\n", "/?q=site%3adocs.example+words&count=3", b""),
        ),
        (
            "tavily",
            {"results": [{"title": "A b", "url": "https://a.example/", "content": "x & y"}, {"title": "no address"}]},
            (
                "authorization: bearer canary-key\r\n",
                "/",
                b'{"query": "words", "max_results": 3, "include_domains": ["docs.example"]}',
            ),
        ),
        (
            "searxng",
            {"results": [{"title": "A b", "url": "https://a.example/", "content": "x & y"}]},
            ("accept: application/json\r\n", "/?q=site%3adocs.example+words&format=json", b""),
        ),
    ],
)
async def test_engines_that_answer_in_json(
    site: Site, bench: Make, engine: str, found: Any, sent: tuple[str, str, bytes]
) -> None:
    site.pages["/"] = answer(json.dumps(found).encode(), "application/json")
    tools = bench(search=engine, search_url=site.url("/"))
    keys = Keys("canary-key")
    cast(Context, tools.context).credentials = keys
    result = await tools.search("words", site="docs.example", count=3)
    rows = ["", "1. A b", "   https://a.example/", "   x & y"]
    assert (result.success, result.output.splitlines()[1:]) == (True, rows)
    header, path, body = sent
    assert header in site.heads[0]
    assert (site.paths, site.playback.requests) == ([path], [body])
    assert [name for name, _ in keys.asked] == ([] if engine == "searxng" else [engine])
    assert "canary-key" not in tools.tools["websearch"].resources(*tools.prepared("websearch", query="x")).preview


async def test_what_stands_against_a_search_is_said(site: Site, bench: Make) -> None:
    keyed = bench(search="brave", search_url=site.url("/"))
    cast(Context, keyed.context).credentials = Keys()
    without = await keyed.search("x")
    cast(Context, keyed.context).credentials = Keys("wrong")
    site.pages["/"] = answer(b'{"error": "no such key"}', "application/json", 401)
    wrong = await keyed.search("x")
    site.pages["/"] = answer(b"<h1>down</h1>", status=200)
    broken = await keyed.search("x")
    nowhere = await bench(search="searxng").search("x")
    unknown = await bench(search="altavista").search("x")
    absent = await bench(search="no_such_module:ENGINE").search("x")
    engines = "duckduckgo, brave, tavily, searxng"
    assert [" ".join(each.output.split()) for each in (without, wrong, nowhere, unknown, absent)] == [
        f"Error: there is no key for brave {KEEP_ONE}",
        'Error: brave answers 401 Unauthorized: {"error": "no such key"} The user should look at its key.',
        'Error: nobody said where searxng is The user sets it: [plugins.web] search_url = "…".',
        f"Error: there is no search engine 'altavista'; there are: {engines} {SET_ONE}",
        "Error: the search engine no_such_module:ENGINE cannot be loaded: No module named 'no_such_module'",
    ]
    assert broken.output.startswith("Error: brave gave something else than results: ")


async def test_somebody_elses_engine(site: Site, bench: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def ask(query: Query) -> Question:
        return Question(parameters={"words": query.text})

    def read(text: str) -> Sequence[Hit]:
        return [Hit(title=line, url=f"https://{line}.example/") for line in text.split()]

    module = ModuleType("plain_engine")
    module.ENGINE = Engine(name="plain", url=site.url("/"), ask=ask, read=read)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "plain_engine", module)
    site.pages["/"] = answer(b"one two", "text/plain")
    result = await bench(site, search="plain_engine:ENGINE").search("hello you")
    assert (result.output, site.paths) == (
        "plain: hello you\n\n1. one\n   https://one.example/\n\n2. two\n   https://two.example/",
        ["/?words=hello+you"],
    )


async def test_the_engine_is_asked_only_where_the_rules_allow_its_host(site: Site, bench: Make) -> None:
    tools = bench(allow=("network(docs.example)",), search_url=site.url("/"))
    result = await tools.search("x")
    assert (result.output, site.heads) == ("Error: websearch was denied (mode edit: network asks)", [])
