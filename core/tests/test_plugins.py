"""Which plugins are found, which are imported, and what is said of those that are not."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import itertools
import logging
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import codetether
import pytest
from codetether import Runtime, specs
from codetether.plugins.boundary import plain
from codetether.plugins.discovery import Candidate, in_process, installed
from codetether.plugins.loaded import LoadedPlugins, Problem
from codetether.settings.core import PluginSettings
from codetether.testing.scripted import ScriptedProvider
from codetether.testing.sessions import Yields
from hypothesis import given
from hypothesis import strategies as st

GOOD = """
import codetether
@codetether.hookimpl
def codetether_agents():
    yield codetether.AgentSpec(name="{name}")
"""
ONLY: dict[str, Any] = {"plugins": {"only": []}}

NUMBERS = itertools.count()


class Site:
    """A directory of installed distributions, first on sys.path."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def install(
        self,
        name: str,
        *,
        source: str = "",
        module: str = "",
        distribution: str = "",
        points: str = "",
        metadata: str = "",
    ) -> None:
        """A distribution with one entry point, as a wheel leaves it behind; its module notes that it was imported."""
        module = module or name.replace("-", "_").replace(".", "_")
        if module == "broken":  # one that hangs holds the lock on its name, so no other may be called like it
            module = f"broken_{next(NUMBERS)}"
        distribution = distribution or f"dist-{name}"
        noted = f"import pathlib; pathlib.Path({str(self.path / (module + '.imported'))!r}).touch()\n"
        if source:
            (self.path / f"{module}.py").write_text(noted + source)
        info = self.path / f"{distribution.replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(metadata or f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(points or f"[codetether]\n{name} = {module}\n")

    def imported(self) -> list[str]:
        return sorted(file.stem for file in self.path.glob("*.imported"))


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    yield Site(tmp_path)
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


def found(site: Site) -> list[Candidate]:
    """What is installed at the site, without what this environment itself holds."""
    real = {c.name for c in installed() if c.distribution.startswith("codetether-")}
    return [c for c in installed() if c.name not in real]


def loaded(candidates: list[Candidate], **how: Any) -> LoadedPlugins:
    limits = {key: how.pop(key) for key in ("import_limit", "hook_limit", "strict") if key in how}
    made = LoadedPlugins(**limits)
    made.load(candidates, PluginSettings(**how))
    return made


def said(plugins: LoadedPlugins) -> list[tuple[str, str, str]]:
    return [(info.name, problem.hook, problem.reason) for info, problem in plugins.problems()]


@given(st.text(max_size=3000), st.integers(2, 100))
def test_M11_what_a_plugin_says_is_one_harmless_line(text: str, limit: int) -> None:
    shown = plain(text, limit)
    assert shown == "" or shown.isprintable()
    assert len(shown) <= limit
    assert plain("fair words", 100) == "fair words"


def test_what_is_installed_is_found_loaded_and_asked(site: Site) -> None:
    site.install("fair", source=GOOD.format(name="fair"))
    plugins = loaded(found(site))
    (info,) = plugins.plugins
    assert (info.name, info.distribution, info.version, info.module) == ("fair", "dist-fair", "1.0", "fair")
    assert (info.status, info.hooks, info.problems) == ("loaded", ("codetether_agents",), [])
    assert [p.record for p in plugins.collect(specs.AgentSpec)] == [specs.AgentSpec(name="fair")]
    assert info.seconds > 0
    assert info.hook_seconds["codetether_agents"] > 0


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import no_such_module_anywhere", "ModuleNotFoundError: No module named 'no_such_module_anywhere'"),
        ("compile('def (', '<unknown>', 'exec')", "SyntaxError: invalid syntax (<unknown>, line 1)"),
        ("raise ValueError('boom\\n\\x1b[31m')", "ValueError: boom \\x1b[31m"),
        ("raise SystemExit(0)", "SystemExit: 0"),
        ("import os, sys; sys.exit('bye')", "SystemExit: bye"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("raise GeneratorExit", "GeneratorExit"),
        ("import asyncio; raise asyncio.CancelledError", "CancelledError"),
        ("raise MemoryError", "MemoryError"),
        ("def f(): f()\nf()", "RecursionError: maximum recursion depth exceeded"),
        (
            "class E(Exception):\n def __str__(self): raise KeyError('x')\nraise E",
            "E: (its text cannot be had: KeyError)",
        ),
        ("import time; time.sleep(30)", "took longer than 0.7 s; abandoned"),
        ("x = 1", "it has no hook: mark functions named codetether_… with @codetether.hookimpl"),
    ],
)
def test_M01_M03_M04_an_import_that_fails_costs_only_itself(site: Site, source: str, reason: str) -> None:
    site.install("broken", source=source)
    site.install("fair", source=GOOD.format(name="fair"))
    plugins = loaded(found(site), import_limit=0.7 if "sleep" in source else 10)
    assert [p.record.name for p in plugins.collect(specs.AgentSpec)] == ["fair"]
    assert said(plugins) == [("broken", "", reason)]
    assert next(p for p in plugins.plugins if p.name == "broken").whole is False


