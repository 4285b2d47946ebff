"""What was measured: a figure beside its floor and its bar, as a table and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median
from typing import Any, Literal
from xml.sax.saxutils import escape

from attrs import frozen

from benchmarks.children import Command

Judged = Literal["ratio", "value", "difference"]


@frozen(kw_only=True)
class Figure:
    """One figure.

    Attributes:
        ours, floor: one value a round, the floor's of the same round (the same number of them, or none).
        bar: what `judged` may come to at most: ours / floor, ours itself, or ours - floor.
        command: what to profile where the bar is missed.
    """

    name: str
    unit: str
    ours: Sequence[float]
    floor: Sequence[float] = ()
    bar: float
    judged: Judged = "ratio"
    command: Command | None = None

    @property
    def measured(self) -> float:
        """The median over the rounds of what is judged."""
        if self.judged == "value":
            return median(self.ours)
        pairs = list(zip(self.ours, self.floor, strict=True))
        return median(o / f for o, f in pairs) if self.judged == "ratio" else median(o - f for o, f in pairs)

    @property
    def held(self) -> bool:
        """Whether the bar is held."""
        return self.measured <= self.bar

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "name": self.name,
            "unit": self.unit,
            "ours": median(self.ours),
            "floor": median(self.floor) if self.floor else None,
            "judged": self.judged,
            "measured": self.measured,
            "bar": self.bar,
            "held": self.held,
            "rounds": {"ours": list(self.ours), "floor": list(self.floor)},
        }

    def row(self) -> tuple[str, ...]:
        """As a line of the table."""
        sign = {"ratio": "x", "value": "", "difference": "+"}[self.judged]
        unit = f" {self.unit}"
        after = unit if self.judged != "ratio" else ""
        floor = f"{_digits(median(self.floor))}{unit}" if self.floor else "-"

        def shown(value: float) -> str:
            number = _digits(value)
            return f"{number} x" if sign == "x" else f"{sign if value >= 0 else ''}{number}{after}"

        return (
            self.name,
            f"{_digits(median(self.ours))}{unit}",
            floor,
            shown(self.measured),
            f"<= {shown(self.bar)}",
            "ok" if self.held else "missed",
        )


def table(figures: Iterable[Figure]) -> str:
    """All figures under their headings."""
    rows = [("figure", "ours", "floor", "measured", "bar", ""), *(f.row() for f in figures)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def _digits(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def plot(figures: Sequence[Figure]) -> str:
    """How much of its bar each figure takes, as an SVG: a line at 100 %, green below it, red above."""
    width, row, left = 760, 26, 330
    scale = (width - left - 70) / 150
    height = row * len(figures) + 30
    style = 'font-family="sans-serif" font-size="13"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" {style}>',
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for index, figure in enumerate(figures):
        share = max(figure.measured / figure.bar * 100, 0)
        y, colour = row * index + 10, "#3a923a" if figure.held else "#c03d3e"
        lines += [
            f'<text x="{left - 8}" y="{y + 14}" text-anchor="end">{escape(figure.name)}</text>',
            f'<rect x="{left}" y="{y}" width="{min(share, 150) * scale:.1f}" height="{row - 8}" fill="{colour}"/>',
            f'<text x="{left + min(share, 150) * scale + 5:.1f}" y="{y + 14}">{share:.0f} %</text>',
        ]
    bar, bottom = left + 100 * scale, row * len(figures) + 14
    lines += [
        f'<line x1="{bar}" y1="4" x2="{bar}" y2="{bottom}" stroke="black" stroke-dasharray="4"/>',
        f'<text x="{bar}" y="{bottom + 12}" text-anchor="middle">the bar</text>',
        "</svg>",
    ]
    return "\n".join(lines) + "\n"
