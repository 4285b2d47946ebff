"""Every distribution of the workspace is whole and said everywhere it has to be said."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_every_distribution_has_a_readme_and_types() -> None:
    folders = [ROOT / "core", *(file.parent for file in sorted(ROOT.glob("plugins/*/*/pyproject.toml")))]
    for folder in folders:
        name = tomllib.loads((folder / "pyproject.toml").read_text())["project"]["name"]
        assert (folder / "README.md").read_text().startswith(f"# {name}\n")
        assert len(list(folder.glob("src/*/py.typed"))) == 1
