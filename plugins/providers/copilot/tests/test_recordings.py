"""Real exchanges with Copilot, asked again: the answers are read as they were meant, through its own wires."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest
from codetether.testing import recordings
from codetether.testing.recording import Recording, read
from codetether.testing.recordings import WAYS, Replayer, table
from codetether_provider_copilot.asking import ask, line
from codetether_provider_copilot.models import read_models
from codetether_provider_copilot.recordings import chat, models, responses, sign_in

from .conftest import Hub, Reply

APIS = {"copilot-auth": 5, "copilot-chat": 26, "copilot-models": 3}


async def test_kept_recordings_pass_however_they_are_cut(kept: Sequence[Recording]) -> None:
    verdicts = await Replayer().replay(kept)
    assert {v.recording.id: v.why for v in verdicts} == {r.id: () for r in kept}
    assert len(kept) == 6


@pytest.mark.parametrize(("api", "files"), APIS.items())
async def test_shared_recordings_pass(api: str, files: int, shared: Path) -> None:
    """Whole and as they came; cut in every way in the proof, and those that we keep always."""
    ways = WAYS if "CODETETHER_PROOF" in os.environ else ("whole", "recorded")
    verdicts = await Replayer().replay([read(path) for path in sorted((shared / api).glob("*.json"))], ways)
    assert [(v.recording.id, v.why) for v in verdicts if v.why] == [], table(verdicts)
    assert len(verdicts) == files


async def test_shared_recordings_of_responses_pass_on_copilots_own_wire(shared: Path) -> None:
    found = [read(path) for path in sorted((shared / "copilot-responses").glob("*.json"))]
    verdicts = await Replayer(dialects={"copilot-responses": responses}).replay(found)
    assert {v.recording.id: v.why for v in verdicts} == {r.id: () for r in found}
    assert len(found) == 5


def test_completions_are_asked_on_copilots_own_wires() -> None:
    assert [(d.wire, d.provider("github-copilot")) for d in (chat, responses)] == [
        ("copilot-chat", "github-copilot"),
        ("copilot-responses", "github-copilot"),
    ]


PENDING = {"type": "authorization_pending", "message": "no", "in_body_of_200": True}


@pytest.mark.parametrize(
    ("which", "change", "why"),
    [
        ("device-done", {"expect": {"error": PENDING}}, ["whole: took the error 'no' for an answer"]),
        ("device-done", {"expect": {"incomplete": True}}, ["whole: taken for a whole answer: None"]),
        ("device-done", {"method": "GET"}, ["whole: request method: 'get' expected, got 'post'"]),
        (
            "device-done",
            {"url": "https://github.com/elsewhere"},
            ["whole: request path: '/elsewhere' expected, got '/login/oauth/access_token'"],
        ),
        (
            "device-slow-down",
            {"expect": {"error": {**PENDING, "code": "slow_down"}}},
            [
                "whole: error.type: 'authorization_pending' expected, got 'slow_down'",
                "whole: error.message: 'no' expected, got 'Too many requests have been made in the same timeframe.'",
            ],
        ),
        (
            "authenticator",
            {"expect": {"error": {"status": 403, "message": "Bad credentials"}}},
            ["whole: error.status: 403 expected, got 401"],
        ),
    ],
)
async def test_the_kit_sees_what_differs(
    which: str, change: dict[str, Any], why: list[str], kept: Sequence[Recording]
) -> None:
    recording = next(r for r in kept if which in r.id)
    (verdict,) = await Replayer(dialects={"copilot-auth": sign_in}).replay(
        [attrs.evolve(recording, **change)], ["whole"]
    )
    assert list(verdict.why) == why


async def test_the_kit_sees_an_answer_that_is_taken_for_a_failure(kept: Sequence[Recording]) -> None:
    recording = next(r for r in kept if "authenticator" in r.id)
    (verdict,) = await Replayer().replay([attrs.evolve(recording, expect={})], ["whole"])
    assert len(verdict.why) == 1
    assert verdict.why[0].startswith("whole: failed: SignInFailed(")


async def test_recorded_lists_of_models_are_read(shared: Path, hub: Hub) -> None:
    names = {}
    for path in sorted((shared / "copilot-models").glob("*.json")):
        recording = read(path)
        if recording.status == 200:
            hub.script["/models"] = [Reply(recording.answer.decode())]
            to = line("copilot", hub.url, {})
            names[recording.id[-6:]] = read_models(await ask(to, "/models"))
            await to.aclose()
    (one, other) = names.values()
    by_id = {model.id: model for model in one}
    assert (len(one) > 15, len(other) > 10) == (True, True)
    assert (by_id["gpt-4o"].prompt, by_id["gpt-4o"].offered, by_id["gpt-4o"].capabilities["attachment"]) == (
        64_000,
        True,
        True,
    )
    assert (by_id["gpt-3.5-turbo"].capabilities["tool_call"], by_id["o3-mini"].limits.output) == (True, 100_000)
    assert not by_id["text-embedding-3-small"].usable


async def test_a_dialect_that_cannot_be_loaded_fails_its_own_api_alone(
    kept: Sequence[Recording], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> Any:
        raise ImportError("no such module")

    loads = {"copilot-auth": broken, "copilot-models": lambda: models}
    monkeypatch.setattr(recordings, "_installed_dialects", lambda: loads)
    apart = [recording for recording in kept if recording.api != "copilot-chat"]
    verdicts = await Replayer().replay(apart, ["whole"])
    why = ("its dialect cannot be loaded: ImportError: no such module",)
    assert [v.why for v in verdicts] == [why if v.recording.api == "copilot-auth" else () for v in verdicts]
