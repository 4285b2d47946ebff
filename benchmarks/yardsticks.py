"""The floors and the scripted model server, which are kept beside the project and started from there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.children import ROOT, Command, environment, printed

KEY = "sk-fake-000000000000"


def directory() -> Path | None:
    """Where they are: `bench` in CODETETHER_SHARED, by default in `shared` beside the project; None where nowhere."""
    found = Path(os.environ.get("CODETETHER_SHARED") or ROOT.parent / "shared") / "bench"
    return found if (found / "fake_llm.py").is_file() else None


class Yardsticks:
    """The floors, and a running server that answers at once by the script in the first part of its URL's path."""

    def __init__(self, directory: Path, port: int) -> None:
        self._directory = directory
        self._port = port

    def url(self, script: str) -> str:
        """The base URL of a script, e.g. `s100` for a hundred steps, `s0-t500` for an answer in 500 chunks."""
        return f"http://127.0.0.1:{self._port}/{script}/v1"

    def floor(self, base_url: str, *options: str) -> Command:
        """The smallest honest loop on httpx."""
        return Command((str(self._directory / "floor_httpx.py"), "--base-url", base_url, *options))

    def variables(self, home: Path, base_url: str) -> dict[str, str]:
        """What makes codetether ask the server, with everything that it keeps under `home`."""
        return {"CODETETHER_HOME": str(home), "OPENAI_BASE_URL": base_url, "OPENAI_API_KEY": KEY}

    def loop(self, home: Path, base_url: str, *options: str) -> Command:
        """The same loop on codetether's Runtime, with every default plugin."""
        arguments = ("-m", "benchmarks.loop", *options)
        return Command(arguments, {**self.variables(home, base_url), "CODETETHER_BENCH": str(self._directory)})


def report(command: Command) -> dict[str, Any]:
    """What a floor or our loop says of itself."""
    said: dict[str, Any] = json.loads(printed(command).splitlines()[-1])
    return said


@contextmanager
def running(directory: Path) -> Iterator[Yardsticks]:
    """Starts the server for as long as it is needed."""
    server = subprocess.Popen(
        [sys.executable, str(directory / "fake_llm.py"), "--port", "0"],
        env=environment({}),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        yield Yardsticks(directory, int(server.stdout.readline().split()[-1]))
    finally:
        server.terminate()
        server.wait()
