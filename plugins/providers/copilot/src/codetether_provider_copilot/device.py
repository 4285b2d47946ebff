"""The device flow: a code is shown here, typed in at GitHub, and waited for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Any, Self

from attrs import field, frozen
from codetether import (
    AuthenticationFailed,
    InvalidRequest,
    MalformedResponse,
    ProviderError,
    RateLimited,
)

from codetether_provider_copilot.asking import ask, line, number
from codetether_provider_copilot.github import GitHub

CLIENT_ID = "Iv1.b507a08c87ecfe98"
"""Under which editors sign in to Copilot; public, as device flows have no secret."""
SCOPE = "read:user"
_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_SLOWER = 5.0
_MOST_FAILURES = 5
_AGAIN = "codetether auth copilot asks for a new code"
_WORDS = {
    "expired_token": ("the code has expired", _AGAIN),
    "access_denied": ("the sign-in was declined at GitHub", _AGAIN),
    "device_flow_disabled": (
        "this client id may not use the device flow",
        "turn it on in the OAuth app's settings, or give another --client-id",
    ),
    "incorrect_client_credentials": ("GitHub does not know this client id", "check --client-id"),
    "incorrect_device_code": ("GitHub does not know this code (any more)", _AGAIN),
}


@frozen(kw_only=True)
class DeviceCode:
    """What the user types in, where, and how long it counts.

    Attributes:
        expires_in, interval: seconds, from now and between two questions.
    """

    device_code: str = field(repr=False)
    user_code: str
    verification_uri: str
    expires_in: float = 900.0
    interval: float = 5.0


class DeviceFlow:
    """One sign-in at a GitHub.

    Args:
        sleep, now: seconds, as `asyncio.sleep` and `time.monotonic` have them.
    """

    def __init__(
        self,
        github: GitHub,
        client_id: str = CLIENT_ID,
        *,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client_id = client_id
        self._sleep = sleep
        self._now = now
        self._line = line("GitHub", github.url, {})

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._line.aclose()

    async def code(self) -> DeviceCode:
        """Asks for a code. Raises ProviderError."""
        body = await self._ask("/login/device/code", {"client_id": self._client_id, "scope": SCOPE})
        device, user, uri = (body.get(name) for name in ("device_code", "user_code", "verification_uri"))
        if not (_text(device) and _text(user) and _text(uri)):
            raise MalformedResponse("GitHub: the answer holds no device code, or no address to type it in")
        self._line.hide((str(device),))
        return DeviceCode(
            device_code=str(device),
            user_code=str(user),
            verification_uri=str(uri),
            expires_in=min(number(body.get("expires_in"), 900.0), 3600.0),
            interval=number(body.get("interval"), 5.0),
        )

    async def token(self, code: DeviceCode) -> str:
        """Asks once. Raises AuthenticationFailed whose `code` is GitHub's word, e.g. `authorization_pending`."""
        form = {"client_id": self._client_id, "device_code": code.device_code, "grant_type": _GRANT}
        body = await self._ask("/login/oauth/access_token", form)
        token = body.get("access_token")
        if not _text(token):
            raise MalformedResponse("GitHub: the answer holds neither a token nor an error")
        self._line.hide((str(token),))
        return str(token)

    async def wait(self, code: DeviceCode, trouble: Callable[[str], None] = lambda text: None) -> str:
        """The OAuth token, once the user has typed in the code.

        A server that fails for a while is asked again, and `trouble` told. Raises AuthenticationFailed where the code
        expires or is declined, else the ProviderError that asking ended with.
        """
        deadline, interval, failures = self._now() + code.expires_in, code.interval, 0
        while True:
            if deadline - self._now() < interval:  # the code does not live to the next question
                raise _refused("expired_token", {})
            await self._sleep(interval)
            try:
                return await self.token(code)
            except AuthenticationFailed as error:
                failures = 0
                if error.code == "slow_down":
                    interval = max(interval + _SLOWER, number(error.details.get("interval"), 0.0))
                elif error.code != "authorization_pending":
                    raise
            except ProviderError as error:
                failures += 1
                if not error.retryable or failures >= _MOST_FAILURES:
                    raise
                wished = error.retry_after if isinstance(error, RateLimited) else None
                interval = max(interval + _SLOWER, wished or 0.0)
                trouble(error.message)

    async def _ask(self, address: str, form: dict[str, str]) -> dict[str, Any]:
        """GitHub gives errors with status 200, the standard with 400: both end here."""
        try:
            body = await ask(self._line, address, form)
        except InvalidRequest as error:
            if error.status == 400 and error.code:
                raise _refused(error.code, error.details, error.status) from None
            raise
        if _text(word := body.get("error")):
            raise _refused(str(word), body)
        return body


def _refused(word: str, body: Mapping[str, Any], status: int | None = None) -> AuthenticationFailed:
    """The error that OAuth's word stands for; the rest of the answer may tell more."""
    said = body.get("error_description") or body.get("message")
    ours, remedy = _WORDS.get(word, ("", ""))
    more = {"interval": body["interval"]} if "interval" in body else {}
    return AuthenticationFailed(
        f"GitHub: {ours or said or word}",
        remedy=remedy,
        status=status,
        code=word,
        details={"message": str(said or word), "type": word, "code": word, **more},
    )


def _text(value: Any) -> bool:
    """Whether it can be sent and shown as it stands."""
    return isinstance(value, str) and 0 < len(value) <= 4096 and value.isascii() and value.isprintable()
