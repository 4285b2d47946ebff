"""What may be written to a terminal: text from models, tools and files with everything hidden made visible."""

from __future__ import annotations

import errno
import os
import re
import sys
from contextlib import suppress
from functools import cache
from typing import TextIO

_RANGES = (
    (0x00, 0x08), (0x0B, 0x1F), (0x7F, 0x9F), (0xAD, 0xAD), (0x61C, 0x61C), (0x115F, 0x1160), (0x180E, 0x180E),
    (0x200B, 0x200F), (0x2028, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164), (0xD800, 0xDFFF), (0xFEFF, 0xFEFF),
    (0xFFA0, 0xFFA0), (0xFFF9, 0xFFFB), (0xE0000, 0xE0FFF),
)  # fmt: skip
"""Controls (but newline and tab), bidirectional and zero-width characters, tags, lone surrogates."""
_CLIMBING = "\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"


# Compiled when they are first needed: most runs show only plain text.
@cache
def _hidden() -> re.Pattern[str]:
    return re.compile(_hidden_class())


def _hidden_class() -> str:
    return "[" + "".join(f"{chr(low)}-{chr(high)}" for low, high in _RANGES) + "]"


@cache
def _marks() -> re.Pattern[str]:
    """More combining marks on one letter than any script needs: they would climb over other lines."""
    return re.compile(f"([{_CLIMBING}]{{4}})[{_CLIMBING}]+")


@cache
def _hidden_in_json() -> re.Pattern[str]:
    return re.compile(f"(?![\x00-\x1f]){_hidden_class()}")


def visible(text: str) -> str:
    """The text with no character left that a terminal acts on, but newline and tab: ESC becomes `␛`, U+202E `<U+202E>`.

    `\\r\\n` counts as a newline. Each character is judged alone, so text may be passed in pieces.
    """
    if text.isascii() and text.isprintable():
        return text
    if "\r\n" in text:
        text = text.replace("\r\n", "\n")
    if _hidden().search(text):
        text = text.translate(_pictures())
    return text if text.isascii() else _marks().sub(r"\1…", text)


@cache
def _pictures() -> dict[int, str]:
    """What is shown for each hidden character: a table, so that a megabyte of them costs no more than of others."""
    return {code: _picture(code) for low, high in _RANGES for code in range(low, high + 1)}


def _picture(code: int) -> str:
    if code < 0x20:
        return chr(0x2400 + code)
    return "␡" if code == 0x7F else f"<U+{code:04X}>"


def readable(text: str) -> str:
    """An answer: visible, but for the joiners that its script or emoji need, as in `می‌خواهم` and 👩‍💻.

    They stay between characters beyond the Latin ones, where they hide nothing from who reads prose; in what is to be
    permitted they are shown.
    """
    if "\u200c" not in text and "\u200d" not in text:
        return visible(text)
    pieces = _needed_joiners().split(text)
    return "".join(piece if number % 2 else visible(piece) for number, piece in enumerate(pieces))


def unfinished(text: str) -> str:
    """The end of a piece of text that may read otherwise once the next piece is there."""
    found = _open_ends().search(text)
    return found[0] if found else ""


@cache
def _needed_joiners() -> re.Pattern[str]:
    return re.compile(f"(?<={_beyond_latin()})([\u200c\u200d])(?={_beyond_latin()})")


@cache
def _open_ends() -> re.Pattern[str]:
    character = f"{_beyond_latin()}\ufe0f?"
    return re.compile(f"(?:\r|(?:{character}[\u200c\u200d]){{0,16}}{character}[\u200c\u200d]?)\\Z")


def _beyond_latin() -> str:
    return "[^\x00-\u02ff" + _hidden_class()[1:]


def one_line(text: str, width: int) -> str:
    """The text visible on one line of at most `width` columns; the characters that are cut are counted."""
    shown = visible(text).replace("\n", "⏎").replace("\t", " ")
    if len(shown) <= width and columns_of(shown) <= width:
        return shown
    kept = cut(shown, width - len(f"… (+{len(shown):,})"))
    return f"{kept}… (+{len(shown) - len(kept):,})"


def columns_of(text: str) -> int:
    """Columns that a line takes on a terminal: letters of East Asia and most emoji take two, marks on them none."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def cut(line: str, columns: int) -> str:
    """As much of the line's beginning as these columns hold."""
    if line.isascii():
        return line[: max(columns, 0)]
    for index, character in enumerate(line):
        columns -= _columns(character)
        if columns < 0:
            return line[:index]
    return line


def _columns(character: str) -> int:
    from unicodedata import category, east_asian_width

    return 2 if east_asian_width(character) in "WF" else int(category(character) not in ("Mn", "Me", "Cf"))


def json_line(data: bytes) -> str:
    """JSON whose hidden characters are escaped too, so that it stays the same JSON and no terminal acts on it."""
    return _hidden_in_json().sub(_escaped, data.decode())


def _escaped(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be")
    return "".join(f"\\u{units[n]:02x}{units[n + 1]:02x}" for n in range(0, len(units), 2))


class Screen:
    """Standard output for answers, standard error for everything else."""

    def __init__(self) -> None:
        self.out: TextIO = sys.stdout or open(os.devnull, "w")  # noqa: SIM115, PTH123 - closed by its starter
        self.err: TextIO = sys.stderr or open(os.devnull, "w")  # noqa: SIM115, PTH123
        for stream in (self.out, self.err):
            if hasattr(stream, "reconfigure"):
                with suppress(OSError):  # it flushes
                    stream.reconfigure(errors="backslashreplace")
        self.live = self.out.isatty()
        """Whether someone watches the answer as it comes."""
        wanted = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        self.coloured = wanted and self.err.isatty()

    @property
    def width(self) -> int:
        """Columns for one line of standard error; 160 where it is no terminal."""
        try:
            return max(os.get_terminal_size(self.err.fileno()).columns, 20)
        except (OSError, ValueError):
            return 160

    @property
    def columns(self) -> int | None:
        """Columns of standard output; None where it is no terminal, so that nothing is cut there."""
        try:
            return max(os.get_terminal_size(self.out.fileno()).columns, 20) if self.live else None
        except (OSError, ValueError):
            return None

    def write(self, text: str) -> None:
        """More of the answer, to standard output, at once."""
        _put(self.out, text)

    def line(self, text: str) -> None:
        """One line of a listing, to standard output."""
        self.out.write(visible(text) + "\n")

    def notice(self, source: str, text: str, *codes: int) -> None:
        """Something the user should know; `source` may be empty. As `say`, yellow unless `codes` say otherwise."""
        self.say(f"note: {source}: {text}" if source else f"note: {text}", *(codes or (YELLOW,)))

    def say(self, text: str, *codes: int) -> None:
        """Lines to standard error, made visible; `codes` are those of SGR, used only where there are colours."""
        with suppress(OSError):  # what is wrong with standard output is said by whoever writes there
            self.out.flush()
        shown = visible(text)
        if codes and self.coloured:
            shown = f"\x1b[{';'.join(map(str, codes))}m{shown}\x1b[0m"
        _put(self.err, shown + "\n")


def _put(stream: TextIO, text: str) -> None:
    """Writes at once. When the terminal itself has gone there is nobody to tell, and SIGHUP ends the command."""
    try:
        stream.write(text)
        stream.flush()
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


BOLD, DIM, RED, GREEN, YELLOW, CYAN = 1, 2, 31, 32, 33, 36
