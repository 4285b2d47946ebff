"""`make release`, its second half: wheels of one version that ask each other by it, and hold what they should."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from zipfile import ZipFile

from packaging.requirements import Requirement


def problems(folder: Path) -> Iterator[str]:
    """What is wrong with the wheels of a release, wheel by wheel."""
    found = {wheel: _metadata(wheel) for wheel in sorted(folder.glob("*.whl"))}
    versions = {metadata["Name"]: metadata["Version"] for metadata in found.values()}
    if len(set(versions.values())) != 1:
        yield f"there are {len(set(versions.values()))} versions in {folder}: {sorted(set(versions.values()))}"
    for wheel, metadata in found.items():
        with ZipFile(wheel) as files:
            names = files.namelist()
        strays = [name for name in names if name.endswith((".pth", ".pyc")) or "/tests/" in f"/{name}"]
        if strays:
            yield f"{wheel.name} holds {', '.join(strays[:3])}"
        if not any(name.endswith("licenses/LICENSE") for name in names):
            yield f"{wheel.name} holds no licence"
        for asked in map(Requirement, metadata.get_all("Requires-Dist", [])):
            if asked.url:
                yield f"{wheel.name} asks for {asked.name} at {asked.url}"
            elif asked.name.startswith("codetether-") and str(asked.specifier) != f"=={versions.get(asked.name)}":
                yield f"{wheel.name} asks for {asked}, and there is {versions.get(asked.name, 'none')}"


def _metadata(wheel: Path) -> Message:
    with ZipFile(wheel) as files:
        (name,) = (name for name in files.namelist() if name.endswith(".dist-info/METADATA"))
        return message_from_bytes(files.read(name))


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    if wrong := list(problems(folder)):
        sys.exit("\n".join(f"error: {each}" for each in wrong))
    print(f"{len(list(folder.glob('*.whl')))} wheels in {folder}, checked; nothing was uploaded")  # noqa: T201
