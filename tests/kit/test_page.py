"""The page about the kit names what there is."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import attrs
from codetether.testing import pytest_plugin
from codetether.testing.trials import Trials

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "testing.md").read_text("utf-8")


def test_every_fixture_and_every_field_has_its_row() -> None:
    made = vars(pytest_plugin).items()
    fixtures = [name for name, value in made if type(value).__name__ == "FixtureFunctionDefinition"]
    fields = [attribute.name for attribute in attrs.fields(Trials)]
    rows = re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)
    assert sorted(rows) == sorted(["Trials", *fixtures, *fields])


def test_every_module_that_is_named_is_there() -> None:
    for row in re.findall(r"^\| (`codetether\.testing\..*?) \|", PAGE, re.MULTILINE):
        for name in re.findall(r"`(?:codetether\.testing)?\.?(\w+)`", row):
            importlib.import_module(f"codetether.testing.{name}")