def test_an_abandoned_import_changes_nothing_when_it_ends(site: Site) -> None:
    site.install("late", source="import time; time.sleep(0.4)\n" + GOOD.format(name="late"))
    plugins = loaded(found(site), import_limit=0.1)
    deadline = time.monotonic() + 5
    while "codetether_agents" not in vars(sys.modules.get("late", ModuleType("none"))) and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.05)
    assert hasattr(sys.modules["late"], "codetether_agents")
    assert plugins.collect(specs.AgentSpec) == []
    assert said(plugins) == [("late", "", "took longer than 0.1 s; abandoned")]


@pytest.mark.parametrize(
    ("choice", "names", "status"),
    [
        ({"allow": ("Foo.Bar",)}, ["foo-bar"], "not_allowed"),
        ({"allow": ()}, [], "not_allowed"),
        ({"block": ("other", "third_one")}, ["foo-bar"], "blocked"),
        ({"only": ("FOO_bar",)}, ["foo-bar"], "not_allowed"),
        ({"only": ()}, [], "not_allowed"),
        ({"allow": ("foo-bar", "other"), "only": ("other", "third.one")}, ["other"], "not_allowed"),
        ({"allow": ("foo-bar", "other"), "block": ("OTHER",)}, ["foo-bar"], None),
    ],
)
def test_M06_what_is_not_wanted_is_not_imported(
    site: Site, choice: dict[str, Any], names: list[str], status: str | None
) -> None:
    for name in ("foo-bar", "other", "third.one"):
        site.install(name, source=GOOD.format(name=name))
    plugins = loaded(found(site), **choice)
    assert [p.name for p in plugins.plugins if p.status == "loaded"] == names
    assert site.imported() == [name.replace("-", "_") for name in names]
    assert said(plugins) == []
    if status:
        assert {p.status for p in plugins.plugins if p.name not in names} == {status}


@pytest.mark.parametrize(
    ("needed", "reason"),
    [
        (">=0.1,<0.2", None),
        ("(~=0.1.0)", None),
        ("", None),
        ("== 0.1.*", None),
        (">=99; extra == 'later'", None),
        ("@ file:///nowhere", None),
        (">=99", "it needs codetether-core >=99, and this is 0.1.0: install one that fits"),
        ("~=1.0", "it needs codetether-core ~=1.0, and this is 0.1.0: install one that fits"),
        (">=0.1,!=0.1", "it needs codetether-core >=0.1,!=0.1, and this is 0.1.0: install one that fits"),
        ("<0.1", "it needs codetether-core <0.1, and this is 0.1.0: install one that fits"),
        (">> soon", "it needs codetether-core '>> soon', which is no version"),
    ],
)
def test_M05_a_plugin_for_another_version_is_not_loaded(
    site: Site, monkeypatch: pytest.MonkeyPatch, needed: str, reason: str | None
) -> None:
    monkeypatch.setattr("codetether.plugins.discovery.__version__", "0.1.0")
    metadata = f"Metadata-Version: 2.1\nName: other\nVersion: 1.0\nRequires-Dist: codetether-core {needed}\n"
    site.install("other", source=GOOD.format(name="other"), metadata=metadata)
    plugins = loaded(found(site))
    assert said(plugins) == ([("other", "", reason)] if reason else [])
    assert site.imported() == ([] if reason else ["other"])


@pytest.mark.parametrize("name", ["f\u043e\u043ebar", "foo bar", "x" * 101, "-foo", "foo\u200b"])
def test_M06_a_name_that_looks_like_another_is_refused(site: Site, name: str) -> None:
    site.install(name, source=GOOD.format(name="evil"), module="evil", distribution="evil")
    plugins = loaded(found(site))
    ((shown, _, reason),) = said(plugins)
    assert reason == "its name is not made of ASCII letters, digits, '.', '_' and '-'"
    assert shown.isprintable()
    assert site.imported() == []
    assert loaded(found(site), allow=("foobar",)).plugins[0].status == "not_allowed"


