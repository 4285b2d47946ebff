"""The distributions of the workspace as their pyproject.toml files tell them."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
LIBRARIES = frozenset(["codetether-http", "codetether-llama"])


@frozen(kw_only=True)
class Distribution:
    """One pyproject.toml: `folder` is where it lies, `table` what it says."""

    folder: Path
    table: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.table["project"]["name"])

    @property
    def is_library(self) -> bool:
        """True for what plugins build on: it offers nothing to the hooks."""
        return self.name in LIBRARIES

    def requirements(self, extra: str | None = None) -> list[Requirement]:
        """What it asks for, our own distributions by bare name: their place is written at build time."""
        project = self.table["project"]
        lines = project.get("dependencies", []) if extra is None else project["optional-dependencies"][extra]
        return [Requirement(line.partition("{")[0]) for line in lines]


def _read(folder: Path) -> Distribution:
    return Distribution(folder=folder, table=tomllib.loads((folder / "pyproject.toml").read_text()))


@pytest.fixture(scope="session")
def root() -> Distribution:
    return _read(ROOT)


@pytest.fixture(scope="session")
def core() -> Distribution:
    return _read(ROOT / "core")


@pytest.fixture(scope="session")
def plugins() -> list[Distribution]:
    return [_read(file.parent) for file in sorted(ROOT.glob("plugins/*/*/pyproject.toml"))]


@pytest.fixture(scope="session")
def members(core: Distribution, plugins: list[Distribution]) -> list[Distribution]:
    return [core, *plugins]
