"""The shared samples of other products' sessions, each as a file that a format reads."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("CODETETHER_SHARED") or ROOT.parent / "shared") / "foreign_sessions"
needs_samples = pytest.mark.skipif(not SHARED.is_dir(), reason=f"there are no samples in {SHARED}")


def files(product: str) -> list[Path]:
    """The samples of a product that are files a format reads as they are."""
    place = SHARED / product
    found = sorted(p for p in place.glob("*.json*") if not p.name.endswith(".rows.jsonl")) if place.is_dir() else []
    return [path for path in found if path.suffix in (".json", ".jsonl")]


def every_file() -> list[tuple[str, Path]]:
    return [(product, path) for product in ("claude", "codetether", "codex", "opencode") for path in files(product)]


def database(place: Path) -> Path:
    """The SQLite database of 1.18, made of its dump."""
    made = place / "opencode.db"
    with closing(sqlite3.connect(made)) as connection:
        connection.executescript((SHARED / "opencode" / "opencode-1.18.33.v1.sql").read_text())
    return made


def newer_database(place: Path) -> Path:
    """The SQLite database of 2.0, made of its schema and rows."""
    made = place / "opencode-next.db"
    with closing(sqlite3.connect(made)) as connection:
        connection.executescript((SHARED / "opencode" / "opencode-2.0.14.v2.schema.sql").read_text())
        for table, row in rows():
            values = [json.dumps(v) if isinstance(v, dict | list) else v for v in row.values()]
            names, marks = ", ".join(row), ", ".join("?" * len(row))
            connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", values)
        connection.commit()
    return made


def rows() -> Iterator[tuple[str, dict[str, Any]]]:
    for line in (SHARED / "opencode" / "opencode-2.0.14.v2.question.rows.jsonl").read_text().splitlines():
        record = json.loads(line)
        yield record["table"], record["row"]