@pytest.mark.parametrize(
    ("altered", "names", "told"),
    [
        ("warn", ["ours", "strange"], ["strange"]),
        ("refuse", [], ["ours", "strange"]),
        ("ignore", ["ours", "strange"], []),
    ],
)
def test_M07_a_plugin_that_was_changed_is_told_or_refused(
    site: Site, altered: Any, names: list[str], told: list[str]
) -> None:
    distributions = {"ours": "codetether-ours", "strange": "strange"}
    for name, distribution in distributions.items():
        site.install(name, source=GOOD.format(name=name), distribution=distribution)
        record(site, name, distribution)
    candidates = [c for c in installed() if c.name in distributions]
    assert said(loaded(candidates, altered=altered)) == []
    for name in distributions:
        (site.path / f"{name}.py").write_text(GOOD.format(name=name) + "# changed\n")
    plugins = loaded(candidates, altered=altered)
    assert [p.name for p in plugins.plugins if p.status == "loaded"] == names
    why = "{}.py is not what was installed (codetether plugins verify)"
    assert said(plugins) == [(name, "", why.format(name)) for name in told]


def record(site: Site, name: str, distribution: str) -> None:
    """Writes the RECORD that an installer would have written."""
    data = (site.path / f"{name}.py").read_bytes()
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
    (folder,) = site.path.glob(f"{distribution.replace('-', '_')}-*.dist-info")
    (folder / "RECORD").write_text(f"{name}.py,sha256={digest},{len(data)}\n{folder.name}/RECORD,,\n")


def test_M10_a_plugin_that_replaces_what_others_stand_on_is_told(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.Logger, "handle", logging.Logger.handle)  # put back afterwards
    source = "import logging\nlogging.Logger.handle = lambda self, record: None\n"
    site.install("patching", source=source + GOOD.format(name="patching"))
    site.install("fair", source=GOOD.format(name="fair"))
    why = "it replaced logging.Logger.handle, which others rely on; nothing fences a plugin in"
    assert said(loaded(found(site))) == [("patching", "", why)]


def test_two_plugins_of_one_name_are_both_refused_and_named(site: Site) -> None:
    site.install("Foo.Bar", source=GOOD.format(name="a"), module="one", distribution="first")
    site.install("foo_bar", source=GOOD.format(name="b"), module="two", distribution="second")
    plugins = loaded(found(site))
    assert said(plugins) == [
        ("Foo.Bar", "", "the name 'Foo.Bar' is also used by second; uninstall one of them"),
        ("foo_bar", "", "the name 'foo_bar' is also used by first; uninstall one of them"),
    ]
    assert site.imported() == []


def test_a_stranger_cannot_take_the_name_of_cores_own() -> None:
    ours = Candidate(
        name="policy", load=partial(import_module, "codetether.builtin.policy"), module="codetether", ours=True
    )
    stranger = in_process(Yields("codetether_permission_policies", None, name="Policy"))
    plugins = loaded([stranger, ours])
    assert [p.plugin for p in plugins.collect(specs.PolicySpec)] == ["policy"]
    assert said(plugins) == [("Policy", "", "the name 'Policy' is also used by codetether; it needs another")]


@pytest.mark.parametrize(
    ("point", "reason"),
    [
        ("os:system", "its entry point 'os:system' is no module"),
        ("shutil:rmtree", "its entry point 'shutil:rmtree' is no module"),
        ("fair:codetether_agents", "its entry point 'fair:codetether_agents' is no module"),
        ("fair:nothing", "AttributeError: module 'fair' has no attribute 'nothing'"),
        ("os", "it has no hook: mark functions named codetether_… with @codetether.hookimpl"),
    ],
)
def test_M11_an_entry_point_is_a_module_and_never_called(site: Site, point: str, reason: str) -> None:
    site.install("fair", source=GOOD.format(name="fair"))
    site.install("odd", points=f"[codetether]\nodd = {point}\n")
    plugins = loaded(found(site))
    assert said(plugins) == [("odd", "", reason)]
    assert [p.record.name for p in plugins.collect(specs.AgentSpec)] == ["fair"]


