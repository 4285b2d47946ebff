"""Bytes become events, however the network and the server cut them."""

from __future__ import annotations

from itertools import pairwise

import pytest
from codetether import MalformedResponse
from codetether_http import EventSplitter, ServerSentEvent
from hypothesis import given
from hypothesis import strategies as st


def split(*reads: bytes) -> list[ServerSentEvent]:
    splitter = EventSplitter()
    return [*(event for read in reads for event in splitter.feed(read)), *splitter.finish()]


def datas(*reads: bytes) -> list[bytes]:
    return [event.data for event in split(*reads)]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_lines_end_in_three_ways(end: bytes) -> None:
    stream = end.join([b": hello", b"event: error", b"data: one", b"data:two", b"id: 7", b"", b"data", b"", b""])
    assert split(stream) == [ServerSentEvent(b"one\ntwo", b"error"), ServerSentEvent(b"")]


def test_what_merely_looks_like_a_line_end_is_data() -> None:
    text = "data: a\u2028b\u2029c\u0085d\x0be\x0cf\x1cg\n\n".encode()
    assert datas(text) == ["a\u2028b\u2029c\u0085d\x0be\x0cf\x1cg".encode()]


def test_only_one_space_after_the_colon_goes() -> None:
    assert datas(b"data:  x\n\n", b"data:x\n\n", b"data: \n\n") == [b" x", b"x", b""]


def test_a_byte_order_mark_at_the_start_goes_and_later_ones_stay() -> None:
    assert datas(b"\xef", b"\xbb", b"\xbfdata: a\n\n", b"\xef\xbb\xbfdata: b\n\n", b"data: \xef\xbb\xbf\n\n") == [
        b"a",
        b"\xef\xbb\xbf",
    ]


def test_a_last_event_without_its_blank_line_is_given_at_the_end() -> None:
    assert datas(b"data: a\n\ndata: [DONE]") == [b"a", b"[DONE]"]


def test_comments_and_unknown_fields_are_no_events() -> None:
    assert split(b": ping\n\n\n\nretry: 5\n\nfoo\n\n: pong\n\n") == []


@pytest.mark.parametrize("size", [1, 1000, 1 << 16])
def test_R07_an_event_that_never_ends_is_refused(size: int) -> None:
    splitter = EventSplitter(limit=10_000, name="acme")
    for _ in range(10_000 // size):
        assert splitter.feed(b"a" * size) == []
    with pytest.raises(MalformedResponse, match="acme: the stream holds an event of more than 10000 bytes"):
        splitter.feed(b"a" * size)


def test_a_large_event_in_one_read_is_refused_too() -> None:
    with pytest.raises(MalformedResponse):
        EventSplitter(limit=100).feed(b"data: a\n\ndata: " + b"b" * 100 + b"\n\ndata: c\n\n")


DATA = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=12).map(str.encode)


@given(
    events=st.lists(st.tuples(st.lists(DATA, min_size=1, max_size=3), st.sampled_from([b"", b"error", b"ping"]))),
    end=st.sampled_from([b"\n", b"\r\n", b"\r"]),
    comment=st.sampled_from([b"", b": keep alive"]),
    cuts=st.lists(st.integers(0, 400)),
)
def test_every_way_to_cut_a_stream_gives_the_same_events(
    events: list[tuple[list[bytes], bytes]], end: bytes, comment: bytes, cuts: list[int]
) -> None:
    lines: list[bytes] = []
    for data, name in events:
        lines += [comment] if comment else []
        lines += [b"event: " + name] if name else []
        lines += [*(b"data: " + line for line in data), b""]
    stream = b"".join(line + end for line in lines)
    places = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    reads = [stream[a:b] for a, b in pairwise(places)]
    assert split(*reads) == [ServerSentEvent(b"\n".join(data), name) for data, name in events]
