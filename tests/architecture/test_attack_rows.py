"""Every attack of the shared list is tried by a test that is named after it, or the threat model says why not."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from .rooms import ROOT

ATTACKS = Path(os.environ.get("CODETETHER_SHARED") or ROOT.parent / "shared") / "attacks.md"
PAGE = ROOT / "docs" / "explanation" / "threat-model.md"
_NAMED = re.compile(r"def test_((?:[A-Z]\d\d_)+)")
_ROW = re.compile(r"^\| ([A-Z]\d\d) ", re.MULTILINE)


def tried() -> set[str]:
    """The attacks that tests are named after."""
    files = [path for folder in ("tests", "core/tests", "plugins") for path in ROOT.glob(f"{folder}/**/test_*.py")]
    return {row for path in files for names in _NAMED.findall(path.read_text()) for row in names.split("_") if row}


def test_every_attack_is_tried_or_said_not_to_be() -> None:
    if not ATTACKS.is_file():
        pytest.skip("no attacks.md in ../shared; CODETETHER_SHARED names another place")
    excused = set(_ROW.findall(PAGE.read_text()))
    assert (set(_ROW.findall(ATTACKS.read_text())) - tried() - excused, excused & tried()) == (set(), set())
