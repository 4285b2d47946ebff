"""A session recorded once is replayed without its provider and without its tools."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from codetether import (
    Provider,
    ProviderSpec,
    RateLimited,
    Runtime,
    ToolContext,
    tool,
)
from codetether.testing.cassette import Cassette, CassetteMismatch, first_difference
from codetether.testing.scripted import Call, ScriptedProvider
from codetether.testing.sessions import ONLY, Tools, heard, kinds, results
from codetether.testing.subjects import subject
from codetether.testing.tape import Player, recorded

pytest_plugins = ["pytester"]
RAN: list[str] = []


@tool(effects=("read",))
def look(path: str, ctx: ToolContext) -> str:
    """Looks at a file.

    Args:
        path: which one
    """
    RAN.append(path)
    return f"{ctx.directory / path}: {(ctx.directory / path).read_text()}"


SEEN, GONE = Call("look", {"path": "a.txt"}), Call("look", {"path": "gone"})
SCRIPT = (SEEN, [SEEN, GONE], "All seen.")


async def session_on(plugins: list[Any], directory: Path, prompt: str = "look") -> tuple[list[str], list[Any]]:
    """The kinds of events of one prompt, and the results of its tools."""
    async with (
        Runtime.open(ONLY, plugins=plugins, directory=directory) as runtime,
        runtime.session(model="scripted/model") as session,
    ):
        return kinds(await heard(session, prompt)), results(session)


async def record(path: Path, directory: Path) -> tuple[list[str], list[Any]]:
    """Records the script onto a cassette."""
    (directory / "a.txt").write_text("grüße \U0001f600\n")
    cassette = Cassette(path=path)
    taped = recorded(cassette, [subject(ScriptedProvider(*SCRIPT)), subject(Tools(look))])
    seen = await session_on([*taped], directory)
    cassette.save()
    return seen


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path, Path]:
    """A cassette, the workspace where it is recorded, and another one."""
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    return tmp_path / "some.jsonl", tmp_path / "one", tmp_path / "two"


async def test_a_replay_is_the_session_again_elsewhere(places: tuple[Path, Path, Path]) -> None:
    path, one, two = places
    events, seen = await record(path, one)
    RAN.clear()
    player = Player(Cassette.load(path))
    again, replayed = await session_on([player.plugin], two)
    player.check()
    assert (again, RAN) == (events, [])
    assert replayed == [(name, good, text.replace(str(one), str(two))) for name, good, text in seen]


async def test_the_first_difference_is_told(places: tuple[Path, Path, Path]) -> None:
    path, one, two = places
    await record(path, one)
    player = Player(Cassette.load(path))
    await session_on([player.plugin], two, "look again")
    with pytest.raises(CassetteMismatch) as raised:
        player.check()
    assert raised.value.message == (
        "some.jsonl: the request differs from the recorded one at messages[0].parts[0].text: "
        "recorded 'look', now 'look again'"
    )


async def test_what_is_never_asked_for_is_told(places: tuple[Path, Path, Path]) -> None:
    path, one, _ = places
    await record(path, one)
    with pytest.raises(CassetteMismatch, match="6 recorded exchanges were not asked for: a completion"):
        Player(Cassette.load(path)).check()


class Keyed(ScriptedProvider):
    """A provider that shows its key."""

    async def connect(self, provider: Provider) -> Any:
        self.key = str(provider.secret.get("api_key")) if provider.secret else ""
        self._steps = [lambda request: f"I am {self.key}."]
        return self

    def codetether_providers(self) -> Any:
        yield ProviderSpec(name="scripted", wire="scripted", env=("SCRIPTED_API_KEY",), default_model="model")

    codetether_providers.codetether_impl = ScriptedProvider.codetether_providers.codetether_impl  # type: ignore[attr-defined]


async def test_secrets_are_out_before_it_is_written(
    places: tuple[Path, Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, one, _ = places
    monkeypatch.setenv("SCRIPTED_API_KEY", "sk-scripted-0123456789")
    cassette = Cassette(path=path)
    await session_on([*recorded(cassette, [subject(Keyed())])], one)
    cassette.save()
    text = path.read_text()
    assert ("sk-scripted" in text, "I am [redacted:scripted.api_key]." in text) == (False, True)


async def test_a_failure_of_the_provider_is_replayed(places: tuple[Path, Path, Path]) -> None:
    path, one, two = places
    cassette = Cassette(path=path)
    failure = RateLimited("scripted: too many requests", remedy="wait")
    plugins = recorded(cassette, [subject(ScriptedProvider(["so f", failure], "so far"))])
    events, _ = await session_on([*plugins], one)
    cassette.save()
    player = Player(Cassette.load(path))
    assert (await session_on([player.plugin], two))[0] == events
    player.check()


async def test_a_cassette_is_lines_that_people_can_read(places: tuple[Path, Path, Path]) -> None:
    path, one, _ = places
    await record(path, one)
    lines = [orjson.loads(line) for line in path.read_bytes().splitlines()]
    assert [line.get("exchange", "head") for line in lines] == [
        "head", "completion", "tool", "completion", "tool", "tool", "completion",
    ]  # fmt: skip
    assert lines[2] == {
        "exchange": "tool",
        "name": "look",
        "arguments": {"path": "a.txt"},
        "resources": {},
        "result": {"content": [{"type": "text", "text": "<directory>/a.txt: grüße \U0001f600\n"}]},
    }


def test_a_difference_names_its_place() -> None:
    pairs: Any = (({"a": [1, 2]}, {"a": [1]}), ({"a": 1}, {"a": 1, "b": None}), (1, 2))
    found = [str(first_difference(*pair)) for pair in pairs]
    assert found == ["a[1]: recorded 2, now None", "None", "it: recorded 1, now 2"]


def test_the_fixture_records_once_and_replays_ever_after(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROBE_API_KEY", "sk-probe")
    pytester.makeini(
        "[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\ncodetether_no_network = true\n"
    )
    pytester.makepyfile("""
        import os, socket
        from codetether.testing.scripted import ScriptedProvider

        async def test_answer(cassette):
            may_ask = "PROBE_API_KEY" in os.environ, "connect" not in vars(socket.socket)
            assert may_ask == (cassette.record, cassette.record)
            async with cassette.session("files", ScriptedProvider("Once."), model="scripted/model") as session:
                assert (await session.prompt("how often?")).text == "Once."
    """)
    pytester.runpytest_inprocess("-q").assert_outcomes(failed=1)
    pytester.runpytest_inprocess("-q", "--codetether-record").assert_outcomes(passed=1)
    pytester.runpytest_inprocess("-q").assert_outcomes(passed=1)
    [made] = pytester.path.rglob("cassettes/*/*.jsonl")
    assert made.name == "test_answer.jsonl"
    made.write_text(made.read_text().replace("how often?", "how often then?"))
    result = pytester.runpytest_inprocess("-q")
    result.stdout.fnmatch_lines(["*recorded 'how often then?', now 'how often?'*"])
