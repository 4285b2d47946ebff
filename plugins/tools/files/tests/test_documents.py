"""Stories about files that are read as something else than their bytes."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from codetether import IMAGE_LIMIT, ImagePart, TextPart
from codetether.testing.workbench import Workbench

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def pdf(*pages: str) -> bytes:
    """A PDF with a line of text on each page."""
    kids = " ".join(f"{4 + 2 * n} 0 R" for n in range(len(pages)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for n, text in enumerate(pages):
        content = f"BT /F1 12 Tf 20 20 Td ({text}) Tj ET"
        resources = "/Resources << /Font << /F1 3 0 R >> >>"
        objects += [
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] /Contents {5 + 2 * n} 0 R {resources} >>",
            f"<< /Length {len(content)} >>\nstream\n{content}\nendstream",
        ]
    out, places = "%PDF-1.4\n", []
    for n, each in enumerate(objects, 1):
        places.append(len(out))
        out += f"{n} 0 obj\n{each}\nendobj\n"
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    end = f"trailer << /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{len(out)}\n%%EOF\n"
    return f"{out}xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}{end}".encode("latin-1")


async def test_an_image_is_shown(bench: Workbench) -> None:
    (bench.directory / "dot.dat").write_bytes(PNG)
    result = await bench.call("read", path="dot.dat")
    assert (result.success, result.content) == (
        True,
        (TextPart(text=f"dot.dat: image/png, {len(PNG)} bytes"), ImagePart(media_type="image/png", data=PNG)),
    )


async def test_an_image_that_is_too_large_is_said(bench: Workbench) -> None:
    (bench.directory / "big.png").write_bytes(PNG + b"\0" * IMAGE_LIMIT)
    result = await bench.call("read", path="big.png")
    assert (result.success, "too large to be shown" in result.output) == (False, True)


@pytest.mark.parametrize("data", [PNG[:40], b"GIF8 is a word", b"\xff\xd8\xff\xe0cut", b"RIFF\xff\0\0\0WEBPVP8 "])
async def test_an_image_that_was_cut_is_shown_to_nobody(bench: Workbench, data: bytes) -> None:
    (bench.directory / "cut").write_bytes(data)
    result = await bench.call("read", path="cut")
    assert (result.success, "is damaged or cut" in result.output) == (False, True)


async def test_a_pdf_of_pictures_says_that_it_has_no_text(bench: Workbench, capfd: pytest.CaptureFixture[str]) -> None:
    (bench.directory / "scan.pdf").write_bytes(pdf("") + b"\n" * 2000)
    result = await bench.call("read", path="scan.pdf")
    head = "scan.pdf: PDF, 1 page, no text in it (perhaps pictures), 1 line"
    assert (result.output.splitlines()[0], capfd.readouterr().err) == (head, "")


async def test_a_notebook_is_its_cells(bench: Workbench) -> None:
    cells = [
        {"cell_type": "markdown", "source": ["# Title\n", "text"]},
        {
            "cell_type": "code",
            "source": "print(1)\nplot()",
            "outputs": [
                {"output_type": "stream", "text": ["1\n"]},
                {"output_type": "display_data", "data": {"image/png": "AAAA"}},
                {"output_type": "error", "ename": "ValueError", "evalue": "no"},
            ],
        },
    ]
    (bench.directory / "a.ipynb").write_text(json.dumps({"cells": cells, "nbformat": 4}))
    result = await bench.call("read", path="a.ipynb")
    head, *rows = result.output.splitlines()
    assert head == "a.ipynb: notebook, 2 cells (the file itself is JSON), 13 lines"
    assert [row.partition("\t")[2] for row in rows] == [
        "[cell 1: markdown]",
        "# Title",
        "text",
        "",
        "[cell 2: code]",
        "print(1)",
        "plot()",
        "[output]",
        "1",
        "[output]",
        "[image/png]",
        "[output]",
        "ValueError: no",
    ]


async def test_what_only_looks_like_a_notebook_is_text(bench: Workbench) -> None:
    (bench.directory / "a.ipynb").write_text('{"cells": 3}\n')
    result = await bench.call("read", path="a.ipynb")
    assert result.output == 'a.ipynb: 1 line\n     1\t{"cells": 3}'


async def test_a_pdf_is_its_text(bench: Workbench) -> None:
    (bench.directory / "a.pdf").write_bytes(pdf("Hello there", "Second page"))
    whole = await bench.call("read", path="a.pdf")
    assert whole.output == (
        "a.pdf: PDF, 2 pages, 5 lines\n     1\t[page 1 of 2]\n     2\tHello there\n     3\t\n"
        "     4\t[page 2 of 2]\n     5\tSecond page"
    )
    part = await bench.call("read", path="a.pdf", offset=5)
    assert part.output == "a.pdf: PDF, 2 pages, 5 lines, 5 to 5 shown\n     5\tSecond page"


async def test_a_damaged_pdf_is_said(bench: Workbench, caplog: pytest.LogCaptureFixture) -> None:
    (bench.directory / "a.pdf").write_bytes(b"%PDF-1.4\nnonsense")
    result = await bench.call("read", path="a.pdf")
    assert (result.success, result.output.startswith("Error: a.pdf cannot be read as a PDF: ")) == (False, True)


async def test_a_pdf_without_its_library_says_what_to_install(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pypdf", None)
    (bench.directory / "a.pdf").write_bytes(pdf("x"))
    result = await bench.call("read", path="a.pdf")
    assert "can be read where codetether-tools-files[pdf] is installed" in result.output