@pytest.mark.parametrize(
    ("points", "metadata"),
    [
        ("[codetether]\nno equals sign\n", ""),
        ("[codetether]\nodd =\n", ""),
        ("[codetether\nodd = odd\n", ""),
        ("[codetether]\nodd = !!!\n", ""),
        ("", "Summary: no name at all\n"),
        ("", ""),
        ("", "Metadata-Version: 2.1\nName: odd\x1b[31m\nVersion: 1\x00\nSummary: " + "x" * 1_000_000 + "\n"),
    ],
)
def test_M11_metadata_that_cannot_be_read_costs_no_other_plugin(site: Site, points: str, metadata: str) -> None:
    site.install("fair", source=GOOD.format(name="fair"))
    site.install("odd", source=GOOD.format(name="odd"), points=points, metadata=metadata)
    if not points and not metadata:
        (site.path / "dist_odd-1.0.dist-info" / "METADATA").unlink()
    plugins = loaded(found(site))
    assert "fair" in [p.record.name for p in plugins.collect(specs.AgentSpec)]
    for info in plugins.plugins:
        for text in (info.name, info.distribution, info.version, info.module, *(p.reason for p in info.problems)):
            assert text == "" or text.isprintable()
            assert len(text) <= 1012


def hooked(name: str, function: Callable[..., Any], **options: Any) -> Any:
    """A plugin with one hook."""
    function.__name__ = name
    made = type("P", (), {"__codetether_name__": "broken"})()
    setattr(made, name, codetether.hookimpl(function, **options) if options else codetether.hookimpl(function))
    return made


def nothing() -> list[Any]:
    return []


def wrapper() -> Iterator[Any]:
    yield


def test_a_hook_that_this_version_does_not_know_is_named_and_the_rest_is_asked() -> None:
    plugin = hooked("codetether_telepathy", nothing)
    agents = hooked("codetether_agents", lambda: [specs.AgentSpec(name="a")])
    plugin.codetether_agents = agents.codetether_agents
    plugins = loaded([in_process(plugin)])
    assert said(plugins) == [("broken", "codetether_telepathy", "this hook is unknown to this version of codetether")]
    assert [p.record.name for p in plugins.collect(specs.AgentSpec)] == ["a"]


def test_a_hook_of_a_later_version_can_be_marked_as_optional() -> None:
    plugin = hooked("codetether_telepathy", nothing, optionalhook=True)
    agents = hooked("codetether_agents", lambda: iter(()))
    plugin.codetether_agents = agents.codetether_agents
    assert said(loaded([in_process(plugin)])) == []


@pytest.mark.parametrize("kind", ["wrapper", "hookwrapper"])
def test_hook_wrappers_are_refused(kind: str) -> None:
    plugins = loaded([in_process(hooked("codetether_agents", wrapper, **{kind: True}))])
    assert said(plugins) == [("broken", "codetether_agents", "hook wrappers are refused")]
    assert plugins.collect(specs.AgentSpec) == []


def test_a_hook_that_wants_arguments_is_refused() -> None:
    plugins = loaded([in_process(hooked("codetether_agents", lambda settings: []))])
    ((name, _, reason),) = said(plugins)
    assert name == "broken"
    assert "codetether_agents(settings)" in reason
    assert "can not be found in the hookspec" in reason
    assert plugins.collect(specs.AgentSpec) == []


def test_two_functions_may_serve_one_hook() -> None:
    plugin = hooked("codetether_agents", lambda: [specs.AgentSpec(name="a")])

    def more() -> Any:
        yield specs.AgentSpec(name="b")

    plugin.more = codetether.hookimpl(more, specname="codetether_agents")
    plugins = loaded([in_process(plugin)])
    assert {p.record.name for p in plugins.collect(specs.AgentSpec)} == {"a", "b"}


def test_the_order_of_plugins_is_that_of_their_names() -> None:
    def agent(name: str) -> Candidate:
        return in_process(Yields("codetether_agents", specs.AgentSpec(name=name), name=name))

    plugins = loaded([agent("zeta"), agent("alpha"), agent("mid")])
    assert [p.plugin for p in plugins.collect(specs.AgentSpec)] == ["alpha", "mid", "zeta"]


@pytest.mark.parametrize(
    ("module", "name"),
    [("weather", "weather"), ("codetether_weather.plugin", "codetether_weather"), ("plugin", "plugin")],
)
def test_a_module_that_is_handed_over_has_the_name_of_its_package(module: str, name: str) -> None:
    assert in_process(ModuleType(module)).name == name


