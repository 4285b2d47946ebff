"""`make new-plugin`: a plugin from its template, joined to the workspace so that `make check test` stays green."""

from __future__ import annotations

import argparse
from pathlib import Path

from codetether.cli.plugin_new import KINDS, Sketch, must_be_free
from codetether.errors import UsageError


def main() -> None:
    """Makes it in plugins/<kind>/<name>, and says what is left to do."""
    parser = argparse.ArgumentParser(prog="make new-plugin")
    parser.add_argument("kind", choices=list(KINDS))
    parser.add_argument("name")
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parent.parent)
    asked = parser.parse_args()
    try:
        sketch = Sketch.of(asked.kind, asked.name)
        must_be_free(sketch)
        place = join(asked.root, sketch)
    except UsageError as error:
        parser.exit(2, f"error: {error.message}\n  {error.remedy}\n")
    print(f"{place.relative_to(asked.root)} is made, and a dependency of the root. Now:")  # noqa: T201
    print("  uv sync --all-packages --all-extras && make fix check test")  # noqa: T201


def join(root: Path, sketch: Sketch) -> Path:
    """The plugin in its folder, with the licence linked, and its name wherever the root names its members."""
    folder = f"plugins/{KINDS[sketch.kind].folder}/{sketch.name}"
    sketch.write(root / folder, workspace=True)
    (root / folder / "LICENSE").symlink_to("../../../LICENSE")
    file = root / "pyproject.toml"
    text = file.read_text()
    for opening, line in (
        ("\ndependencies = [\n", f'  "{sketch.distribution} {{env:CODETETHER_RELEASE:@ {{root:uri}}/{folder}}}",'),
        ("\n[tool.uv.sources]\n", f"{sketch.distribution} = {{ workspace = true }}"),
        ("\nmypy_path = [\n", f'  "$MYPY_CONFIG_FILE_DIR/{folder}/src",'),
    ):
        text = _with(text, opening, line)
    file.write_text(text)
    return root / folder


def _with(text: str, opening: str, line: str) -> str:
    """One line more among those that follow the opening, in order; they end with a bracket or a blank line."""
    before, found, after = text.partition(opening)
    if not found:
        raise UsageError(f"pyproject.toml has no {opening.strip()}")
    lines = after.split("\n")
    count = next(n for n, it in enumerate(lines) if it in ("", "]"))
    return before + opening + "\n".join([*sorted({*lines[:count], line}), *lines[count:]])


if __name__ == "__main__":
    main()
