"""What providers say when they fail, and which error that is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import Any, TypeAlias

import orjson
from attrs import field, frozen
from codetether import (
    AuthenticationFailed,
    ContextOverflow,
    DeadlineExceeded,
    InvalidRequest,
    ModelNotFound,
    ProviderError,
    QuotaExhausted,
    RateLimited,
    ServerFailed,
)

_LONGEST = 2000
_OVERFLOW = (
    "context_length_exceeded",
    "context length",
    "context limit",
    "context size",
    "context window",
    "input is too long",
    "maximum number of tokens allowed",
    "maximum prompt length",
    "prompt exceeds max length",
    "prompt is too long",
    "reduce the length of the messages",
    "too many tokens",
)
_NO_QUOTA = (
    "billing_error",
    "credit balance is too low",
    "insufficient_quota",
    "insufficient balance",
    "insufficient_balance",
    "your current quota",
)
_NO_BALANCE_CODES = ("1113",)
_NO_KEY = ("api_key_invalid", "api key not valid", "api key expired", "api key not found", "pass a valid api key")
_CODES = {1001: 504, 1002: 429, 1004: 401, 1008: 402, 1039: 429, 2013: 400, 2049: 401, 2056: 429}
"""Numbers that come as `base_resp` in place of a status, and the status that each stands for."""
_NO_MODEL = (
    "is not found for api version",
    "publisher model",
    "model_not_found",
    "model_not_exist",
    "not_found_error model:",
    "model not found",
    "invalid_model",
    "unknown model",
    "not a valid model",
)

Kind: TypeAlias = type[ProviderError]


@frozen(kw_only=True)
class Fault:
    """A provider's error in its own words; `status` is that of the HTTP answer, or a number that stands in for one.

    Attributes:
        kind: which error it is, where the wire knows; else its status and words tell. remedy: goes with it.
    """

    message: str
    status: int | None = None
    type: str | None = None
    code: str | int | None = None
    param: str | None = None
    more: Mapping[str, Any] = field(factory=dict)
    kind: Kind | None = None
    remedy: str = ""


ReadFailure = Callable[[bytes, int, Mapping[str, str]], Fault]
"""Reads the fault in the body, the status and the headers of an answer that is no success."""


def read_fault(body: Any, status: int | None = None) -> Fault | None:
    """The fault in a parsed body, in any of the shapes that are in use; None where there is none.

    `{"error": {message, type, code, param}}`, `{"error": {code, message, status, details}}`, `{"error": "text"}`,
    `{message, type, code}`, `{"detail": …}`, `{"base_resp": {status_code, status_msg}}`, and a list of one of these.
    """
    if isinstance(body, list) and body:
        body = body[0]
    if not isinstance(body, dict):
        return None
    base = body.get("base_resp")
    if isinstance(base, dict) and base.get("status_code"):
        return Fault(message=_text(base.get("status_msg")), status=status, code=base["status_code"])
    said = body.get("error")
    if isinstance(said, str) and said:
        return Fault(message=said[:_LONGEST], status=status, code=_word(body.get("code")))
    if isinstance(said, dict):
        return _from_object(said, status)
    if said is None and ("message" in body or "detail" in body) and "choices" not in body:
        own = {k: v for k, v in body.items() if k != "detail"}
        return _from_object({"message": body.get("detail"), **own}, status)
    return None


def _from_object(said: Mapping[str, Any], status: int | None) -> Fault:
    known = ("message", "type", "code", "param", "status")
    return Fault(
        message=_text(said.get("message")),
        status=status,
        type=_word(said.get("type"), str) or _word(said.get("status"), str),
        code=_word(said.get("code")),
        param=_word(said.get("param"), str),
        more={k: v for k, v in said.items() if k not in known and v is not None and _is_shallow(v)},
    )


def _is_shallow(value: Any) -> bool:
    """Whether a value can be written down again: what is nested too deep is nobody's detail."""
    try:
        orjson.dumps(value)
    except TypeError:
        return False
    return True


def read_body(body: bytes, status: int | None = None) -> Fault:
    """The fault in the body of a failed answer: JSON, or text as it stands; HTML is only named."""
    try:
        fault = read_fault(orjson.loads(body), status)
    except orjson.JSONDecodeError:
        fault = None
    if fault and fault.message:
        return fault
    text = body[: _LONGEST * 4].decode("utf-8", "replace").strip()[:_LONGEST]
    if text[:1] == "<":
        text = "a page of HTML, no API's answer"
    return Fault(message=text or "no reason given", status=status)


def read_failure(body: bytes, status: int, headers: Mapping[str, str]) -> Fault:
    """What most servers mean: all that counts stands in the body."""
    return read_body(body, status)


def error_from(fault: Fault, provider: str, *, retry_after: float | None = None, key: str = "") -> ProviderError:
    """The typed error for a fault. `key` says where the key comes from, for the remedy."""
    answered = f" answered {fault.status}" if fault.status and fault.status >= 300 else ""
    kind, remedy = (fault.kind, "") if fault.kind else _kind(fault, key)
    said = {"type": fault.type, "code": fault.code, "param": fault.param}
    details = {k: v for k, v in said.items() if v is not None} | dict(fault.more)
    return kind(
        f"{provider}{answered}: {fault.message}{_cause(fault)}",
        remedy=fault.remedy or remedy,
        status=fault.status,
        retry_after=_wait(fault) if retry_after is None else retry_after,
        code=str(fault.code if fault.code is not None else fault.type or ""),
        details={"message": fault.message, **details},
    )


