"""Tokens are had once for all who need one, renewed before they end, and refused sign-ins are told apart."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from attrs import define, field
from codetether import (
    ConnectionFailed,
    IncompleteResponse,
    MalformedResponse,
    ProviderError,
    RateLimited,
    ServerFailed,
)
from codetether_provider_copilot.github import GitHub
from codetether_provider_copilot.token import SignInFailed, Token, Tokens, fetch, given_token, read_token

from .conftest import TOKEN_AT, Hub, Reply

KEY = "gho_0123456789abcdef"
HALF_AN_HOUR = 1800.0


@define
class Source:
    """Gives a token of half an hour each time, or fails as scripted; time goes by as it is told."""

    time: float = 1000.0
    failures: list[ProviderError] = field(factory=list)
    asked: int = 0

    async def fetch(self) -> Token:
        self.asked += 1
        number = self.asked
        await asyncio.sleep(0)
        if self.failures:
            raise self.failures.pop(0)
        return read_token({"token": f"t{number}", "expires_at": self.time + HALF_AN_HOUR}, GitHub(), self.time)

    def tokens(self) -> Tokens:
        return Tokens(self.fetch, lambda: self.time)


async def test_a_token_is_renewed_five_minutes_before_its_end() -> None:
    source = Source()
    tokens = source.tokens()
    had = []
    for time in (0.0, 1499.0, 1501.0, 2999.0, 3002.0):
        source.time = 1000.0 + time
        had.append((await tokens.current()).value)
    assert had == ["t1", "t1", "t2", "t2", "t3"]


async def test_all_who_need_one_at_once_share_one_question() -> None:
    source = Source()
    tokens = source.tokens()
    had = await asyncio.gather(*(tokens.current() for _ in range(20)))
    assert ({token.value for token in had}, source.asked) == ({"t1"}, 1)


async def test_they_share_its_failure_too_and_the_next_one_asks_again() -> None:
    source = Source(failures=[ServerFailed("down")])
    tokens = source.tokens()
    had = await asyncio.gather(*(tokens.current() for _ in range(20)), return_exceptions=True)
    assert ({str(error) for error in had}, source.asked) == ({"down"}, 1)
    assert (await tokens.current()).value == "t2"


async def test_one_who_gives_up_leaves_the_question_to_the_next() -> None:
    source = Source()
    tokens = source.tokens()
    first, second = (asyncio.ensure_future(tokens.current()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).value == "t2"
    assert first.cancelled()


async def test_a_renewal_that_fails_leaves_the_old_one_as_long_as_it_counts() -> None:
    source = Source()
    tokens = source.tokens()
    await tokens.current()
    source.failures = [ServerFailed("down"), ServerFailed("down"), ServerFailed("down")]
    source.time += 1600.0
    assert [(await tokens.current()).value for _ in range(3)] == ["t1"] * 3
    assert source.asked == 2  # and not again for half a minute
    source.time += 31.0
    assert ((await tokens.current()).value, source.asked) == ("t1", 3)
    source.time += 150.0
    with pytest.raises(ServerFailed):
        await tokens.current()


async def test_a_sign_in_that_counts_no_more_ends_the_old_token_too() -> None:
    source = Source()
    tokens = source.tokens()
    await tokens.current()
    source.failures = [SignInFailed("gone")]
    source.time += 1600.0
    with pytest.raises(SignInFailed):
        await tokens.current()


async def test_a_token_that_was_refused_is_had_anew_once() -> None:
    source = Source()
    tokens = source.tokens()
    first = await tokens.current()
    for _ in range(3):
        tokens.refuse(first)
    second = await tokens.current()
    tokens.refuse(first)  # a late one: it is another's by now
    assert (second.value, (await tokens.current()).value, source.asked) == ("t2", "t2", 2)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ({"expires_at": 2800, "refresh_in": 1500}, 1500.0),
        ({"expires_at": 2800}, 1500.0),
        ({"expires_at": 2800, "refresh_in": 60}, 60.0),
        ({"expires_at": 1400}, 200.0),  # a short one serves half of its time
        ({"expires_at": 900, "refresh_in": 1500}, 1500.0),  # our clock is ahead
        ({"expires_at": 90_000, "refresh_in": 1500}, 1500.0),  # or behind
        ({"expires_at": 900}, 0.0),
        ({"refresh_in": 1500}, 1500.0),
        ({}, 0.0),
        ({"expires_at": "soon", "refresh_in": None}, 0.0),
    ],
)
def test_when_a_token_is_renewed(said: Mapping[str, Any], seconds: float) -> None:
    assert read_token({"token": "t", **said}, GitHub(), 1000.0).renew_at == 1000.0 + seconds


@pytest.mark.parametrize("token", [None, "", 7, "two words", "a\nb", "schlüssel", {"t": 1}])
def test_what_cannot_be_sent_is_no_token(token: Any) -> None:
    with pytest.raises(MalformedResponse, match="no Copilot token"):
        read_token({"token": token}, GitHub(), 0.0)


@pytest.mark.parametrize(
    ("api", "plan", "account"),
    [
        ("https://api.individual.githubcopilot.com/", "free", "an individual account (free)"),
        ("https://api.business.githubcopilot.com", None, "a business account"),
        ("https://api.enterprise.githubcopilot.com", "x", "an enterprise account (x)"),
        ("https://api.githubcopilot.com", "", "an account"),
        (None, 7, "an account"),
    ],
)
def test_the_kind_of_account(api: Any, plan: Any, account: str) -> None:
    token = read_token({"token": "t", "endpoints": {"api": api}, "sku": plan}, GitHub(), 0.0)
    assert (token.account, token.base_url) == (account, (api or "").rstrip("/"))


@pytest.mark.parametrize("api", ["https://evil.example", "http://api.githubcopilot.com", "https://[x"])
def test_an_endpoint_that_is_not_githubs_is_not_followed(api: str) -> None:
    with pytest.raises(MalformedResponse, match="no host of GitHub's") as raised:
        read_token({"token": "t", "endpoints": {"api": api}}, GitHub(), 0.0)
    assert "base_url" in raised.value.remedy


@pytest.mark.parametrize("endpoints", [None, [], "x", {"api": 7}, {}])
def test_odd_endpoints_are_taken_as_not_said(endpoints: Any) -> None:
    assert read_token({"token": "t", "endpoints": endpoints}, GitHub(), 0.0).base_url == ""


@pytest.mark.parametrize(
    ("key", "base_url", "expires_at"),
    [
        (
            "tid=ab;exp=1700000000;proxy-ep=proxy.individual.githubcopilot.com;st=dotcom:sig",
            "https://api.individual.githubcopilot.com",
            1_700_000_000.0,
        ),
        ("exp=7;tid=ab;proxy-ep=proxy.evil.example", "", 7.0),
        ("tid=ab", "", 0.0),
    ],
)
def test_a_token_may_be_given_in_place_of_a_sign_in(key: str, base_url: str, expires_at: float) -> None:
    assert given_token(key) == Token(value=key, base_url=base_url, expires_at=expires_at)


@pytest.mark.parametrize("key", ["gho_0123", "github_pat_tid=1", "", "sk-1;x"])
def test_a_sign_in_is_no_token(key: str) -> None:
    assert given_token(key) is None


async def test_a_token_is_asked_for_with_the_sign_in(hub: Hub) -> None:
    hub.script[TOKEN_AT] = [hub.token("tid=1")]
    token = await fetch(KEY, GitHub(url=hub.url))
    (asked,) = hub.asked
    assert (token.value, token.base_url, token.plan) == ("tid=1", f"{hub.url}/here", "monthly_subscriber")
    assert (asked.method, asked.headers["authorization"]) == ("GET", f"token {KEY}")
    assert "tid=1" not in repr(token)


@pytest.mark.parametrize(
    ("reply", "kind", "words"),
    [
        (Reply({"message": f"Bad credentials {KEY}"}, 401), SignInFailed, "does not take the sign-in (any more)"),
        (Reply({"message": "Not Found"}, 404), SignInFailed, "may not use Copilot (404): Not Found"),
        (
            Reply({"message": "no", "error_details": {"message": "No access to GitHub Copilot found."}}, 403),
            SignInFailed,
            "may not use Copilot (403): No access to GitHub Copilot found.",
        ),
        (Reply({"message": "API rate limit exceeded"}, 403, headers={"retry-after": "7"}), RateLimited, "rate limit"),
        (Reply({"message": "slow"}, 429), RateLimited, "slow"),
        (Reply("<html>", 500, "text/html"), ServerFailed, "a page of HTML"),
        (Reply("<html>", kind="text/html"), MalformedResponse, "text/html"),
        (Reply({"token": "t"}, cut=True), IncompleteResponse, "the connection broke"),
    ],
)
async def test_refusals_and_failures_are_told_apart(
    hub: Hub, reply: Reply, kind: type[ProviderError], words: str
) -> None:
    hub.script[TOKEN_AT] = [reply]
    with pytest.raises(ProviderError) as raised:
        await fetch(KEY, GitHub(url=hub.url), name="github-copilot")
    error = raised.value
    assert type(error) is kind
    assert words in error.message
    assert KEY not in f"{error}{error.details}"
    assert error.retry_after == (7.0 if "exceeded" in error.message else None)
    assert error.remedy or kind is not SignInFailed


async def test_a_github_that_is_not_there_is_named() -> None:
    with pytest.raises(ConnectionFailed, match="GitHub"):
        await fetch(KEY, GitHub(url="http://127.0.0.1:9"))
