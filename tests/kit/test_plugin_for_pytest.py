"""The pytest plugin as a stranger meets it: in a pytest of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]


@pytest.fixture
def stranger(pytester: pytest.Pytester) -> pytest.Pytester:
    """A directory with tests of its own; it runs in a directory of its own."""
    pytester.makeini("[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n")
    return pytester


def test_fixtures_of_a_session_on_a_script(stranger: pytest.Pytester) -> None:
    stranger.makepyfile("""
        import os
        from codetether import tool
        from codetether.testing.scripted import Call
        from codetether.testing.sessions import results

        @tool(effects=("read",))
        def double(number: int) -> int:
            '''Doubles a number.'''
            return 2 * number

        async def test_a_session(scripted, tmp_path):
            async with scripted(Call("double", {"number": 21}), "It is 42.", tools=[double]) as (session, provider):
                result = await session.prompt("double 21")
                assert (result.text, results(session)) == ("It is 42.", [("double", True, "42")])
                assert session.session.metadata.directory == str(tmp_path)

        def test_a_home(codetether_home):
            assert os.environ["CODETETHER_HOME"] == str(codetether_home) and not any(codetether_home.iterdir())
            assert "OPENAI_API_KEY" not in os.environ
    """)
    stranger._monkeypatch.setenv("OPENAI_API_KEY", "sk-real-0123456789")
    stranger.runpytest_subprocess("-q", "-p", "no:cacheprovider").assert_outcomes(passed=2)


REQUESTS = """
    import asyncio, socket
    import pytest
    from codetether.testing.network import NetworkForbidden

    def test_sockets():
        with pytest.raises(NetworkForbidden, match="test_sockets.*192.0.2.1:443"):
            socket.create_connection(("192.0.2.1", 443), timeout=1)

    def test_names():
        with pytest.raises(NetworkForbidden, match="test_names.*api.example.com:443"):
            socket.create_connection(("api.example.com", 443), timeout=1)

    async def test_httpx():
        import httpx
        async with httpx.AsyncClient() as client:
            with pytest.raises(NetworkForbidden, match="api.example.com"):
                await client.get("https://api.example.com/v1")

    async def test_asyncio_by_address():
        with pytest.raises(NetworkForbidden, match="192.0.2.1:80"):
            await asyncio.open_connection("192.0.2.1", 80)

    def test_datagrams():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out, pytest.raises(NetworkForbidden, match=":53"):
            out.sendto(b"x", ("192.0.2.1", 53))

    async def test_loopback_stays_open():
        async with await asyncio.start_server(lambda reader, writer: writer.close(), "localhost", 0) as server:
            port = server.sockets[0].getsockname()[1]
            reader, writer = await asyncio.open_connection("localhost", port)
            assert await reader.read() == b""
            writer.close()
"""


def test_the_switch_forbids_real_requests_in_every_test_and_tells_of_those_that_nobody_heard_of(
    stranger: pytest.Pytester,
) -> None:
    stranger.makepyfile(REQUESTS)
    result = stranger.runpytest_subprocess("-q", "--codetether-no-network")
    result.assert_outcomes(passed=1, failed=5)
    told = [line.split()[4] for line in result.outlines if line.startswith("it tried to reach ")]
    assert told == ["192.0.2.1:443,", "api.example.com:443,", "api.example.com:443,", "192.0.2.1:80,", "192.0.2.1:53,"]


def test_the_marker_and_the_fixture_forbid_them_in_one(stranger: pytest.Pytester) -> None:
    stranger.makepyfile("""
        import socket
        import pytest

        @pytest.mark.no_network
        def test_marked():
            socket.getaddrinfo("example.com", 443)

        def test_fixture(no_network):
            with pytest.raises(RuntimeError):
                socket.getaddrinfo("example.com", 443)
            assert no_network == ["example.com:443"]

        def test_free():
            assert socket.socket.connect.__qualname__ != "no_network.<locals>.connecting.<locals>.guarded"
    """)
    result = stranger.runpytest_inprocess("-q")
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*test_marked*tried to reach example.com:443, and real requests are forbidden here*"])


def test_a_plugin_is_tested_by_its_name(stranger: pytest.Pytester) -> None:
    stranger.makepyfile("def test_own(): pass")
    result = stranger.runpytest_subprocess("-v", "--codetether", "agents")
    result.assert_outcomes(passed=7)
    result.stdout.fnmatch_lines(["*agents*agents: an agent can be chosen [[]plan[]]*PASSED*"])
    wrong = stranger.runpytest_inprocess("-q", "--codetether", "agentz")
    wrong.stderr.fnmatch_lines(["*no plugin 'agentz' is installed*"])


def test_a_broken_promise_is_told_without_a_traceback(stranger: pytest.Pytester) -> None:
    stranger.makeconftest(f"""
        import sys
        sys.path.append({str(Path(__file__).parents[2])!r})
        from codetether.testing import items
        from codetether.testing.subjects import subject
        from tests.kit.broken.policies import BROKEN
        items.installed_subjects = lambda names: [subject(BROKEN["a stricter mode is no milder"])]
    """)
    result = stranger.runpytest_subprocess("-q", "--codetether", "broken")
    assert result.parseoutcomes()["failed"] == 1
    result.stdout.fnmatch_lines(
        [
            "broken breaks a promise of permission_policies: a stricter mode is no milder.",
            "*a stricter mode is milder*",
            "In the documentation: reference/testing.md#permission_policies, *",
        ]
    )
    result.stdout.no_fnmatch_line("*Traceback*")


def test_a_pytest_that_does_not_use_it_pays_next_to_nothing() -> None:
    program = (
        "import sys, pytest; before = set(sys.modules); import codetether.testing.pytest_plugin;"
        "print(sorted(m for m in set(sys.modules) - before if not m.startswith('codetether')),"
        "sorted(m for m in sys.modules if m.startswith('codetether')))"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    ours = ["codetether", "codetether._version", "codetether.testing", "codetether.testing.pytest_plugin"]
    assert said == f"[] {ours}\n"
