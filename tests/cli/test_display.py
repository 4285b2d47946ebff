"""What `codetether chat` draws of a turn, however the answer is cut into pieces."""

from __future__ import annotations

import io

import pytest
from codetether.cli.chat import display
from codetether.cli.terminal import Screen
from codetether.models.events import Retry, TextChunk, TextComplete, Thinking, ThinkingChunk, ToolCallComplete

ANSWER = """\
First
goes on.\r
\r
1. Do this:

    ```bash
    git checkout <branch>

    make
    ```

   and wait
2. done

| 値段 | b |
|-----:|---|
| 120  | 🎉 |

می‌شد 👩‍💻 a‌b

#hashtag <http://x/%1b[2J> &#x202e;evil
"""
DRAWN = """\
First goes on.
 1 Do this:
    git checkout <branch>
    make
   and wait
 2 done
 値段  b
 ────────
  120  🎉
می‌شد 👩‍💻 a<U+200C>b
#hashtag http://x/␛[2J (http://x/%1b%5B2J) <U+202E>evil
"""


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> tuple[display.RichDisplay, io.StringIO]:
    """A display that draws anew with every piece, and what it has drawn for good."""
    monkeypatch.setenv("COLUMNS", "74")
    monkeypatch.setattr(display, "FRAMES", 1e9)
    screen = Screen()
    screen.out = io.StringIO()
    return display.RichDisplay(screen), screen.out


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_pieces_are_drawn_as_the_whole_is(drawn: tuple[display.RichDisplay, io.StringIO], size: int) -> None:
    shown, out = drawn
    for start in range(0, len(ANSWER), size):
        shown.show(TextChunk(ANSWER[start : start + size]))
    shown.show(TextComplete(text=ANSWER))

    assert [line.rstrip() for line in out.getvalue().splitlines() if line.strip()] == DRAWN.splitlines()


def test_only_what_stands_above_is_withdrawn_and_a_failure_is_told_whole(
    drawn: tuple[display.RichDisplay, io.StringIO],
) -> None:
    shown, out = drawn
    why = "Error: " + "it cannot be done, " * 5
    for event in (
        Thinking(step=1),
        ThinkingChunk("so"),
        TextChunk("half"),
        Retry(attempt=1, delay=7.2, reason="openai: the stream ended early"),
        Thinking(step=1),
        TextChunk("one\n\ntwo\n\nthree\n"),
        Retry(attempt=2, delay=0.2, reason="early"),
        ToolCallComplete(call_id="1", name="bash", output=why, success=False, duration_ms=1),
    ):
        shown.show(event)

    assert [line.rstrip() for line in out.getvalue().splitlines()] == [
        "— openai: the stream ended early: retrying in 7 s",
        "one",
        "",
        "two",
        "— early: retrying, what stands above since the last prompt is withdrawn",
        "↳ bash",
        "  Error: it cannot be done, it cannot be done, it cannot be done, it",
        "  cannot be done, it cannot be done,",
    ]
