"""The pytest plugin `codetether`: fixtures for tests of plugins, a switch for the network, a test for each promise."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:  # every pytest run imports this module, with or without codetether: what is heavy comes later
    from codetether.testing.scripted import ScriptedProvider

KEPT = ("CODETETHER_SHARED", "CODETETHER_PROOF")
_UNASKED = pytest.StashKey[bool]()
"""The network is forbidden to the test, which did not ask for the fixture and so looks at nothing that was tried."""
_SECRET = ("_API_KEY", "_BASE_URL", "_AUTH_TOKEN", "_ACCESS_KEY")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--codetether`, `--codetether-no-network`, `--codetether-record`."""
    group = parser.getgroup("codetether", "codetether: plugins and sessions")
    group.addoption(
        "--codetether",
        action="append",
        default=[],
        metavar="PLUGIN",
        help="also try every promise that fits this installed plugin ('all': every one)",
    )
    group.addoption(
        "--codetether-no-network", action="store_true", help="every test fails that reaches for another machine"
    )
    group.addoption(
        "--codetether-record",
        action="store_true",
        help="record cassettes from what really answers, in place of replaying",
    )
    parser.addini(
        "codetether", "installed plugins whose promises are tried, as by --codetether", type="args", default=[]
    )
    parser.addini("codetether_no_network", "as by --codetether-no-network", type="bool", default=False)


def pytest_configure(config: pytest.Config) -> None:
    """Names the marker."""
    config.addinivalue_line("markers", "no_network: this test fails when it reaches for another machine")


def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Adds a test for each promise of the plugins that were named."""
    names = [*config.getoption("--codetether"), *config.getini("codetether")]
    if names:
        from codetether.testing.items import promise_items

        items.extend(promise_items(session, names))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Forbids the network to tests that are marked, or to all but those that record what really answers."""
    names: list[str] = getattr(item, "fixturenames", [])
    forbidden = no_network_anywhere(item.config) or item.get_closest_marker("no_network")
    if forbidden and "no_network" not in names and not _records(item.config, names):
        names.insert(0, "no_network")
        item.stash[_UNASKED] = True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """A test fails too where the code that was refused the network told nobody."""
    yield
    tried = getattr(item, "funcargs", {}).get("no_network")
    if tried and item.stash.get(_UNASKED, False):
        pytest.fail(f"it tried to reach {', '.join(dict.fromkeys(tried))}, and real requests are forbidden here", False)


def no_network_anywhere(config: pytest.Config) -> bool:
    """Whether no test at all may reach another machine."""
    return bool(config.getoption("--codetether-no-network") or config.getini("codetether_no_network"))


def _records(config: pytest.Config, names: Iterable[str]) -> bool:
    return bool(config.getoption("--codetether-record")) and "cassette" in names


@pytest.fixture
def codetether_home(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """An empty CODETETHER_HOME of the test's own; the variables of codetether and all keys are unset.

    The keys stay where a cassette is recorded: what really answers needs them.
    """
    keys = not _records(request.config, request.fixturenames)
    for name in list(os.environ):
        ours = name.startswith("CODETETHER_") and name not in KEPT
        if ours or (keys and (name.endswith(_SECRET) or name.startswith(("VAULT_", "AWS_")))):
            monkeypatch.delenv(name)
    place = tmp_path_factory.mktemp("codetether-home")
    monkeypatch.setenv("CODETETHER_HOME", str(place))
    return place


@pytest.fixture
def no_network() -> Iterator[list[str]]:
    """Real requests are forbidden; the value lists those that were tried."""
    from codetether.testing.network import no_network as forbidden

    with forbidden() as tried:
        yield tried


@pytest.fixture
def scripted(codetether_home: Path, tmp_path: Path) -> Callable[..., Any]:
    """`async with scripted("a step", Call("read", {...}), plugins=[mine]) as (session, provider)`: a real session.

    The model plays the script, the workspace is `tmp_path`, and no installed plugin interferes; see
    `codetether.testing.sessions.opened` for what else it takes.
    """
    from codetether.testing.sessions import opened

    def open_session(*script: Any, **how: Any) -> Any:
        return opened(*script, **{"directory": tmp_path, **how})

    return open_session


@pytest.fixture
def scripted_provider() -> type[ScriptedProvider]:
    """The class, for tests that open a Runtime themselves."""
    from codetether.testing.scripted import ScriptedProvider

    return ScriptedProvider


@pytest.fixture
def cassette(request: pytest.FixtureRequest, codetether_home: Path, tmp_path: Path) -> Iterator[Any]:
    """A `Deck` for `cassettes/<module>/<test>.jsonl` beside the test: replayed; recorded by --codetether-record."""
    from codetether.testing.deck import Deck

    path = request.path.parent / "cassettes" / request.path.stem / f"{request.node.name}.jsonl"
    deck = Deck(path=path, directory=tmp_path, record=request.config.getoption("--codetether-record"))
    yield deck
    deck.close()
