"""Stories about any text: the difference to another, as a patch, makes the other, byte for byte."""

from __future__ import annotations

import difflib

from codetether_tools_files import unidiff
from codetether_tools_files.applying import applied, lines_of
from codetether_tools_files.text import Encoding
from hypothesis import given
from hypothesis import strategies as st

LINES = st.lists(
    st.tuples(
        st.sampled_from(
            ["", " ", "\t", "a", "b", "--", "-- a", "++ b", "@@", " x", "\tx", "é", "\ufeff", "\\ No", "\x0c", "\u2028"]
        ),
        st.sampled_from(["\n", "\r\n"]),
    ).map("".join),
    max_size=12,
)
TEXTS = st.tuples(LINES, st.sampled_from(["", "a", "-", "é", "x\r"])).map(lambda pair: "".join(pair[0]) + pair[1])
DATA = TEXTS.flatmap(
    lambda text: st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "latin-1"]).map(
        lambda codec: text.encode(codec, "replace")
    )
)


def diff(old: str, new: str, context: int) -> str:
    """As diff writes it."""
    made = difflib.unified_diff(lines_of(old), lines_of(new), "a/f", "b/f", n=context)
    return "".join(line if line.endswith("\n") else line + "\n\\ No newline at end of file\n" for line in made)


@given(old=TEXTS, new=TEXTS, context=st.sampled_from([1, 3]))
def test_a_difference_makes_the_other_text(old: str, new: str, context: int) -> None:
    if old == new:
        return
    (patch,) = unidiff.parse(diff(old, new, context))
    assert (patch.path, applied(old, patch.hunks, "f").text, applied(old, patch.hunks, "f").notes) == ("f", new, ())


@given(data=DATA, head=st.sampled_from(["# begin\n", "# begin\r\n", "\n"]))
def test_bytes_that_no_hunk_names_stay(data: bytes, head: str) -> None:
    encoding = Encoding.of(data)
    text = encoding.decode(data)
    new = head + text
    (patch,) = unidiff.parse(diff(text, new, 1))
    assert encoding.encode(applied(text, patch.hunks, "f").text) == encoding.encode(new)
