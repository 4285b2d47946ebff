"""The short-lived token of an account: had for its sign-in, renewed before it expires, asked for once at a time."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from attrs import field, frozen
from codetether import AuthenticationFailed, InvalidRequest, MalformedResponse, ProviderError, RateLimited

from codetether_provider_copilot.asking import ask, line, number
from codetether_provider_copilot.github import GitHub, of_github

ADDRESS = "/copilot_internal/v2/token"
EARLY = 300.0
"""Seconds before its end at which a token is renewed."""
_AGAIN = 30.0
"""Seconds until a renewal that failed is tried again, while the token still counts."""
SUBSCRIBE = "https://github.com/settings/copilot"


class SignInFailed(AuthenticationFailed):
    """GitHub does not take the sign-in for Copilot: a fresh token cannot help."""


@frozen(kw_only=True)
class Token:
    """What lets calls through for some minutes.

    Attributes:
        base_url: where this account's models are; empty where it was not said.
        renew_at, expires_at: seconds since 1970.
        plan: GitHub's own word for the subscription, e.g. `monthly_subscriber`.
    """

    value: str = field(repr=False)
    base_url: str = ""
    renew_at: float = 0.0
    expires_at: float = 0.0
    plan: str = ""

    @property
    def account(self) -> str:
        """The kind of account, in words."""
        kind = re.fullmatch(r"api\.(individual|business|enterprise)\.githubcopilot\.com", _host(self.base_url))
        plan = f" ({self.plan})" if self.plan else ""
        named = {"individual": "an individual", "business": "a business", "enterprise": "an enterprise"}
        return f"{named[kind[1]] if kind else 'an'} account{plan}"


def read_token(body: Mapping[str, Any], github: GitHub, now: float) -> Token:
    """The token in an answer that came at `now`. Raises MalformedResponse for one that cannot be used."""
    value = body.get("token")
    if not (isinstance(value, str) and value and value.isascii() and value.isprintable() and " " not in value):
        raise MalformedResponse("GitHub: the answer holds no Copilot token")
    endpoints = body.get("endpoints")
    base_url = endpoints.get("api") if isinstance(endpoints, Mapping) else None
    base_url = base_url.rstrip("/") if isinstance(base_url, str) else ""
    if base_url and not github.serves(base_url):
        raise MalformedResponse(
            f"GitHub: says that the models are at {_host(base_url) or 'no host'!r}, which is no host of GitHub's",
            remedy="where that is right, name it: codetether config set providers.github-copilot.base_url https://…",
        )
    expires_at = number(body.get("expires_at"), 0.0)
    return Token(
        value=value,
        base_url=base_url,
        renew_at=now + _life(expires_at - now, number(body.get("refresh_in"), 0.0)),
        expires_at=expires_at,
        plan=_word(body.get("sku")),
    )


def _life(left: float, refresh_in: float) -> float:
    """Seconds until a token is renewed. Where it seems to be over already our clock is wrong: GitHub's word counts."""
    if left <= 0:
        return refresh_in
    early = left - EARLY if left > 2 * EARLY else left / 2
    return min(early, refresh_in) if refresh_in else early


def given_token(key: str) -> Token | None:
    """The token itself where it was given in place of a sign-in: `tid=…;exp=…;proxy-ep=…;…`."""
    if not re.match(r"(?:[a-z0-9_-]+=[^;]*;)*tid=", key):
        return None
    fields = dict(part.partition("=")[::2] for part in key.split(";"))
    host = fields.get("proxy-ep", "")
    base_url = f"https://{host.replace('proxy.', 'api.', 1)}" if host.startswith("proxy.") else ""
    expires_at = number(int(fields["exp"]), 0.0) if fields.get("exp", "").isdecimal() else 0.0
    return Token(value=key, base_url=base_url if of_github(base_url) else "", expires_at=expires_at)


async def fetch(key: str, github: GitHub, *, source: str = "", name: str = "GitHub") -> Token:
    """Asks for a token. Raises SignInFailed where the sign-in is refused, else ProviderError."""
    secrets = (key,)
    to = line(name, github.api, {"authorization": f"token {key}"}, secrets=secrets, key=source)
    try:
        return read_token(await ask(to, ADDRESS), github, time.time())
    except (AuthenticationFailed, InvalidRequest) as error:
        raise _explained(error, name) from None
    finally:
        await to.aclose()


def _explained(error: ProviderError, name: str) -> ProviderError:
    """What a refusal means, in GitHub's words where it has any that tell more."""
    more = error.details.get("error_details")
    said = more.get("message") if isinstance(more, Mapping) else None
    words = str(said or error.details.get("message") or "")
    known: dict[str, Any] = {"status": error.status, "code": error.code, "details": error.details}
    enterprise = " --enterprise URL" if name.endswith("enterprise") else ""
    match error.status:
        case 403 | 429 if "rate limit" in words.lower():
            return RateLimited(error.message, retry_after=error.retry_after, **known)
        case 401:
            return SignInFailed(
                f"{name}: GitHub does not take the sign-in (any more): {words}",
                remedy=f"sign in again: codetether auth copilot{enterprise}",
                **known,
            )
        case 403 | 404:
            return SignInFailed(
                f"{name}: this GitHub account may not use Copilot ({error.status}): {words}",
                remedy=f"look at its subscription, or what its organisation allows: {SUBSCRIBE}",
                **known,
            )
        case _:
            return error


class Tokens:
    """The tokens of one sign-in, for every session of the process.

    Args:
        fetch: asks for a fresh one. now: seconds since 1970.
    """

    def __init__(self, fetch: Callable[[], Awaitable[Token]], now: Callable[[], float] = time.time) -> None:
        self._fetch = fetch
        self._now = now
        self._token: Token | None = None
        self._renew_at = 0.0
        self._asked = 0
        self._failure: ProviderError | None = None
        self._one = asyncio.Lock()

    async def current(self) -> Token:
        """A token that counts; those who ask meanwhile share the answer, or its failure. Raises ProviderError."""
        if self._token is not None and self._now() < self._renew_at:
            return self._token
        asked = self._asked
        async with self._one:
            if asked == self._asked:
                await self._renew()
        if self._token is None:
            raise self._failure or MalformedResponse("GitHub: no Copilot token was had")
        return self._token

    def refuse(self, token: Token) -> None:
        """The token was not taken: another is had for the next call."""
        if self._token == token:
            self._token = None

    async def _renew(self) -> None:
        """Asks for a fresh one; where that fails for a while, the old one serves as long as it counts."""
        self._failure = None
        try:
            self._token = await self._fetch()
            self._renew_at = self._token.renew_at
        except ProviderError as error:
            self._failure = error
            if self._token is None or not error.retryable or self._token.expires_at <= self._now() + _AGAIN:
                self._token = None
            self._renew_at = self._now() + _AGAIN
        self._asked += 1


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _word(value: Any) -> str:
    return value if isinstance(value, str) and value.isprintable() and len(value) <= 80 else ""
