"""Small wheels, good and bad, written byte by byte."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path
from zipfile import ZipFile

PLUGIN = '''"""A plugin that offers nothing yet."""
'''


def wheel(
    place: Path,
    name: str,
    *,
    version: str = "1.0",
    plugin: str | None = None,
    files: Mapping[str, str] = {},
    points: str = "",
) -> Path:
    """A pure wheel with one package, and the entry point `plugin` in the group codetether."""
    plain = name.replace("-", "_").replace(".", "_")
    info = f"{plain}-{version}.dist-info"
    entry = f"[codetether]\n{plugin} = {plain}.plugin\n" if plugin else ""
    content = {
        f"{plain}/__init__.py": f'"""{name}."""\n',
        f"{plain}/plugin.py": PLUGIN,
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": entry + points,
    }
    record = "".join(f"{path},{digest(text.encode())},{len(text.encode())}\n" for path, text in content.items())
    place.mkdir(parents=True, exist_ok=True)
    made = place / f"{plain}-{version}-py3-none-any.whl"
    with ZipFile(made, "w") as archive:
        for path, text in content.items():
            archive.writestr(path, text)
        archive.writestr(f"{info}/RECORD", f"{record}{info}/RECORD,,\n")
    return made


def digest(data: bytes) -> str:
    """As RECORD holds it."""
    return f"sha256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip('=')}"


def unpacked(made: Path, site: Path) -> Path:
    """What an installer does with a pure wheel; gives back the folder."""
    with ZipFile(made) as archive:
        archive.extractall(site)
    return site
