"""The device flow takes every answer that a GitHub can give."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from attrs import define, field
from codetether import (
    AuthenticationFailed,
    ConnectionFailed,
    IncompleteResponse,
    InvalidRequest,
    MalformedResponse,
    ProviderError,
    ServerFailed,
)
from codetether_provider_copilot.device import DeviceCode, DeviceFlow
from codetether_provider_copilot.github import GitHub

from .conftest import CODE_AT, SIGNED_IN_AT, Hub, Reply

KEY, DEVICE = "gho_0123456789abcdef", "device-0123456789abcdef"
CODE = {"device_code": DEVICE, "user_code": "WDJB-MJHT", "verification_uri": "https://github.com/login/device"}
PENDING = Reply({"error": "authorization_pending", "error_description": "Still pending."})
DONE = Reply({"access_token": KEY, "token_type": "bearer", "scope": "read:user"})
WAITED = DeviceCode(device_code=DEVICE, user_code="WDJB-MJHT", verification_uri="", expires_in=60.0, interval=5.0)


@define
class Clock:
    """Time goes by only where it is waited for."""

    time: float = 0.0
    slept: list[float] = field(factory=list)

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds


async def wait(hub: Hub, *replies: Reply, code: DeviceCode = WAITED) -> tuple[str | ProviderError, Clock, list[str]]:
    """What waiting comes to, how long it took, and what was said meanwhile."""
    hub.script[SIGNED_IN_AT] = replies
    clock, said = Clock(), list[str]()
    trouble: Callable[[str], None] = said.append
    async with DeviceFlow(GitHub(url=hub.url), "id", sleep=clock.sleep, now=clock.now) as flow:
        try:
            return await flow.wait(code, trouble), clock, said
        except ProviderError as error:
            return error, clock, said


async def code(hub: Hub, reply: Reply) -> DeviceCode:
    hub.script[CODE_AT] = [reply]
    async with DeviceFlow(GitHub(url=hub.url), "id") as flow:
        return await flow.code()


async def test_a_code_is_asked_for(hub: Hub) -> None:
    got = await code(hub, Reply({**CODE, "expires_in": 300, "interval": 7}))
    (asked,) = hub.asked
    assert got == DeviceCode(
        device_code=DEVICE,
        user_code="WDJB-MJHT",
        verification_uri="https://github.com/login/device",
        expires_in=300.0,
        interval=7.0,
    )
    assert (asked.method, asked.path, dict(asked.body)) == (
        "POST",
        CODE_AT,
        {"client_id": "id", "scope": "read:user"},
    )
    assert (asked.headers["accept"], asked.headers["content-type"]) == (
        "application/json",
        "application/x-www-form-urlencoded",
    )
    assert DEVICE not in repr(got)


@pytest.mark.parametrize("odd", [None, 0, -1, True, "5", 1e30, [], {}])
async def test_odd_times_are_taken_as_not_said(hub: Hub, odd: Any) -> None:
    got = await code(hub, Reply({**CODE, "expires_in": odd, "interval": odd}))
    assert (got.expires_in, got.interval) == (900.0, 5.0)


@pytest.mark.parametrize(
    ("reply", "kind", "words"),
    [
        (Reply({"error": "device_flow_disabled"}), AuthenticationFailed, "may not use the device flow"),
        (Reply({"error": "unheard_of", "error_description": "Odd."}), AuthenticationFailed, "GitHub: Odd."),
        (Reply({"error": "Not Found"}, 404), InvalidRequest, "Not Found"),
        (Reply({**CODE, "user_code": None}), MalformedResponse, "holds no device code"),
        (Reply({**CODE, "user_code": "\x1b[2J"}), MalformedResponse, "holds no device code"),
        (Reply([CODE]), MalformedResponse, "no object"),
        (Reply("<html>", kind="text/html"), MalformedResponse, "text/html"),
        (Reply("<html>", 502, "text/html"), ServerFailed, "a page of HTML"),
        (Reply("device_code=1", kind="application/json"), MalformedResponse, "cannot be read"),
        (Reply(CODE, cut=True), IncompleteResponse, "the connection broke"),
    ],
)
async def test_what_is_no_code_is_a_named_error(hub: Hub, reply: Reply, kind: type[ProviderError], words: str) -> None:
    with pytest.raises(kind, match=words):
        await code(hub, reply)


async def test_nobody_there_is_a_named_error() -> None:
    with pytest.raises(ConnectionFailed):
        async with DeviceFlow(GitHub(url="http://127.0.0.1:9"), "id") as flow:
            await flow.code()


async def test_it_waits_until_the_code_was_typed_in(hub: Hub) -> None:
    got, clock, said = await wait(hub, PENDING, PENDING, DONE)
    assert (got, clock.slept, said) == (KEY, [5.0, 5.0, 5.0], [])
    grant = "urn:ietf:params:oauth:grant-type:device_code"
    assert [dict(a.body) for a in hub.asked] == [{"client_id": "id", "device_code": DEVICE, "grant_type": grant}] * 3


async def test_words_with_status_400_as_the_standard_has_it_are_understood_too(hub: Hub) -> None:
    slow = Reply({"error": "slow_down", "interval": 20}, 400)
    got, clock, said = await wait(hub, Reply({"error": "authorization_pending"}, 400), slow, DONE)
    assert (got, clock.slept, said) == (KEY, [5.0, 5.0, 20.0], [])
    got, _, _ = await wait(hub, Reply({"error": "access_denied", "error_description": "They said no."}, 400))
    assert isinstance(got, AuthenticationFailed)
    assert (got.code, got.status, got.details["message"]) == ("access_denied", 400, "They said no.")


@pytest.mark.parametrize(
    ("more", "slept"),
    [
        ({"interval": 12}, [5.0, 12.0, 12.0]),
        ({}, [5.0, 10.0, 10.0]),
        ({"interval": 1}, [5.0, 10.0, 10.0]),
        ({"interval": "x"}, [5.0, 10.0, 10.0]),
    ],
)
async def test_it_asks_more_slowly_when_told_to(hub: Hub, more: dict[str, Any], slept: Sequence[float]) -> None:
    got, clock, _ = await wait(hub, Reply({"error": "slow_down", **more}), PENDING, DONE)
    assert (got, clock.slept) == (KEY, slept)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("expired_token", "GitHub: the code has expired"),
        ("access_denied", "GitHub: the sign-in was declined at GitHub"),
        ("incorrect_device_code", "GitHub: GitHub does not know this code (any more)"),
        ("incorrect_client_credentials", "GitHub: GitHub does not know this client id"),
        ("unsupported_grant_type", "GitHub: unsupported_grant_type"),
    ],
)
async def test_what_cannot_come_to_an_end_ends_at_once(hub: Hub, word: str, message: str) -> None:
    got, clock, _ = await wait(hub, PENDING, Reply({"error": word}), DONE)
    assert isinstance(got, AuthenticationFailed)
    assert (got.message, got.code, len(clock.slept)) == (message, word, 2)


async def test_a_code_that_nobody_types_in_expires(hub: Hub) -> None:
    got, clock, _ = await wait(hub, PENDING)
    assert isinstance(got, AuthenticationFailed)
    assert (got.code, len(hub.asked)) == ("expired_token", 12)
    assert clock.time == 60.0


@pytest.mark.parametrize(
    "reply",
    [
        Reply("<html>", 500, "text/html"),
        Reply("<html>", kind="text/html"),
        Reply({"message": "slow"}, 429),
        Reply({"access_token": KEY}, cut=True),
        Reply({"access_token": 7}),
        Reply("null"),
    ],
)
async def test_a_github_that_fails_for_a_while_is_asked_again_more_slowly(hub: Hub, reply: Reply) -> None:
    got, clock, said = await wait(hub, PENDING, reply, DONE)
    assert (got, clock.slept, len(said)) == (KEY, [5.0, 5.0, 10.0], 1)


async def test_a_github_that_goes_on_failing_is_given_up(hub: Hub) -> None:
    lasting = DeviceCode(device_code=DEVICE, user_code="", verification_uri="", expires_in=900.0, interval=5.0)
    got, _, said = await wait(hub, Reply({"message": f"no {DEVICE}"}, 503), code=lasting)
    assert isinstance(got, ServerFailed)
    assert (len(hub.asked), len(said)) == (5, 4)


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_a_refusal_is_no_failure_for_a_while(hub: Hub, status: int) -> None:
    got, _, _ = await wait(hub, Reply({"message": "no"}, status), DONE)
    assert isinstance(got, ProviderError)
    assert (got.status, len(hub.asked)) == (status, 1)
