"""`python -m benchmarks [NAME…] [--quick]`: a table of figures, their JSON and plot, a profile for each missed bar."""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import audited, described, files, judged, kept, redacted, sandbox, sinks, startup, steps, stored, wires
from benchmarks.children import ROOT, profile
from benchmarks.figures import Figure, plot, table
from benchmarks.yardsticks import Yardsticks, directory, running

CASES: dict[str, Callable[[Yardsticks, int], Iterator[Figure]]] = {
    "version": startup.version,
    "help": startup.help_,
    "first-request": startup.first_request,
    "plugins": startup.plugins,
    "steps": steps.steps,
    "shell": steps.shell,
    "sandbox": sandbox.sandbox,
    "first-text": steps.first_text,
    "chunks": steps.chunks,
    "crowd": steps.crowd,
    "memory": steps.memory,
    "stored": stored.stored,
    "kept": kept.kept,
    "wires": wires.wires,
    "described": described.described,
    "events": sinks.events,
    "archive": sinks.archive,
    "record": sinks.record,
    "judged": judged.judged,
    "audit": audited.audit,
    "files": files.files,
    "redacted": redacted.redacted,
}


def main() -> int:
    """Measures, and says what was measured; 1 when a bar is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(CASES)}; all by default")
    parser.add_argument("--quick", action="store_true", help="few rounds: a first look")
    parser.add_argument("--rounds", type=int, help="rounds of each measurement (default 9)")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "benchmarks", help="where JSON and profiles go")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(CASES):
        parser.error(f"no measurement {', '.join(sorted(unknown))}; there are: {', '.join(CASES)}")
    bench = directory()
    if bench is None:
        print("skipped: no `bench` with floors and a model server in ../shared; CODETETHER_SHARED names another place")
        return 0
    arguments.out.mkdir(parents=True, exist_ok=True)
    rounds = arguments.rounds or (3 if arguments.quick else 9)
    figures: list[Figure] = []
    with running(bench) as yardsticks:
        for name in arguments.names or CASES:
            print(f"{name} …", file=sys.stderr, flush=True)
            for figure in CASES[name](yardsticks, rounds):
                figures.append(figure)
                if not figure.held and figure.command is not None:
                    words = "".join(c if c.isalnum() else " " for c in figure.name).split()
                    profile(figure.command, arguments.out / f"{'-'.join(words)}.txt")
    print(table(figures))
    _write(arguments.out / "figures.json", figures)
    (arguments.out / "figures.svg").write_text(plot(figures))
    if missed := [figure for figure in figures if not figure.held]:
        print(f"{len(missed)} of {len(figures)} bars missed; profiles in {arguments.out}")
        return 1
    return 0


def _write(file: Path, figures: list[Figure]) -> None:
    made = {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "python": platform.python_version(),
        "machine": platform.platform(),
        "figures": [figure.plain() for figure in figures],
    }
    file.write_text(json.dumps(made, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
