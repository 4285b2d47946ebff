"""A story about archives: none is ever unpacked here, whatever it holds and wherever it comes."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import attrs
from codetether.cli.plugin_install import fetched_startup_files

from .conftest import CommandLine

FORMATS = "opencode,codex,claude,codetether-json"


def links(path: Path, outside: Path) -> Path:
    """A link and a file through it, a hard link, a device and a program that would be root's."""
    with tarfile.open(path, "w") as archive:
        for name, kind, link, data, mode in (
            ("link", tarfile.SYMTYPE, str(outside), b"", 0o777),
            ("link/written.jsonl", tarfile.REGTYPE, "", b"{}\n", 0o644),
            ("hard", tarfile.LNKTYPE, str(outside / "secret"), b"", 0o644),
            ("device", tarfile.CHRTYPE, "", b"", 0o666),
            ("program", tarfile.REGTYPE, "", b"#!/bin/sh\n", 0o4755),
        ):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname, entry.size, entry.mode = kind, link, len(data), mode
            archive.addfile(entry, io.BytesIO(data))
    return path


def bomb(path: Path) -> Path:
    """Names that lead out, names without number, and zeros that would fill the disk."""
    with ZipFile(path, "w", ZIP_DEFLATED, compresslevel=9) as archive:
        for name in ("M.pth", "../M.pth", "/M.pth", *(f"empty/{n}" for n in range(1_000))):
            archive.writestr(name, b"")
        archive.writestr("rollout.jsonl", bytes(20_000_000))
    return path


def test_A01_A02_A03_archives_are_named_and_left_as_they_are(bare: CommandLine, tmp_path: Path) -> None:
    cli = attrs.evolve(bare, environment={**bare.environment, "CODETETHER_PLUGINS": FORMATS})
    outside, given = tmp_path / "outside", tmp_path / "given"
    outside.mkdir()
    given.mkdir()
    (outside / "secret").write_text("as it was")
    sources = [links(given / "links.tar", outside), bomb(given / "bomb.zip"), given]

    refused = cli("sessions", "import", *map(str, sources))

    assert refused.code == 1
    assert all(f"cannot read {source}: it" in refused.out + refused.err for source in sources)
    assert cli("sessions", "list", "--json", "--own").json == []
    assert sorted(path.name for path in given.iterdir()) == ["bomb.zip", "links.tar"]
    assert [(path.name, path.read_text()) for path in outside.iterdir()] == [("secret", "as it was")]


def test_A01_A03_a_wheel_is_looked_through_by_its_names_alone(tmp_path: Path) -> None:
    bomb(tmp_path / "bomb.whl")
    assert fetched_startup_files(tmp_path) == ["bomb.whl: M.pth"]
    assert [path.name for path in tmp_path.iterdir()] == ["bomb.whl"]
