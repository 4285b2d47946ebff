"""Known secrets are found in every form, in values of any shape, and in text cut anywhere."""

from __future__ import annotations

import html
import importlib
import inspect
import io
import json
import logging
import os
import random
import re
import string
import threading
import time
from base64 import b32encode, b64encode, urlsafe_b64encode
from urllib.parse import quote, quote_plus

import pytest
from codetether.models.messages import Message, TextPart, ToolCallPart
from codetether.record.forms import forms
from codetether.record.redact import Redactor
from codetether.record.search import ShapeSearch
from codetether.record.shapes import shapes
from hypothesis import given, settings
from hypothesis import strategies as st

MANY = bool(os.environ.get("CODETETHER_PROOF"))
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


def test_what_another_thread_found_clean_is_looked_through_again(monkeypatch: pytest.MonkeyPatch) -> None:
    made, text, message = redactor(OLD="the-first-secret"), "say hunter2-hunter2", TextPart(text="say hunter2-hunter2")
    seen: list[tuple[str, str]] = []

    def shown() -> tuple[str, str]:
        stream = made.stream()
        return made.text(text), stream.feed(text) + stream.finish()

    def meanwhile(value: str) -> frozenset[str]:
        thread = threading.Thread(target=lambda: seen.append(shown()))
        thread.start()
        thread.join()
        assert made.lasting(message) is message
        return forms(value)

    monkeypatch.setattr("codetether.record.redact.forms", meanwhile)
    made.add("hunter2-hunter2", "NEW")
    hidden = "say [redacted:NEW]"
    assert seen == [(text, text)]  # nobody had told of it yet
    assert (*shown(), made.lasting(message)) == (hidden, hidden, TextPart(text=hidden))


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


@pytest.mark.parametrize(
    ("form", "written"),
    [
        ("json in json", json.dumps(json.dumps(KEY))[3:-3]),
        ("html", html.escape(KEY)),
        ("html, in text", html.escape(KEY, quote=False)),
        ("reversed", KEY[::-1]),
    ],
)
def test_a_secret_is_found_in_what_carries_it(form: str, written: str) -> None:
    assert redactor(openai=KEY).text(f"before {written} after") == "before [redacted:openai] after", form


@given(before=st.binary(max_size=9), after=st.binary(max_size=9))
@settings(max_examples=25)
def test_a_secret_is_found_inside_base32(before: bytes, after: bytes) -> None:
    clean = redactor(pw="correct-horse-battery").text(b32encode(before + b"correct-horse-battery" + after).decode())
    assert "[redacted:pw]" in clean


def test_K07_a_secret_cut_by_a_line_break_is_found() -> None:
    made, secret = redactor(a="correct-horse-battery"), "correct-horse-battery"
    for written in (secret, b64encode(secret.encode()).decode(), secret.encode().hex()):
        for cut in range(1, len(written)):
            for broken in ("\n", "\r\n"):
                text = f"one\n{written[:cut]}{broken}{written[cut:]}\ntwo"
                assert made.text(text) == "one\n[redacted:a]\ntwo"
                stream = made.stream()
                assert "".join(map(stream.feed, text)) + stream.finish() == "one\n[redacted:a]\ntwo"


@pytest.fixture(scope="module")
def shaped() -> ShapeSearch:
    """What looks for secrets that nobody told of."""
    return ShapeSearch(shapes())


