"""Known secrets are found in every form, in values of any shape, and in text cut anywhere."""

from __future__ import annotations

import io
import json
import logging
import re
from base64 import b64encode, urlsafe_b64encode
from urllib.parse import quote, quote_plus

import pytest
from codetether.models.messages import Message, TextPart, ToolCallPart
from codetether.record.redact import Redactor
from hypothesis import given
from hypothesis import strategies as st

KEY = 'sk-or/v1+kö"7f=90ab&c\nd 0'


def redactor(**secrets: str) -> Redactor:
    made = Redactor()
    for name, value in secrets.items():
        made.add(value, name)
    return made


@pytest.mark.parametrize(
    ("form", "written"),
    [
        ("plain", KEY),
        ("json", json.dumps(KEY)[1:-1]),
        ("json, not ascii", json.dumps(KEY, ensure_ascii=False)[1:-1]),
        ("url", quote(KEY, safe="")),
        ("url path", quote(KEY)),
        ("url form", quote_plus(KEY)),
        ("url, lower case", re.sub("%..", lambda m: m[0].lower(), quote(KEY, safe=""))),
        ("hex", KEY.encode().hex()),
        ("HEX", KEY.encode().hex().upper()),
    ],
)
def test_a_secret_is_found_as_it_travels(form: str, written: str) -> None:
    assert redactor(openai=KEY).text(f"before {written} after") == "before [redacted:openai] after", form


@given(before=st.binary(max_size=20), after=st.binary(max_size=20), url_safe=st.booleans())
def test_a_secret_is_found_inside_base64(before: bytes, after: bytes, url_safe: bool) -> None:
    secret = b"correct-horse-battery"
    encode = urlsafe_b64encode if url_safe else b64encode
    clean = redactor(pw=secret.decode()).text(encode(before + secret + after).decode())
    assert "[redacted:pw]" in clean
    assert len(clean.replace("[redacted:pw]", "")) <= len(encode(before + after)) + 8


def test_the_longer_of_two_is_taken() -> None:
    clean = redactor(short="abcdefgh", long="abcdefghijkl").text("abcdefghijkl abcdefgh!")
    assert clean == "[redacted:long] [redacted:short]!"


def test_K11_short_values_are_left_alone() -> None:
    made = redactor(pin="1234567", blank="        ")
    assert made.empty
    assert made.text("1234567") == "1234567"


def test_text_without_secrets_is_the_same_object() -> None:
    made, text = redactor(a="abcdefgh"), "nothing here" * 3
    assert made.text(text) is text
    data = {"a": [1, None, True, 2.5, "x"], "b": {"c": "y"}}
    assert made.data(data) is data
    message = Message(role="user", parts=(TextPart(text="hello"),))
    assert made.value(message) is message


def test_data_and_values_are_walked_keys_too() -> None:
    made = redactor(a="abcdefgh")
    assert made.data({"abcdefgh": ["xabcdefghx", 7], "b": ({"c": "abcdefgh"},)}) == {
        "[redacted:a]": ["x[redacted:a]x", 7],
        "b": ({"c": "[redacted:a]"},),
    }
    call = ToolCallPart(id="1", name="bash", arguments='{"command": "echo abcdefgh"}')
    message = Message(role="assistant", parts=(TextPart(text="ok"), call), extra={"later": "abcdefgh"})
    assert made.value(message) == Message(
        role="assistant",
        parts=(
            TextPart(text="ok"),
            ToolCallPart(id="1", name="bash", arguments='{"command": "echo [redacted:a]"}'),
        ),
        extra={"later": "[redacted:a]"},
    )


def test_K07_a_secret_cut_at_every_place_is_found() -> None:
    made = redactor(a="abcdefgh", b="defghijklm")
    text = "x abcdefgh y abcdefghijklm abcdefg z"
    for first in range(len(text)):
        for second in range(first, len(text)):
            stream = made.stream()
            pieces = [text[:first], text[first:second], text[second:]]
            shown = "".join(map(stream.feed, pieces)) + stream.finish()
            assert shown == made.text(text) == "x [redacted:a] y [redacted:a]ijklm abcdefg z"


letters = st.text("ab", min_size=8, max_size=12)


@given(secrets=st.lists(letters, min_size=1, max_size=4), pieces=st.lists(st.text("abx", max_size=9), max_size=12))
def test_a_stream_shows_what_the_whole_text_would(secrets: list[str], pieces: list[str]) -> None:
    made = redactor(**{f"s{i}": s for i, s in enumerate(secrets)})
    stream = made.stream()
    shown, arrived, longest = "", "", made._known.longest
    for piece in pieces:
        shown += stream.feed(piece)
        arrived += piece
        assert len(stream._held) < longest
    assert shown + stream.finish() == made.text(arrived)


def test_a_stream_holds_back_only_what_may_become_a_secret() -> None:
    stream = redactor(a="abcdefgh").stream()
    assert [stream.feed(p) for p in ("hello w", "orld ab", "c", "x")] == ["hello w", "orld ", "", "abcx"]


def test_logs_are_clean_with_arguments_and_tracebacks() -> None:
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.addFilter(redactor(a="abcdefgh").log_filter())
    log = logging.Logger("test")  # noqa: LOG001 (of no tree)
    log.addHandler(handler)
    log.warning("key %s in %r", "abcdefgh", {"k": "abcdefgh"})
    log.warning("wrong %d", "abcdefgh")
    try:
        raise ValueError("abcdefgh")
    except ValueError:
        log.exception("failed", stack_info=True)
    assert "abcdefgh" not in out.getvalue()
    assert out.getvalue().startswith(
        "key [redacted:a] in {'k': '[redacted:a]'}\n(a log record that cannot be formatted: TypeError)\nfailed\n"
    )
    assert "ValueError: [redacted:a]" in out.getvalue()
