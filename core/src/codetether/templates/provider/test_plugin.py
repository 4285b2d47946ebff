"""Stories about the provider: whether it can be used, and an answer of a server on loopback in its place."""

from __future__ import annotations

import pytest
from codetether import Runtime
from codetether.testing.playback import Playback

NAME = "change-me"

HEADERS = {"content-type": "text/event-stream"}
ANSWER = [
    b'data: {"id":"1","model":"small","choices":[{"index":0,"delta":{"role":"assistant","content":"Hello"}}]}\n\n',
    b'data: {"id":"1","model":"small","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n',
    b'data: {"id":"1","choices":[],"usage":{"prompt_tokens":1000000,"completion_tokens":1000000}}\n\n',
    b"data: [DONE]\n\n",
]


async def test_without_a_key_it_says_what_to_set() -> None:
    async with Runtime.open({"plugins": {"only": [NAME]}}) as runtime:
        (found,) = [it for it in await runtime.providers() if it.name == NAME]
    assert found.available is False
    assert "CHANGE_ME_API_KEY" in found.reason


async def test_it_answers_and_its_price_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHANGE_ME_API_KEY", "a-key-that-is-none")
    async with Playback() as server:
        server.play(200, HEADERS, ANSWER)
        monkeypatch.setenv("CHANGE_ME_BASE_URL", server.base_url)
        # the wire format comes from the plugin openai
        async with (
            Runtime.open({"plugins": {"only": [NAME, "openai"]}}) as runtime,
            runtime.session(model="change-me/small") as session,
        ):
            result = await session.prompt("Say hello")
    assert (result.status, result.text, str(result.usage.cost)) == ("done", "Hello", "0.50")
    assert "authorization: bearer a-key-that-is-none" in server.heads[0]
