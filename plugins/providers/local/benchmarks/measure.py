"""How many requests the tiny model answers: python measure.py [--plain] [SET…]

Each request is put to `codetether run` in a fresh workspace. `shown`: what was asked for stands anywhere on the screen,
or the file was written; `said`: it stands in the answer itself. With --plain no flag is given, so that commands and
writes are denied, and only the requests that read are put. The sets called development were used to write the tools'
examples and to tune the profile; those held out were not.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

AUTHOR = {
    f"GIT_{who}_{what}": text
    for who in ("AUTHOR", "COMMITTER")
    for what, text in [("NAME", "Test Author"), ("EMAIL", "t@example.org")]
}
FLAGS = ("--mode", "edit", "--allow", "bash")
CHROME = ("note:", "●", "local/")


def main() -> None:
    """Prints a line a request, then a line a set."""
    plain = "--plain" in sys.argv
    wanted = [name for name in sys.argv[1:] if not name.startswith("-")]
    tally: dict[str, list[tuple[bool, bool, float]]] = defaultdict(list)
    for workspace in json.loads(Path(__file__).with_name("requests.json").read_text()):
        if wanted and workspace["set"] not in wanted:
            continue
        for request in workspace["requests"]:
            if plain and request["kind"] not in ("read", "answer"):
                continue
            shown, said, seconds = ask(workspace, request, () if plain else FLAGS)
            tally[workspace["set"]].append((shown, said, seconds))
            say(f"{'shown' if shown else '-':6}{'said' if said else '-':5}{seconds:5.1f} s  {request['prompt']}")
    for name, rows in tally.items():
        counts = f"{sum(row[0] for row in rows)} shown, {sum(row[1] for row in rows)} said"
        say(f"{name}: {len(rows)} requests, {counts}, median {statistics.median(row[2] for row in rows):.1f} s")


def say(line: str) -> None:
    """One line of the report, at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def ask(workspace: dict[str, Any], request: dict[str, Any], flags: tuple[str, ...]) -> tuple[bool, bool, float]:
    """Whether it was shown, whether it was said, and the seconds that it took."""
    with tempfile.TemporaryDirectory() as place:
        root = Path(place).resolve() / workspace["name"]
        make(root, workspace)
        began = time.perf_counter()
        run = subprocess.run(
            ["codetether", "run", *flags, request["prompt"]],
            cwd=root,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        seconds = time.perf_counter() - began
        if "file" in request:
            done = all(
                (root / name).exists() and text in (root / name).read_text() for name, text in request["file"].items()
            )
            return done, done, seconds
        told = "\n".join(line for line in run.stderr.splitlines() if not line.startswith(CHROME))
        return holds(run.stdout + told, request, root), holds(run.stdout, request, root), seconds


def make(root: Path, workspace: dict[str, Any]) -> None:
    """Writes the workspace's files, committed once."""
    for name, text in workspace["files"].items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    steps = ["init", "-q", "-b", workspace["branch"], "."], ["add", "-A"], ["commit", "-qm", workspace["message"]]
    for step in steps:
        subprocess.run(["git", *step], cwd=root, env={**os.environ, **AUTHOR}, check=True)


def holds(screen: str, request: dict[str, Any], root: Path) -> bool:
    """Whether all that is to be shown stands there, in any case of letters."""
    wanted = (
        text.replace("{cwd}", str(root)).replace("{year}", str(datetime.now(tz=UTC).year)) for text in request["shown"]
    )
    return all(text.lower() in screen.lower() for text in wanted)


if __name__ == "__main__":
    main()
