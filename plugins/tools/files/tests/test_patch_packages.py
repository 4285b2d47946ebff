"""Stories about strangers' diffs: those between consecutive releases of well-known packages, byte for byte."""

from __future__ import annotations

import os
import subprocess
import tarfile
from itertools import pairwise
from pathlib import Path

import httpx
import pytest
from codetether.testing.workbench import workbench
from codetether_tools_files import plugin

RELEASES = {
    "attrs": ("24.1.0", "24.2.0", "24.3.0", "25.1.0"),
    "click": ("8.1.6", "8.1.7", "8.1.8", "8.2.0"),
    "requests": ("2.30.0", "2.31.0", "2.32.0", "2.32.3"),
    "pluggy": ("1.3.0", "1.4.0", "1.5.0"),
    "jinja2": ("3.1.3", "3.1.4", "3.1.5"),
    "httpx": ("0.26.0", "0.27.0", "0.28.0"),
}
PAIRS = [(name, *pair) for name, versions in RELEASES.items() for pair in pairwise(versions)]
INDEX = os.environ.get("CODETETHER_PACKAGE_INDEX", "")
"""The URL of a package index with PEP 691, e.g. what pip calls `index-url`."""
pytestmark = pytest.mark.skipif(
    not INDEX, reason="CODETETHER_PACKAGE_INDEX names no package index to fetch releases from"
)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sources")


def release(sources: Path, name: str, version: str) -> dict[str, bytes]:
    """The files of a release by their paths, without those that are no plain files."""
    place = sources / f"{name}-{version}.tar.gz"
    if not place.exists():
        kind = {"Accept": "application/vnd.pypi.simple.v1+json"}
        listed = httpx.get(f"{INDEX.rstrip('/')}/{name}/", headers=kind, follow_redirects=True).json()["files"]
        url = next(file["url"] for file in listed if file["filename"].lower() == place.name)
        place.write_bytes(httpx.get(url, follow_redirects=True, timeout=60).raise_for_status().content)
    with tarfile.open(place) as tar:
        plain = [member for member in tar.getmembers() if member.isfile()]
        return {m.name.partition("/")[2]: tar.extractfile(m).read() for m in plain}  # type: ignore[union-attr]


def laid_out(place: Path, files: dict[str, bytes]) -> None:
    for path, data in files.items():
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        (place / path).write_bytes(data)


def difference(place: Path, before: dict[str, bytes], after: dict[str, bytes]) -> bytes:
    """What git says between the two."""

    def git(*words: str) -> bytes:
        return subprocess.run(["git", "-C", str(place), *words], check=True, capture_output=True).stdout

    laid_out(place, before)
    git("init", "-q")
    git("add", "-A", "-f")
    older = git("write-tree").decode().strip()
    for path in before:
        (place / path).unlink()
    laid_out(place, after)
    git("add", "-A", "-f")
    return git("diff", "--cached", "--no-ext-diff", "-M", older)


@pytest.mark.parametrize(("name", "older", "newer"), PAIRS)
async def test_the_diff_of_two_releases_makes_the_newer_out_of_the_older(
    name: str, older: str, newer: str, sources: Path, tmp_path: Path
) -> None:
    before, after = release(sources, name, older), release(sources, name, newer)
    binary = {path for path in before | after for files in (before, after) if b"\0" in files.get(path, b"")}
    before, after = ({p: data for p, data in files.items() if p not in binary} for files in (before, after))
    patch = difference(tmp_path / "git", before, after)
    place = tmp_path / "W"
    place.mkdir()
    laid_out(place, before)
    bench = await workbench(place, plugin, permissions={"allow": ["apply_patch"]}, mode="unsafe")
    call, ctx = bench.prepared("apply_patch", patch=patch.decode("utf-8", "surrogateescape"))
    bench.tools["apply_patch"].resources(call, ctx)
    result = await bench.tools["apply_patch"].run(call, ctx)
    assert result.success, result.output
    assert {str(p.relative_to(place)): p.read_bytes() for p in place.rglob("*") if p.is_file()} == after
