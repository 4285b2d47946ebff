"""Calls go where the account's models are, with a token that counts; every fault of a server ends named."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import aclosing
from fnmatch import fnmatchcase
from typing import Any

import attrs
import pytest
from codetether import (
    AuthenticationFailed,
    CompletionRequest,
    DeadlineExceeded,
    ImagePart,
    InvalidRequest,
    Message,
    ModelRef,
    Provider,
    ProviderError,
    Secret,
    TextDelta,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    UsageError,
    user,
)
from codetether.testing.faults import KEY as FAULT_KEY
from codetether.testing.faults import Fault, endure, faults
from codetether.testing.playback import Playback
from codetether_provider_copilot import plugin
from codetether_provider_copilot.token import SignInFailed
from codetether_provider_copilot.wire import CopilotCodec, CopilotWire, SignIns, chat, responses

from .conftest import CHAT_AT, TOKEN_AT, Hub, Reply

KEY = "gho_0123456789abcdef"
TOKEN = "tid=one;exp=9999999999"
HELLO = CompletionRequest(model=ModelRef(provider="github-copilot", model="m"), messages=(user("hello"),))
SAID = Reply('data: {"choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\ndata: [DONE]\n\n', kind="text/event-stream")
UNAUTHORIZED = Reply("unauthorized: token expired\n", 401, "text/plain")


def wire() -> CopilotWire:
    return CopilotWire([chat, responses], SignIns())


def provider(hub: Hub, **more: Any) -> Provider:
    """Copilot of an enterprise whose GitHub is the hub."""
    secret = Secret(values={"api_key": KEY, "enterprise_url": hub.url}, source="file:keys")
    return attrs.evolve(
        Provider(name="github-copilot", wire="copilot-chat", base_url="https://api.githubcopilot.com", secret=secret),
        **more,
    )


async def said(asked: Provider, request: CompletionRequest = HELLO, using: Any = None) -> str:
    async with await (using or wire()).connect(asked) as connection, aclosing(connection.stream(request)) as chunks:
        return "".join([chunk.text async for chunk in chunks if isinstance(chunk, TextDelta)])


async def test_a_call_has_a_token_and_what_copilot_wants_to_know(hub: Hub) -> None:
    hub.script = {TOKEN_AT: [hub.token(TOKEN)], CHAT_AT: [SAID]}
    assert await said(provider(hub)) == "Hi"
    token, call = hub.asked
    wanted = ("authorization", "editor-version", "editor-plugin-version", "copilot-integration-id", "openai-intent")
    assert token.headers["authorization"] == f"token {KEY}"
    assert {name: call.headers[name] for name in (*wanted, "x-initiator")} == {
        "authorization": f"Bearer {TOKEN}",
        "editor-version": "vscode/1.107.0",
        "editor-plugin-version": "copilot-chat/0.35.0",
        "copilot-integration-id": "vscode-chat",
        "openai-intent": "conversation-edits",
        "x-initiator": "user",
    }
    assert "copilot-vision-request" not in call.headers


async def test_the_users_own_headers_come_before_ours(hub: Hub) -> None:
    hub.script = {TOKEN_AT: [hub.token()], CHAT_AT: [SAID]}
    await said(provider(hub, headers={"Copilot-Integration-Id": "mine"}))
    assert hub.at(CHAT_AT)[0].headers["copilot-integration-id"] == "mine"


CALL = Message(role="assistant", parts=(ToolCallPart(id="c", name="look", arguments="{}"),), provider="github-copilot")
IMAGE = ImagePart(media_type="image/png", data=b"\x89PNG")


def result(*parts: TextPart | ImagePart) -> Message:
    answer = ToolResultPart(tool_call_id="c", name="look", content=parts, success=True)
    return Message(role="tool", parts=(answer,))


@pytest.mark.parametrize(
    ("messages", "initiator", "vision"),
    [
        ((user("hello"),), "user", None),
        ((user("hello"), CALL, result(TextPart(text="a"))), "agent", None),
        ((user("hello"), CALL, result(TextPart(text="a")), user("go on")), "user", None),
        ((user("hello"), CALL, result(IMAGE)), "agent", "true"),
        ((Message(role="user", parts=(IMAGE, TextPart(text="what?"))),), "user", "true"),
        ((Message(role="user", parts=(IMAGE,)), CALL, result(TextPart(text="a"))), "agent", "true"),
    ],
)
async def test_who_asks_and_whether_there_is_something_to_see(
    hub: Hub, messages: tuple[Message, ...], initiator: str, vision: str | None
) -> None:
    hub.script = {TOKEN_AT: [hub.token()], CHAT_AT: [SAID]}
    await said(provider(hub), attrs.evolve(HELLO, messages=messages))
    headers = hub.at(CHAT_AT)[0].headers
    assert (headers["x-initiator"], headers.get("copilot-vision-request")) == (initiator, vision)


def test_what_there_is_to_see_is_known_from_request_to_request() -> None:
    codec = CopilotCodec(chat(Provider(name="github-copilot", wire="", base_url="")))

    def sees(*messages: Message) -> bool:
        return "copilot-vision-request" in codec.headers(attrs.evolve(HELLO, messages=messages))

    hello, image = user("hello"), Message(role="user", parts=(IMAGE,))
    seen = [
        sees(hello),
        sees(hello, image),
        sees(hello, image, CALL),
        sees(hello, CALL),
        sees(hello),
        sees(image),
        sees(),
    ]
    assert seen == [False, True, True, False, False, True, False]


async def test_sessions_that_run_together_share_a_token(hub: Hub) -> None:
    hub.script = {TOKEN_AT: [hub.token()], CHAT_AT: [SAID]}
    shared = wire()
    answers = await asyncio.gather(*(said(provider(hub), using=shared) for _ in range(8)))
    assert (answers, len(hub.at(TOKEN_AT)), len(hub.at(CHAT_AT))) == (["Hi"] * 8, 1, 8)


async def test_a_refused_token_is_had_anew_once(hub: Hub) -> None:
    hub.script = {TOKEN_AT: [hub.token(TOKEN), hub.token("tid=two")], CHAT_AT: [UNAUTHORIZED, SAID]}
    assert await said(provider(hub)) == "Hi"
    assert [a.headers["authorization"] for a in hub.at(CHAT_AT)] == [f"Bearer {TOKEN}", "Bearer tid=two"]


async def test_a_fresh_token_that_is_refused_too_ends_it(hub: Hub) -> None:
    echoing = Reply(f"unauthorized: {TOKEN}", 401, "text/plain")
    hub.script = {TOKEN_AT: [hub.token(TOKEN)], CHAT_AT: [echoing]}
    with pytest.raises(AuthenticationFailed) as raised:
        await said(provider(hub))
    assert (len(hub.at(TOKEN_AT)), len(hub.at(CHAT_AT))) == (2, 2)
    assert raised.value.remedy == "sign in again: codetether auth copilot --enterprise URL"
    assert TOKEN not in f"{raised.value!r}{raised.value.details}"


async def test_a_refused_sign_in_is_no_refused_token(hub: Hub) -> None:
    hub.script = {TOKEN_AT: [Reply({"message": "Bad credentials"}, 401)], CHAT_AT: [SAID]}
    with pytest.raises(SignInFailed):
        await said(provider(hub))
    assert [asked.path for asked in hub.asked] == [TOKEN_AT]


@pytest.mark.parametrize("status", [400, 403, 429, 500])
async def test_other_failures_have_no_fresh_token(hub: Hub, status: int) -> None:
    hub.script = {TOKEN_AT: [hub.token()], CHAT_AT: [Reply({"error": {"message": "no"}}, status)]}
    with pytest.raises(ProviderError):
        await said(provider(hub))
    assert (len(hub.at(TOKEN_AT)), len(hub.at(CHAT_AT))) == (1, 1)


async def test_a_model_that_is_turned_off_is_explained(hub: Hub) -> None:
    refused = Reply({"error": {"message": "no", "code": "model_not_supported"}}, 400)
    hub.script = {TOKEN_AT: [hub.token()], CHAT_AT: [refused]}
    with pytest.raises(InvalidRequest) as raised:
        await said(provider(hub))
    assert raised.value.remedy == "turn the model on for your account: https://github.com/settings/copilot/features"


ELSEWHERE = Reply({"error": {"message": "not accessible via this endpoint", "code": "unsupported_api_for_model"}}, 400)
RESPONSES_AT = "/here/responses"
RESPONDED = Reply(
    {
        "id": "r",
        "object": "response",
        "status": "completed",
        "output": [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hi"}]}],
    }
)


async def test_a_model_is_asked_in_the_format_that_it_is_offered_in(hub: Hub) -> None:
    hub.script = {TOKEN_AT: [hub.token()], CHAT_AT: [ELSEWHERE], RESPONSES_AT: [RESPONDED, UNAUTHORIZED, RESPONDED]}
    async with await wire().connect(provider(hub)) as connection:
        for _ in range(2):
            async with aclosing(connection.stream(HELLO)) as chunks:
                assert "".join([chunk.text async for chunk in chunks if isinstance(chunk, TextDelta)]) == "Hi"
    assert [asked.path for asked in hub.asked if asked.path != TOKEN_AT] == [CHAT_AT, *[RESPONSES_AT] * 3]


async def test_a_model_that_is_offered_in_no_format_ends_it(hub: Hub) -> None:
    hub.script = {TOKEN_AT: [hub.token()], CHAT_AT: [ELSEWHERE], RESPONSES_AT: [ELSEWHERE]}
    with pytest.raises(InvalidRequest, match="not accessible"):
        await said(provider(hub))
    assert (len(hub.at(CHAT_AT)), len(hub.at(RESPONSES_AT))) == (1, 1)


async def test_the_enterprise_may_be_named_by_settings_or_environment(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.script = {TOKEN_AT: [hub.token()], CHAT_AT: [SAID]}
    (_, spec) = plugin.codetether_providers()
    secret = Secret(values={"token": KEY}, source="vault")
    told = provider(hub, name=spec.name, secret=secret, options={**spec.quirks, "enterprise_url": hub.url})
    assert await said(told) == "Hi"
    monkeypatch.setenv("GITHUB_COPILOT_ENTERPRISE_URL", hub.url)
    assert await said(provider(hub, name=spec.name, secret=secret, options=spec.quirks)) == "Hi"
    monkeypatch.setenv("GITHUB_COPILOT_ENTERPRISE_URL", "http://octocorp.ghe.com")
    with pytest.raises(UsageError, match="over https://"):
        await said(provider(hub, name=spec.name, secret=secret, options=spec.quirks))


async def test_a_base_url_of_the_users_own_stays(hub: Hub) -> None:
    hub.script = {TOKEN_AT: [hub.token()], "/mine/chat/completions": [SAID]}
    assert await said(provider(hub, base_url=f"{hub.url}/mine")) == "Hi"
    assert [asked.path for asked in hub.asked] == [TOKEN_AT, "/mine/chat/completions"]


async def test_a_gateway_of_the_users_own_gets_the_key_as_it_stands(hub: Hub) -> None:
    hub.script = {CHAT_AT: [SAID]}
    secret = Secret(values={"api_key": "gateway-key"}, source="settings")
    assert await said(provider(hub, base_url=f"{hub.url}/here", secret=secret)) == "Hi"
    assert [asked.headers["authorization"] for asked in hub.asked] == ["Bearer gateway-key"]


async def test_a_token_that_was_given_is_used_as_it_stands(hub: Hub) -> None:
    hub.script = {CHAT_AT: [SAID, UNAUTHORIZED]}
    given = provider(hub, base_url=f"{hub.url}/here", secret=Secret(values={"api_key": TOKEN}, source="env:X"))
    assert await said(given) == "Hi"
    with pytest.raises(AuthenticationFailed) as raised:
        await said(given)
    assert "sign in instead" in raised.value.remedy
    assert [asked.headers["authorization"] for asked in hub.asked] == [f"Bearer {TOKEN}"] * 2


async def test_no_secret_is_ever_logged(hub: Hub, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    hub.script = {TOKEN_AT: [hub.token(TOKEN)], CHAT_AT: [UNAUTHORIZED, SAID]}
    using = provider(hub)
    await said(using)
    assert caplog.records
    assert all(secret not in f"{caplog.text}{using!r}" for secret in (KEY, TOKEN))


@pytest.mark.parametrize("fault", faults(), ids=lambda fault: fault.name)
async def test_every_fault_ends_named_in_time_and_in_little_memory(fault: Fault) -> None:
    deadline = 0.5 if fault.raises is DeadlineExceeded else 8.0
    ending = await endure(wire(), fault, deadline=deadline)
    error = ending.error
    assert type(error) is fault.raises, error
    assert isinstance(error, ProviderError)
    assert error.retry_after == pytest.approx(fault.retry_after)
    assert ending.seconds < deadline + 2
    assert ending.grown < 32.0
    assert FAULT_KEY not in repr((str(error), error.details))


@pytest.mark.parametrize("fault", [f for f in faults() if f.respond], ids=lambda fault: fault.name)
async def test_every_fault_on_the_way_to_a_token_ends_named_and_in_time(fault: Fault) -> None:
    deadline = 0.5 if fault.raises is DeadlineExceeded else 8.0
    async with Playback(fault.respond) as server:
        secret = Secret(values={"api_key": KEY, "enterprise_url": server.base_url}, source="file")
        asked = Provider(name="faulty", wire="", base_url="", secret=secret, timeout=deadline)
        began = time.perf_counter()
        with pytest.raises(ProviderError) as raised:
            await said(asked)
    assert time.perf_counter() - began < deadline + 2
    assert KEY not in f"{raised.value!r}{raised.value.details}"
    assert server.heads[0].startswith("get /api/v3/copilot_internal/v2/token")


def test_what_the_plugin_offers() -> None:
    assert [spec.name for spec in plugin.codetether_wires()] == ["copilot-chat", "copilot-responses"]
    assert [(s.name, s.wire, s.default_model, s.env) for s in plugin.codetether_providers()] == [
        (
            "github-copilot",
            "copilot-chat",
            "gpt-5-mini",
            ("GITHUB_COPILOT_TOKEN", "COPILOT_GITHUB_TOKEN", "GH_COPILOT_TOKEN"),
        ),
        ("github-copilot-enterprise", "copilot-chat", "gpt-5-mini", ("GITHUB_COPILOT_ENTERPRISE_TOKEN",)),
    ]


@pytest.mark.parametrize(
    ("model", "wire_", "refused"),
    [
        ("github-copilot/gpt-5-mini", None, True),
        ("github-copilot/gpt-5.4", None, True),
        ("github-copilot/gpt-5.4-mini", "copilot-responses", True),
        ("github-copilot/gpt-5.3-codex", "copilot-responses", True),
        ("github-copilot-enterprise/gpt-5.1-codex-max", "copilot-responses", True),
        ("github-copilot/claude-sonnet-4.5", None, False),
        ("github-copilot/gpt-4o", None, False),
        ("openai/gpt-5.3-codex", None, False),
    ],
)
def test_models_have_their_wire_and_what_they_refuse(model: str, wire_: str | None, refused: bool) -> None:
    fitting = [d for d in plugin.codetether_model_defaults() if fnmatchcase(model, d.match)]
    assert {d.wire for d in fitting if d.wire} == ({wire_} if wire_ else set())
    assert any("temperature" in d.omit for d in fitting) is refused


async def test_both_wires_share_the_sign_ins(hub: Hub) -> None:
    hub.script = {TOKEN_AT: [hub.token(TOKEN)], CHAT_AT: [SAID]}
    hub.script["/here/responses"] = [Reply({"error": {"message": "no"}}, 400)]
    context: Any = None
    chatting, responding = (spec.create(context) for spec in plugin.codetether_wires())
    assert await said(provider(hub), using=chatting) == "Hi"
    with pytest.raises(InvalidRequest):
        await said(provider(hub), using=responding)
    assert [asked.path for asked in hub.asked] == [TOKEN_AT, CHAT_AT, "/here/responses"]
    call = hub.asked[-1]
    assert (call.headers["x-initiator"], call.headers["authorization"]) == ("user", f"Bearer {TOKEN}")