ALNUM = string.ascii_letters + string.digits
HEX = "0123456789abcdef"
KINDS: dict[str, tuple[str, str, int, str]] = {
    "aws-access-key": ("AKIA", string.ascii_uppercase + string.digits, 16, ""),
    "github-token": ("ghp_", ALNUM, 36, ""),
    "gitlab-token": ("glpat-", ALNUM, 20, ""),
    "slack-token": ("xoxb-1234567890-1234567890-", ALNUM, 24, ""),
    "slack-webhook": ("https://hooks.slack.com/services/", ALNUM + "/", 44, ""),
    "stripe-key": ("sk_live_", ALNUM, 24, ""),
    "model-key": ("sk-ant-api03-", ALNUM + "-_", 95, ""),
    "google-api-key": ("AIza", ALNUM + "-_", 35, ""),
    "huggingface-token": ("hf_", ALNUM, 34, ""),
    "npm-token": ("npm_", ALNUM, 36, ""),
    "package-index-token": ("pypi-AgEIcHlwaS5vcmc", ALNUM + "-_", 150, ""),
    "vault-token": ("hvs.", ALNUM + "-_", 90, ""),
    "cloud-token": ("dop_v1_", HEX, 64, ""),
    "databricks-token": ("dapi", HEX, 32, ""),
    "sendgrid-key": ("SG.", ALNUM, 65, ""),
    "twilio-key": ("SK", HEX, 32, ""),
    "json-web-token": ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.", ALNUM + "-_", 43, ""),
    "private-key": ("-----BEGIN RSA PRIVATE KEY-----\n", ALNUM + "+/", 640, "\n-----END RSA PRIVATE KEY-----"),
    "password-in-url": ("postgres://app:", ALNUM, 16, "@db/x"),
    "authorization": ("the header says Bearer ", ALNUM, 40, ""),
    "signature": ("https://b.example/k?X-Amz-Signature=", HEX, 64, ""),
    "secret": ("AWS_SECRET_ACCESS_KEY=", ALNUM + "+/", 40, ""),
    "secret, in JSON": ('{"client_secret": "', ALNUM, 32, '"}'),
    "secret, in YAML": ("db_password: ", ALNUM, 20, ""),
    "secret, of a storage account": ("AccountName=x;AccountKey=", ALNUM + "+/", 86, "==;"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_unknown_secrets_are_found_by_their_shape(shaped: ShapeSearch, kind: str) -> None:
    head, alphabet, length, tail = KINDS[kind]
    made, chance = Redactor(shaped), random.Random(kind)
    drawn = ["".join(chance.choices(alphabet, k=length)) for _ in range(100)]
    texts = [f"before {head}{secret}{tail} after" for secret in drawn]
    found = [f"[redacted:{kind.partition(',')[0]}]" in made.text(text) for text in texts]
    assert sum(found) >= 95
    for secret, text in zip(drawn[:2], texts, strict=False):
        assert secret[:8] not in made.text(text)
        for cut in range(1, len(text), max(1, len(text) // 40)):
            stream = made.stream()
            assert stream.feed(text[:cut]) + stream.feed(text[cut:]) + stream.finish() == made.text(text)


def test_code_is_hardly_ever_taken_for_a_secret(shaped: ShapeSearch) -> None:
    made = Redactor(shaped)
    files = ["argparse", "http.client", "urllib.request", "ssl", "secrets", "hmac", "smtplib", "email.message"]
    lines = [line for name in files for line in inspect.getsource(importlib.import_module(name)).splitlines()]
    assert len(lines) > 10_000
    assert sum(made.text(line) is not line for line in lines) <= len(lines) // 1000


@pytest.mark.parametrize(
    "text",
    [
        "password: ${DB_PASSWORD}",
        "token = os.environ['TOKEN_OF_MINE_2']",
        "https://user@host/a:b@c",
        "postgres://postgres:postgres@localhost/x",
        "the token is explained in section 12 of the handbook",
        'secret = "the quick brown fox"',
        "sk-learn, ask-me-anything-you-like-about-it",
    ],
)
def test_what_only_speaks_of_secrets_stays(shaped: ShapeSearch, text: str) -> None:
    assert Redactor(shaped).text(text) is text


def test_K10_signatures_of_signed_urls_are_taken_out(shaped: ShapeSearch) -> None:
    signature = "0123456789abcdef" * 4
    url = f"https://b.s3.example/k?X-Amz-Credential=c&X-Amz-Signature={signature}&x=1"
    header = f"Authorization: AWS4-HMAC-SHA256 Credential=c, SignedHeaders=host, Signature={signature}"
    made = Redactor(shaped)
    assert made.text(url) == "https://b.s3.example/k?X-Amz-Credential=c&X-Amz-Signature=[redacted:signature]&x=1"
    assert signature not in made.text(header)


@pytest.mark.parametrize("repeated", ["{key}", "{half}", "ab", "eyJ.", " ", "0"])
def test_K12_much_text_and_many_secrets_take_no_time(shaped: ShapeSearch, repeated: str) -> None:
    size = 10_000_000 if MANY else 1_000_000
    made, chance = Redactor(shaped), random.Random(1)
    keys = ["".join(chance.choices(ALNUM, k=40)) for _ in range(1000 if MANY else 100)]
    for number, key in enumerate(keys):
        made.add(key, f"s{number}")
    unit = repeated.format(key=keys[0], half=keys[0][:20])
    text = unit * (size // len(unit))
    made.text(text[:100_000])  # what is searched with is made once
    began = time.process_time()
    made.text(text)
    assert time.process_time() - began < (6.0 if repeated == "eyJ." else 1.5) * size / 10_000_000 + 0.1


def test_a_mask_is_told_from_what_only_looks_like_one(shaped: ShapeSearch) -> None:
    made = Redactor(shaped)
    made.add("abcdefgh", "openai.api_key")
    assert made.mask('{"text": "x = [redacted:openai.api_key]"}') == "[redacted:openai.api_key]"
    assert made.mask("[redacted:github-token]") == "[redacted:github-token]"
    assert made.mask("[redacted:other] [redacted:]") is None