@pytest.mark.parametrize(
    ("required", "why"),
    [
        ("gone", "not installed"),
        ("blocked", "blocked"),
        ("broken", "ValueError: boom"),
        ("half", "ValueError: boom"),
        ("unknown-hook", "this hook is unknown to this version of codetether"),
    ],
)
async def test_no_session_opens_without_a_required_plugin(required: str, why: str) -> None:
    def boom() -> Iterator[Any]:
        yield specs.AgentSpec(name="a")
        raise ValueError("boom")

    half = hooked("codetether_agents", boom)
    half.__codetether_name__ = "half"
    unknown = hooked("codetether_telepathy", nothing)
    unknown.__codetether_name__ = "Unknown_Hook"
    broken = Yields("codetether_agents", specs.AgentSpec(name="b"), name="broken")
    blocked = Yields("codetether_agents", specs.AgentSpec(name="c"), name="blocked")
    settings = {"plugins": {"only": [], "required": ["fine", required], "block": ["blocked"]}}
    fine = Yields("codetether_agents", specs.AgentSpec(name="d"), name="fine")
    given = [ScriptedProvider("hello"), half, unknown, broken, blocked, fine]
    async with Runtime.open(settings, plugins=given, on_notice=lambda *_: None) as runtime:
        if required == "broken":
            runtime.plugins.report("broken", "codetether_agents", ValueError("boom"))
        with pytest.raises(codetether.RequiredPluginMissing) as raised:
            async with runtime.session(model="scripted"):
                pytest.fail("a session opened")
    assert raised.value.message == f"the required plugin {required!r} is not there whole: {why}"
    assert await asyncio.to_thread(_no_session_is_left)


def _no_session_is_left() -> bool:
    import os

    return not list(Path(os.environ["CODETETHER_HOME"]).glob("data/sessions/*/*/journal.jsonl"))


async def test_a_required_plugin_whose_object_fails_lets_no_session_open() -> None:
    def explode(ctx: Any) -> Any:
        raise ValueError("boom")

    guard = Yields("codetether_event_sinks", specs.EventSinkSpec(name="corp", create=explode), name="corp")
    settings = {"plugins": {"only": [], "required": ["corp"]}}
    async with Runtime.open(settings, plugins=[ScriptedProvider(), guard], on_notice=lambda *_: None) as runtime:
        with pytest.raises(codetether.RequiredPluginMissing, match="ValueError: boom"):
            async with runtime.session(model="scripted"):
                pytest.fail("a session opened")


async def test_the_user_sees_plugin_hook_and_reason_in_one_line_each_once() -> None:
    broken = hooked("codetether_agents", lambda: [7])
    lines: list[str] = []
    given = [ScriptedProvider("hello"), broken]
    async with Runtime.open(ONLY, plugins=given, on_notice=lambda *line: lines.append(": ".join(line))) as runtime:
        for _ in range(2):
            async with runtime.session(model="scripted") as session:
                await session.prompt("hi")
        assert runtime.plugins.problems()[0][1] == Problem(
            hook="codetether_agents", reason="yielded int, not AgentSpec"
        )
    assert lines == ["plugins: broken (codetether_agents): yielded int, not AgentSpec"]


async def test_strict_raises_at_the_first_report() -> None:
    broken = hooked("codetether_agents", lambda: [7])
    with pytest.raises(codetether.PluginError, match="plugin broken, hook codetether_agents: yielded int"):
        async with Runtime.open(ONLY, plugins=[broken], strict=True):
            pytest.fail("it opened")


@pytest.mark.parametrize(
    ("variable", "value", "there"),
    [
        ("CODETETHER_PLUGINS", "fair", ["fair"]),
        ("CODETETHER_PLUGINS", "", []),
        ("CODETETHER_NO_PLUGINS", "Fair, other", ["third"]),
        ("CODETETHER_NO_PLUGINS", "third", ["fair", "other"]),
    ],
)
async def test_the_environment_chooses_plugins(
    site: Site, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, there: list[str]
) -> None:
    for name in ("fair", "other", "third"):
        site.install(name, source=GOOD.format(name=name))
    monkeypatch.setenv(variable, value)
    async with Runtime.open(on_notice=lambda *_: None) as runtime:
        agents = set(runtime.agents())
    assert sorted(agents & {"fair", "other", "third"}) == there
    assert site.imported() == there