def _cause(fault: Fault) -> str:
    """What the service behind a gateway said, where the gateway passes it on."""
    metadata = fault.more.get("metadata")
    raw = metadata.get("raw") if isinstance(metadata, Mapping) else None
    return f": {raw[:500]}" if isinstance(raw, str) and raw else ""


def _details(fault: Fault, kind: str) -> Iterator[Mapping[str, Any]]:
    """The details of one kind that Google's services give, e.g. `RetryInfo`."""
    details = fault.more.get("details")
    for detail in details if isinstance(details, list) else ():
        if isinstance(detail, Mapping) and str(detail.get("@type")).endswith(f"google.rpc.{kind}"):
            yield detail


def _wait(fault: Fault) -> float | None:
    """Seconds to wait as the body says, e.g. `"34.4s"`; None where it does not."""
    waits = (_number(str(info.get("retryDelay")).removesuffix("s")) for info in _details(fault, "RetryInfo"))
    return next((wait for wait in waits if wait is not None), None)


def _lasts_a_day(fault: Fault) -> bool:
    """Whether a quota of a day is used up: the wait that is named beside it does not help."""
    return any("perday" in str(failure.get("violations")).lower() for failure in _details(fault, "QuotaFailure"))


def _kind(fault: Fault, key: str) -> tuple[type[ProviderError], str]:
    reasons = (info.get("reason") for info in _details(fault, "ErrorInfo"))
    words = " ".join(str(x) for x in (fault.code, fault.type, fault.message, *reasons) if x is not None).lower()
    status = fault.status if fault.status is not None else _status_in(fault)
    match status:
        case 402:
            return QuotaExhausted, "add credit with the provider, or choose another model"
        case 429 if _wait(fault) is not None and not _lasts_a_day(fault):
            return RateLimited, ""
        case 400 if _any(_NO_KEY, words):
            return AuthenticationFailed, f"check the key ({key})" if key else "check the provider's key"
        case 429 | 400 | 403 if _any(_NO_QUOTA, words) or fault.code in _NO_BALANCE_CODES:
            return QuotaExhausted, "add credit with the provider, or choose another model"
        case 429:
            return RateLimited, ""
        case 401 | 403:
            return AuthenticationFailed, f"check the key ({key})" if key else "check the provider's key"
        case 400 | 404 | 422 if _any(_NO_MODEL, words) or ("model" in words and "does not exist" in words):
            return ModelNotFound, "codetether models lists what is there"
        case 400 | 413 | 422 if status == 413 or _any(_OVERFLOW, words):
            return ContextOverflow, "start a new session, or choose a model with a larger context"
        case 404:
            return InvalidRequest, "check the model and the provider's base_url"
        case 408 | 504:
            return DeadlineExceeded, ""
        case 409 | 425:
            return ServerFailed, ""
        case int() if 300 <= status < 400:
            return InvalidRequest, "redirects are not followed with credentials: set base_url to the final address"
        case int() if 400 <= status < 500:
            return InvalidRequest, ""
        case _:
            return ServerFailed, ""


def _status_in(fault: Fault) -> int | None:
    """The status that an error inside a stream stands for: its code where that is one, else by its words."""
    if isinstance(fault.code, int) and 400 <= fault.code <= 599:
        return fault.code
    if isinstance(fault.code, int) and fault.code in _CODES:
        return _CODES[fault.code]
    said = str(fault.more.get("http_code"))
    if said.isdecimal() and 400 <= int(said) <= 599:
        return int(said)
    words = f"{fault.code or ''} {fault.type or ''}".lower()
    for word, status in (
        ("rate_limit", 429),
        ("resource_exhausted", 429),
        ("insufficient_quota", 429),
        ("billing_error", 402),
        ("request_too_large", 413),
        ("authentication", 401),
        ("unauthenticated", 401),
        ("invalid_api_key", 401),
        ("permission", 403),
        ("not_found", 404),
        ("context_length", 400),
        ("invalid", 400),
        ("tool_use_failed", 400),
    ):
        if word in words:
            return status
    return None


def retry_after(headers: Mapping[str, str], now: float | None = None) -> float | None:
    """Seconds to wait, from `retry-after-ms`, or `retry-after` in seconds or as a date; None where none is given."""
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    said = headers.get("retry-after")
    seconds = _number(said)
    if seconds is not None or not said:
        return seconds
    try:
        date = parsedate_to_datetime(said)
    except ValueError:
        return None
    return max(0.0, date.timestamp() - (time.time() if now is None else now))


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text else None
    except ValueError:
        return None
    return value if value is not None and 0 <= value < float("inf") else None


def _any(needles: Sequence[str], text: str) -> bool:
    return any(needle in text for needle in needles)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value[:_LONGEST]
    return "" if value is None else orjson.dumps(value)[:_LONGEST].decode("utf-8", "replace")


def _word(value: Any, *kinds: type) -> Any:
    return value if isinstance(value, kinds or (str, int)) and not isinstance(value, bool) else None
