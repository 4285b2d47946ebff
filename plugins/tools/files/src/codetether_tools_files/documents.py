"""Files that are read as something else than their bytes: notebooks and PDF."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from attrs import frozen

from codetether_tools_files.workspace import Refused, counted

LARGEST = 32 * 1024 * 1024
"""Bytes of a document."""
PATIENCE = 15.0
"""Seconds for the text of a PDF."""
OUTPUT = 4000
"""Characters of a cell's output that are shown."""


@frozen(kw_only=True)
class Document:
    """What a file says as text, and what kind of file it is, e.g. `PDF, 3 pages`."""

    kind: str
    text: str


def document(name: str, head: bytes, file: BinaryIO) -> Document | None:
    """The file as a document; None where it is to be read as it is."""
    if head.startswith(b"%PDF-"):
        return _pdf(name, _whole(name, file))
    if name.endswith(".ipynb") and head.lstrip().startswith(b"{"):
        return _notebook(_whole(name, file))
    return None


def _whole(name: str, file: BinaryIO) -> bytes:
    data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise Refused(f"{name} is larger than {LARGEST // 1024 // 1024} MiB; look into it with a program")
    return data


def _pdf(name: str, data: bytes) -> Document:
    try:
        import pypdf
    except ImportError as error:
        raise Refused(
            f"{name} is a PDF of {counted(len(data), 'byte')}; its text can be read where "
            "codetether-tools-files[pdf] is installed"
        ) from error
    import io
    import logging

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # what it complains of is no business of the screen's
    lines: list[str] = []
    began = time.monotonic()
    try:
        reader = pypdf.PdfReader(io.BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise Refused(f"{name} is a PDF that is locked with a password")
        pages = len(reader.pages)
        for number, page in enumerate(reader.pages, 1):
            if time.monotonic() - began > PATIENCE:
                lines.append(f"[pages {number} to {pages} were left out: it took too long]")
                break
            lines += [f"[page {number} of {pages}]", *page.extract_text().splitlines(), ""]
    except Refused:
        raise
    except Exception as error:  # what a damaged PDF raises is anybody's guess; the model is told
        raise Refused(f"{name} cannot be read as a PDF: {type(error).__name__}: {error}") from error
    none = "" if any(line and not line.startswith("[page") for line in lines) else ", no text in it (perhaps pictures)"
    return Document(kind=f"PDF, {counted(pages, 'page')}{none}", text=_clean("\n".join(lines).rstrip() + "\n"))


def _notebook(data: bytes) -> Document | None:
    """The cells with their outputs; None for what is no notebook."""
    try:
        cells = json.loads(data)["cells"]
        rows = [row for number, cell in enumerate(cells, 1) for row in _cell(number, cell)]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    kind = f"notebook, {counted(len(cells), 'cell')} (the file itself is JSON)"
    return Document(kind=kind, text=_clean("\n".join(rows).rstrip() + "\n"))


def _cell(number: int, cell: Mapping[str, Any]) -> Iterator[str]:
    yield f"[cell {number}: {cell['cell_type']}]"
    yield from _text(cell.get("source", "")).splitlines()
    for output in cell.get("outputs", ()):
        said = _output(output)
        yield "[output]"
        yield from (said if len(said) <= OUTPUT else f"{said[:OUTPUT]}\n[… output cut]").splitlines()
    yield ""


def _output(output: Mapping[str, Any]) -> str:
    if output.get("output_type") == "error":
        return f"{output.get('ename', 'Error')}: {output.get('evalue', '')}"
    if "text" in output:
        return _text(output["text"])
    data = output.get("data", {})
    return _text(data["text/plain"]) if "text/plain" in data else f"[{', '.join(data) or 'nothing'}]"


def _text(source: Any) -> str:
    return source if isinstance(source, str) else "".join(map(str, source))


def _clean(text: str) -> str:
    """Without lone surrogates, which JSON can spell and UTF-8 cannot hold."""
    return text.encode("utf-8", "replace").decode("utf-8")
