"""How keys and tokens of well-known issuers look, so that those are found too that nobody told of.

As of November 2026, after the formats that the issuers document and that secret scanners (gitleaks, GitHub's secret
scanning) look for. A token is a head and a run of one alphabet behind it; what has no head of its own is found by the
name that it is given: `client_secret = "…"`.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator

from codetether.values import frozen

_DIGITS = b"0123456789"
_LOWER = b"abcdefghijklmnopqrstuvwxyz"
_ALNUM = _DIGITS + _LOWER + _LOWER.upper()
_WORD = _ALNUM + b"_"
_TOKEN = _WORD + b"-"
_DOTTED = _TOKEN + b"."
_BASE64 = _ALNUM + b"+/="
_HEX = b"0123456789abcdef"
_OPAQUE = _DOTTED + b"~+/="
_USERINFO = bytes(c for c in range(33, 127) if c not in b"/@\"'<>`\\?#()[]{},;") + bytes(range(128, 256))
_TYPED = bytes(c for c in range(33, 127) if c not in b"\"'`\\()[]{}<>,;|&")
_PEM = _OPAQUE + b" \t\r\n\\:,"

_LAST_LINE = re.compile(rb"-----END [A-Z ]{0,30}PRIVATE KEY(?: BLOCK)?-----")

Within = tuple[int, int]
Find = Callable[[bytes, int, int], Within | None]
"""`find(data, start, end)`: the part of the run that is secret, None where none is."""


def _whole(data: bytes, start: int, end: int) -> Within:
    return start, end


def _mixed(data: bytes, start: int, end: int) -> Within | None:
    """Letters and digits both: no word of a language."""
    run = data[start:end]
    return (start, end) if re.search(rb"\d", run) and re.search(rb"[A-Za-z]", run) else None


def _random(data: bytes, start: int, end: int) -> Within | None:
    """What looks drawn by lot: letters and digits, in no order."""
    if _mixed(data, start, end) is None or data[start] in b"$%":  # a variable's name is none
        return None
    counts = Counter(data[start:end])
    length = end - start
    entropy = -sum(n / length * math.log2(n / length) for n in counts.values())
    return (start, end) if entropy >= 3.1 else None


def _jwt(data: bytes, start: int, end: int) -> Within | None:
    return (start, end) if re.fullmatch(rb"[\w-]{6,}\.[\w-]{8,}\.[\w-]{8,}", data[start:end]) else None


def _password(data: bytes, start: int, end: int) -> Within | None:
    """The password of `scheme://user:password@host`."""
    if data[end : end + 1] != b"@":
        return None
    colon = data.find(b":", start, end)
    password = data[colon + 1 : end]
    word = len(password) < 8 or b"$" in password or (password.islower() and password.isalpha())
    return None if colon < 0 or word else (colon + 1, end)


def _block(data: bytes, start: int, end: int) -> Within:
    """A private key to its last line, or as much of it as there is."""
    last = _LAST_LINE.search(data, start, end)
    return start, last.end() if last else end


@frozen(kw_only=True)
class Shape:
    """One kind of secret.

    Attributes:
        heads: what it begins with, after no letter or digit. least, most: bytes of the run behind it.
        find: the secret part of the run; `headed`: the head is part of the secret.
        opening: what may stand between head and run. bounded: no letter or digit stands right before the head.
        clipped: of a longer run the first `most` bytes count; otherwise it is something else.
    """

    name: str
    heads: tuple[str, ...]
    alphabet: bytes = _ALNUM
    least: int = 20
    most: int = 255
    find: Find = _whole
    headed: bool = True
    opening: re.Pattern[bytes] | None = None
    bounded: bool = True
    clipped: bool = False


def _exactly(name: str, *heads: str, length: int, alphabet: bytes = _ALNUM) -> Shape:
    return Shape(name=name, heads=heads, alphabet=alphabet, least=length, most=length)


_NAMES = """password passwd passphrase secret token api_key apikey api-key access_key accesskey access-key private_key
    client_key auth_key account_key accountkey authorization""".split()  # noqa: SIM905
_CASES: tuple[Callable[[str], str], ...] = (str, str.upper, str.capitalize, lambda n: n.title().replace("_", ""))
_ASSIGNED = re.compile(rb"[\w.-]{0,20}+[\"']?[ \t]{0,8}(?::=|=>|=|:)[ \t]{0,8}(?:\\?[\"']|Bearer |Basic |Token )?")


def shapes() -> Iterator[Shape]:
    """All of them."""
    yield _exactly("aws-access-key", "AKIA", "ASIA", "ABIA", "ACCA", length=16, alphabet=_DIGITS + _LOWER.upper())
    yield Shape(name="github-token", heads=("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), least=36)
    yield Shape(name="github-token", heads=("github_pat_",), alphabet=_WORD, least=70)
    gitlab = ("glpat-", "gldt-", "glrt-", "glcbt-", "glptt-", "glft-", "glimt-", "glagent-", "gloas-", "glsoat-")
    yield Shape(name="gitlab-token", heads=gitlab, alphabet=_DOTTED)
    yield Shape(
        name="slack-token",
        heads=("xoxb-", "xoxp-", "xoxa-", "xoxr-", "xoxs-", "xoxe-", "xoxe.", "xapp-"),
        alphabet=_DOTTED,
    )
    yield Shape(name="slack-webhook", heads=("hooks.slack.com/services/",), alphabet=_BASE64, least=30, headed=False)
    yield Shape(
        name="discord-webhook", heads=("discord.com/api/webhooks/",), alphabet=_TOKEN + b"/", least=60, headed=False
    )
    stripe = ("sk_live_", "sk_test_", "rk_live_", "rk_test_", "sk_prod_", "rk_prod_", "whsec_")
    yield Shape(name="stripe-key", heads=stripe, alphabet=_BASE64, least=16)
    models = ("sk-", "gsk_", "xai-", "pplx-", "r8_", "fw_", "fpk_", "csk-", "nvapi-", "tgp_v1_", "psk-", "sk_")
    yield Shape(name="model-key", heads=models, alphabet=_TOKEN, least=24, find=_mixed)
    yield _exactly("google-api-key", "AIza", length=35, alphabet=_TOKEN)
    yield Shape(name="google-token", heads=("ya29.", "GOCSPX-", "1//0"), alphabet=_DOTTED, least=24, most=2048)
    yield Shape(name="huggingface-token", heads=("hf_", "api_org_"), least=30)
    yield Shape(name="npm-token", heads=("npm_",), least=36)
    yield Shape(
        name="package-index-token", heads=("pypi-Ag", "rubygems_", "crates.io-", "cio"), alphabet=_TOKEN, least=32
    )
    yield Shape(name="docker-token", heads=("dckr_pat_", "dckr_oat_"), alphabet=_TOKEN)
    yield Shape(name="vault-token", heads=("hvs.", "hvb.", "hvr.", "s.CAESI"), alphabet=_TOKEN, least=20, most=300)
    cloud = (
        "dop_v1_",
        "doo_v1_",
        "dor_v1_",
        "pscale_tkn_",
        "pscale_pw_",
        "sbp_",
        "nfp_",
        "FlyV1 fm",
        "fo1_",
        "hcp.",
        "PMAK-",
    )
    yield Shape(name="cloud-token", heads=cloud, alphabet=_DOTTED, most=1024)
    yield _exactly("databricks-token", "dapi", length=32, alphabet=_HEX)
    yield Shape(name="sendgrid-key", heads=("SG.",), alphabet=_DOTTED, least=50)
    yield _exactly("twilio-key", *(f"SK{digit}" for digit in _HEX.decode()), length=31, alphabet=_HEX)
    yield Shape(name="mailgun-key", heads=("key-",), alphabet=_HEX, least=32, most=32)
    yield Shape(name="shopify-token", heads=("shpat_", "shpca_", "shppa_", "shpss_"), alphabet=_HEX, least=32)
    square = ("sq0atp-", "sq0csp-", "EAAAE", "sqOatp-")
    yield Shape(name="square-token", heads=square, alphabet=_TOKEN, least=22)
    work = ("lin_api_", "ntn_", "secret_", "figd_", "ATATT3", "ATCTT3", "ATBB", "dp.pt.", "dp.st.", "phc_", "phx_")
    yield Shape(name="service-token", heads=work, alphabet=_TOKEN + b"=.", least=24, find=_random)
    watch = ("glsa_", "glc_", "NRAK-", "NRJS-", "sntrys_", "sntryu_", "lip_", "eyJrIjoi")
    yield Shape(name="monitoring-token", heads=watch, alphabet=_BASE64 + b"_-", least=19, most=400)
    yield Shape(name="age-key", heads=("AGE-SECRET-KEY-1",), alphabet=_DIGITS + _LOWER.upper(), least=50)
    yield Shape(name="json-web-token", heads=("eyJ",), alphabet=_DOTTED, most=4096, find=_jwt)
    kinds = ("", "RSA ", "EC ", "DSA ", "OPENSSH ", "ENCRYPTED ", "PGP ", "SSH2 ENCRYPTED ")
    blocks = tuple(f"-----BEGIN {kind}PRIVATE KEY" for kind in kinds)
    yield Shape(name="private-key", heads=blocks, alphabet=_PEM, most=16384, find=_block, bounded=False, clipped=True)
    yield Shape(
        name="password-in-url",
        heads=("://",),
        alphabet=_USERINFO,
        least=10,
        find=_password,
        headed=False,
        bounded=False,
    )
    bearer = ("Bearer ", "bearer ", "Basic ")
    yield Shape(name="authorization", heads=bearer, alphabet=_OPAQUE, most=4096, find=_random, headed=False)
    signed = (
        "X-Amz-Signature=",
        "X-Amz-Security-Token=",
        "x-amz-security-token=",
        "X-Goog-Signature=",
        "sig=",
        "Signature=",
    )
    yield Shape(name="signature", heads=signed, alphabet=_OPAQUE + b"%", least=32, most=4096, headed=False)
    named = tuple({made for name in _NAMES for case in _CASES if (made := case(name))})
    yield Shape(
        name="secret",
        heads=named,
        alphabet=_TYPED,
        least=12,
        most=1024,
        find=_random,
        headed=False,
        opening=_ASSIGNED,
        bounded=False,
    )
