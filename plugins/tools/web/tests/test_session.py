"""Stories about the web tools within a session: nothing leaves that nobody allowed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from codetether.testing.scripted import Call
from codetether.testing.sessions import heard, opened, results
from codetether_tools_web import plugin

from .conftest import Site, answer, moved


async def test_I01_what_was_read_is_not_sent(site: Site, tmp_path: Path) -> None:
    """An obedient model puts what it read into an address, a host and a search."""
    calls = [
        Call("webfetch", {"url": site.url("/?d=canary")}),
        Call("webfetch", {"url": "http://canary.docs.example/"}),
        Call("websearch", {"query": "canary"}),
    ]
    settings = {"plugins": {"only": ["web"], "web": {"allow_private": [site.place], "search_url": site.url("/search")}}}
    async with opened(calls, "done", settings=settings, directory=tmp_path) as (session, _):
        events = await heard(session)
        said = results(session)
    assert [success for _, success, _ in said] == [False, False, False]
    assert all("Nobody can be asked here." in text for _, _, text in said)
    assert site.heads == []
    assert events[-1].status == "denied"  # type: ignore[union-attr]


async def test_a_redirect_in_a_session_is_judged_and_recorded(site: Site, other: Site, tmp_path: Path) -> None:
    site.pages["/"], other.pages["/"] = moved(other.url()), answer(b"there", "text/plain")
    settings = {"plugins": {"only": ["web"], "web": {"allow_private": [site.place, other.place]}}}
    said = []
    for allow in [(f"network({site.place})",), (f"network({site.place})", f"webfetch({other.place})")]:
        script = [Call("webfetch", {"url": site.url()})], "done"
        how = {"settings": settings, "directory": tmp_path, "allow": allow}
        async with opened(*script, **how) as (session, _):  # type: ignore[arg-type]
            await heard(session)
            said += results(session)
    why = f"{other.place} was denied (reaching {other.place} needs permission in mode default; "
    denied = f"Error: {site.url()} redirects to {other.url()}, and {why}--allow webfetch gives it)"
    assert [(success, text.splitlines()[-1]) for _, success, text in said] == [(False, denied), (True, "there")]
    assert len(other.heads) == 1


async def test_N09_a_secret_goes_to_its_host_only_and_is_never_shown(
    site: Site, other: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCS_TOKEN", "canary-7f3a9e21c4")

    async def echo(writer: asyncio.StreamWriter) -> None:
        head = site.heads[-1].encode()
        await (moved(other.url()) if b"/away" in head else answer(head, "text/plain"))(writer)

    site.playback.respond, other.pages["/"] = echo, answer(b"there", "text/plain")
    settings = {
        "plugins": {"only": ["web"], "web": {"allow_private": [site.place, other.place]}},
        "secrets": {"DOCS_TOKEN": {"hosts": ["127.0.0.*"], "header": "X-Token", "form": "{}"}},
    }
    script = [Call("webfetch", {"url": site.url(path), "secrets": ["DOCS_TOKEN"]}) for path in ("/here", "/away")] + [
        Call("webfetch", {"url": "http://127.0.0.2/", "secrets": ["DOCS_TOKEN"]})
    ]
    how: dict[str, Any] = {"settings": settings, "directory": tmp_path, "allow": ("network", "secret(DOCS_TOKEN)")}
    async with opened(script, "done", **how) as (session, _):
        await heard(session)
        (_, first, echoed), (_, second, there), (_, third, clear) = results(session)
    assert (first, second, third) == (True, True, False)
    assert clear == "Error: a secret is not sent to http://127.0.0.2/ in the clear; use https://"
    assert ["x-token: canary-7f3a9e21c4\r\n" in head for head in site.heads] == [True, True]
    assert (there.endswith("there"), "canary" in other.heads[0], "canary" in echoed) == (True, False, False)


def test_a_repository_does_not_decide_where_requests_go() -> None:
    assert [spec.of_site for spec in plugin.codetether_settings()] == [True]
