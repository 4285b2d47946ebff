"""Frames come out whole and verified, however the bytes come in."""

from __future__ import annotations

import struct
from itertools import pairwise
from zlib import crc32

import pytest
from codetether import MalformedResponse
from codetether_provider_bedrock.frames import Frame, FrameSplitter
from codetether_provider_bedrock.trials import framed
from hypothesis import given
from hypothesis import strategies as st


def sealed(head: bytes, rest: bytes) -> bytes:
    """A frame with right checksums, whatever is in it."""
    began = head + struct.pack("!I", crc32(head))
    whole = began + rest
    return whole + struct.pack("!I", crc32(whole))


def test_events_and_exceptions_have_names() -> None:
    data = framed(b'{"a":1}', "messageStop") + framed(b'{"message":"no"}', "throttlingException", "exception")
    assert FrameSplitter().feed(data) == [
        Frame("event", "messageStop", b'{"a":1}'),
        Frame("exception", "throttlingException", b'{"message":"no"}'),
    ]


def test_an_error_is_told_in_its_headers() -> None:
    said = {":message-type": "error", ":error-code": "InternalError", ":error-message": "An error occurred"}
    headers = b"".join(
        struct.pack(f"!B{len(n)}sBH{len(v)}s", len(n), n.encode(), 7, len(v), v.encode()) for n, v in said.items()
    )
    frame = sealed(struct.pack("!II", 16 + len(headers), len(headers)), headers)
    assert FrameSplitter().feed(frame) == [Frame("error", "InternalError", b"", "An error occurred")]


@given(
    payloads=st.lists(st.binary(max_size=40), max_size=5),
    cuts=st.lists(st.integers(0, 800), max_size=20),
)
def test_every_way_to_cut_gives_the_same_frames(payloads: list[bytes], cuts: list[int]) -> None:
    whole = b"".join(map(framed, payloads))
    places = [0, *sorted(min(c, len(whole)) for c in cuts), len(whole)]
    splitter = FrameSplitter()
    frames = [frame for a, b in pairwise(places) for frame in splitter.feed(whole[a:b])]
    assert [*frames, *splitter.finish()] == [Frame("event", "contentBlockDelta", payload) for payload in payloads]


@given(place=st.integers(0, 200), bit=st.integers(0, 7))
def test_a_flipped_bit_is_damage(place: int, bit: int) -> None:
    whole = bytearray(framed(b'{"delta":{"text":"hello"}}'))
    whole[place % len(whole)] ^= 1 << bit
    with pytest.raises(MalformedResponse, match="a frame of the stream is damaged"):
        FrameSplitter().feed(bytes(whole))


@given(st.binary(min_size=12, max_size=64))
def test_anything_is_damage_or_nothing(data: bytes) -> None:
    with pytest.raises(MalformedResponse):
        FrameSplitter().feed(data)


@given(st.binary(max_size=60))
def test_any_headers_end_named(headers: bytes) -> None:
    frame = sealed(struct.pack("!II", 16 + len(headers), len(headers)), headers)
    try:
        assert len(FrameSplitter().feed(frame)) == 1
    except MalformedResponse as error:
        assert error.message.startswith("the server: a frame of the stream is damaged")  # noqa: PT017


@pytest.mark.parametrize(
    ("lengths", "why"),
    [
        ((5 << 20, 0), "an event of more than 4194304 bytes"),
        ((1 << 20, 1 << 18), "damaged: Header length"),
        ((1 << 20, 1 << 16), "an event of more than"),
        ((15, 0), "its lengths contradict each other"),
        ((20, 8), "its lengths contradict each other"),
        ((0, 0), "is damaged"),
    ],
)
def test_lengths_are_bounded_before_anything_is_kept(lengths: tuple[int, int], why: str) -> None:
    head = struct.pack("!II", *lengths)
    with pytest.raises(MalformedResponse, match=f"^acme: .*{why}"):
        FrameSplitter(name="acme").feed(head + struct.pack("!I", crc32(head)))


def test_a_torn_frame_says_nothing() -> None:
    splitter = FrameSplitter()
    assert splitter.feed(framed(b"{}")[:-1]) == []
    assert splitter.finish() == []
