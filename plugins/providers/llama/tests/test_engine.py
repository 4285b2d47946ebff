"""llama.cpp in this process: streams, stops when told, says what is wrong, answers nobody else."""

from __future__ import annotations

import asyncio
import time
import urllib.error
import urllib.request
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from codetether import ContextOverflow, InvalidRequest, ModelNotFound, ServerFailed
from codetether_llama import Engine, engine, inspect

STORY = {"messages": [{"role": "user", "content": "Tell me a long story."}], "temperature": 0}


async def pieces(smollm2: Engine, **fields: Any) -> list[str]:
    async with aclosing(smollm2.chat({**STORY, **fields})) as stream:
        events = [event async for event in stream]
    deltas = [choice["delta"].get("content") for event in events for choice in event["choices"]]
    return [delta for delta in deltas if delta]


async def test_text_comes_in_pieces_and_ends_with_the_tokens_used(smollm2: Engine) -> None:
    async with aclosing(smollm2.chat({**STORY, "max_tokens": 8})) as stream:
        events = [event async for event in stream]
    told = [choice["delta"]["content"] for e in events for choice in e["choices"] if choice["delta"].get("content")]
    assert len(told) > 3
    assert events[-1]["usage"]["completion_tokens"] == 8


async def test_the_event_loop_runs_on_while_the_model_works(smollm2: Engine) -> None:
    longest, last = 0.0, time.perf_counter()

    async def tick() -> None:
        nonlocal longest, last
        while True:
            await asyncio.sleep(0.005)
            now = time.perf_counter()
            longest, last = max(longest, now - last), now

    ticking = asyncio.create_task(tick())
    began = time.perf_counter()
    await pieces(smollm2, max_tokens=16)
    took = time.perf_counter() - began
    ticking.cancel()
    assert longest < max(0.25, took / 2)


async def test_a_closed_stream_stops_at_the_next_token(smollm2: Engine) -> None:
    async def timed(tokens: int) -> tuple[float, list[str]]:
        began = time.perf_counter()
        told = await pieces(smollm2, max_tokens=tokens)
        return time.perf_counter() - began, told

    forty, told = await timed(40)
    async with aclosing(smollm2.chat({**STORY, "max_tokens": 1000})) as stream:
        async for event in stream:
            if event["choices"][0]["delta"].get("content"):
                break
    few, again = await timed(3)
    assert again == told[:3]
    assert few < forty  # and not the time that a thousand take


async def test_a_cancelled_task_frees_the_engine(smollm2: Engine) -> None:
    task = asyncio.create_task(pieces(smollm2, max_tokens=2000))
    await asyncio.sleep(0.3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(20):
        assert await pieces(smollm2, max_tokens=2)


async def test_requests_at_once_are_answered_one_after_the_other(smollm2: Engine) -> None:
    alone = await pieces(smollm2, max_tokens=4)
    assert await asyncio.gather(*[pieces(smollm2, max_tokens=4) for _ in range(3)]) == [alone] * 3


async def test_too_long_a_request_overflows_by_name(smollm2: Engine) -> None:
    with pytest.raises(ContextOverflow, match=r"the request is \d+ tokens long, the model has room for 2048"):
        await pieces(smollm2, messages=[{"role": "user", "content": "word " * 4000}])


async def test_a_field_that_the_engine_refuses_is_said(smollm2: Engine) -> None:
    with pytest.raises(InvalidRequest, match="refuses the request"):
        await pieces(smollm2, grammar="root ::= nothing", max_tokens=2)


async def test_the_port_answers_nobody_without_the_key(smollm2: Engine) -> None:
    await pieces(smollm2, max_tokens=1)

    def knock(path: str, key: str = "") -> tuple[int, bool]:
        headers = {"Origin": "http://evil.example", "Authorization": f"Bearer {key}"}
        body = b"{}" if "complet" in path else None
        request = urllib.request.Request(f"{smollm2.address}{path}", data=body, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, bool(answer.headers.get("Access-Control-Allow-Origin"))
        except urllib.error.HTTPError as error:
            with error:
                return error.code, bool(error.headers.get("Access-Control-Allow-Origin"))

    paths = ("/completion", "/v1/chat/completions", "/v1/models", "/slots", "/props", "/metrics")
    assert {path: await asyncio.to_thread(knock, path) for path in paths} == dict.fromkeys(paths, (401, False))
    assert await asyncio.to_thread(knock, "/") == (404, False)
    assert (await asyncio.to_thread(knock, "/v1/models", smollm2.key)) == (200, False)


def test_one_engine_serves_a_file_however_it_is_named(model_path: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.gguf"
    link.symlink_to(model_path)
    assert engine(inspect(link), 512, 1) is engine(inspect(model_path), 512, 1)


def test_a_file_is_looked_at_before_the_engine_sees_it(model_path: Path, tmp_path: Path) -> None:
    seen = inspect(model_path)
    assert (seen.architecture, seen.parameters, seen.context) == ("llama", 134_515_008, 8192)
    assert "<|im_start|>" in seen.template
    with pytest.raises(ModelNotFound, match="no model file at"):
        inspect(tmp_path / "nowhere.gguf")
    other = tmp_path / "other.gguf"
    other.write_bytes(b"PK\x03\x04 not a model")
    with pytest.raises(InvalidRequest, match=r"other\.gguf is no GGUF file"):
        inspect(other)


def test_control_tokens_of_its_vocabulary_are_known(model_path: Path) -> None:
    model = inspect(model_path)
    tokens = [("<|im_start|>", "<|im_end|>"), ("<|im_start|>", "the"), ("<start_function_call>",), ()]
    assert [model.controls(*each) for each in tokens] == [True, False, False, True]


@pytest.mark.parametrize("share", [0.0001, 0.01, 0.02, 0.5])
def test_a_file_cut_short_is_named_damaged(model_path: Path, tmp_path: Path, share: float) -> None:
    cut = tmp_path / "cut.gguf"
    with model_path.open("rb") as whole:
        cut.write_bytes(whole.read(int(model_path.stat().st_size * share)))
    with pytest.raises(InvalidRequest, match=r"cut\.gguf is damaged or cut short"):
        inspect(cut)


async def test_what_only_the_engine_finds_is_told_in_words_and_not_on_the_screen(
    model_path: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    cut = tmp_path / "cut.gguf"
    with model_path.open("rb") as whole:
        cut.write_bytes(whole.read(model_path.stat().st_size - 100))
    with pytest.raises(ServerFailed, match=r"llama\.cpp cannot load .*cut\.gguf \(llama\)"):
        await pieces(engine(inspect(cut)))
    assert capfd.readouterr() == ("", "")
