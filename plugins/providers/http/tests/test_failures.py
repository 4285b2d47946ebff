"""What a provider says when it fails becomes one named error with its own words."""

from __future__ import annotations

from typing import Any

import pytest
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
from codetether_http import Fault, error_from, read_body, read_fault, retry_after


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (
            {"error": {"message": "m", "type": "t", "code": "c", "param": "p", "metadata": {"raw": "r"}}},
            Fault(message="m", type="t", code="c", param="p", more={"metadata": {"raw": "r"}}),
        ),
        ({"error": {"message": "m", "code": 429}}, Fault(message="m", code=429)),
        ({"error": "text"}, Fault(message="text")),
        ({"message": "m", "type": "t", "code": "3051"}, Fault(message="m", type="t", code="3051")),
        ({"detail": "Unauthorized"}, Fault(message="Unauthorized")),
        ({"detail": [{"loc": ["body"]}]}, Fault(message='[{"loc":["body"]}]')),
        ({"base_resp": {"status_code": 1008, "status_msg": "poor"}}, Fault(message="poor", code=1008)),
        ([{"error": {"message": "m", "code": 400}}], Fault(message="m", code=400)),
        (
            {"error": {"code": 503, "message": "m", "status": "UNAVAILABLE", "details": []}},
            Fault(message="m", type="UNAVAILABLE", code=503, more={"details": []}),
        ),
        ({"error": None, "choices": []}, None),
        ({"base_resp": {"status_code": 0}, "choices": []}, None),
        ({"choices": [], "message": "no error"}, None),
        ("text", None),
        (None, None),
    ],
)
def test_every_shape_of_error_is_read(body: Any, fault: Fault | None) -> None:
    assert read_fault(body) == fault


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"unauthorized: no\n", "unauthorized: no"),
        (b"<html>x</html>", "a page of HTML, no API's answer"),
        (b"", "no reason given"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b'{"error":{"message":""}}', '{"error":{"message":""}}'),
        (b"a" * 9000, "a" * 2000),
    ],
)
def test_bodies_that_are_no_known_error_are_shown_as_they_are(body: bytes, message: str) -> None:
    assert read_body(body, 500).message == message


@pytest.mark.parametrize(
    ("status", "said", "kind"),
    [
        (400, {"message": "no"}, InvalidRequest),
        (400, {"code": "context_length_exceeded", "message": "too long"}, ContextOverflow),
        (400, {"code": "1261", "message": "Prompt exceeds max length"}, ContextOverflow),
        (400, {"message": "This model's maximum context length is 8192 tokens"}, ContextOverflow),
        (400, {"message": "request (9 tokens) exceeds the available context size"}, ContextOverflow),
        (413, {"message": "large"}, ContextOverflow),
        (400, {"type": "invalid_model", "message": "Invalid model: x"}, ModelNotFound),
        (404, {"code": "model_not_found", "message": "The model `x` does not exist"}, ModelNotFound),
        (404, {"message": "Specified model not found: x"}, ModelNotFound),
        (404, {"message": "tools is not supported in this model"}, InvalidRequest),
        (404, {"message": "not found"}, InvalidRequest),
        (400, {"message": "1113 is no name"}, InvalidRequest),
        (404, {"message": "models/x is not found for API version v1beta", "status": "NOT_FOUND"}, ModelNotFound),
        (404, {"message": "Publisher Model `projects/p/models/x` was not found", "status": "NOT_FOUND"}, ModelNotFound),
        (400, {"message": "API key expired. Please renew it.", "status": "INVALID_ARGUMENT"}, AuthenticationFailed),
        (401, {"message": "bad key"}, AuthenticationFailed),
        (402, {"message": "pay"}, QuotaExhausted),
        (429, {"code": "rate_limit_exceeded", "message": "slow"}, RateLimited),
        (429, {"code": "insufficient_quota", "message": "broke"}, QuotaExhausted),
        (429, {"code": "1113", "message": "no balance"}, QuotaExhausted),
        (408, {"message": "late"}, DeadlineExceeded),
        (529, {"type": "overloaded_error", "message": "busy"}, ServerFailed),
        (None, {"type": "server_error", "message": "oops"}, ServerFailed),
        (None, {"code": 502, "message": "oops"}, ServerFailed),
        (None, {"code": 400, "message": "Token limit reached"}, InvalidRequest),
        (None, {"type": "rate_limit_exceeded", "message": "slow"}, RateLimited),
        (None, {"type": "authentication_error", "message": "who"}, AuthenticationFailed),
        (None, {"status": "RESOURCE_EXHAUSTED", "message": "slow"}, RateLimited),
        (None, {"status": "UNAUTHENTICATED", "message": "who"}, AuthenticationFailed),
        (None, {"message": "odd"}, ServerFailed),
        (404, {"type": "not_found_error", "message": "model: claude-0"}, ModelNotFound),
        (400, {"type": "invalid_request_error", "message": "Your credit balance is too low"}, QuotaExhausted),
        (403, {"type": "billing_error", "message": "pay"}, QuotaExhausted),
        (None, {"type": "overloaded_error", "message": "busy"}, ServerFailed),
        (None, {"type": "bad_request_error", "message": "no (2013)", "http_code": "400"}, InvalidRequest),
        (None, {"type": "error", "message": "slow (1002)", "http_code": "429"}, RateLimited),
        (None, {"code": 1008, "message": "insufficient"}, QuotaExhausted),
        (None, {"type": "billing_error", "message": "pay"}, QuotaExhausted),
        (None, {"type": "request_too_large", "message": "large"}, ContextOverflow),
        (None, {"code": 1002, "message": "slow"}, RateLimited),
        (None, {"code": 1004, "message": "who"}, AuthenticationFailed),
        (None, {"code": 1000, "message": "unknown error"}, ServerFailed),
    ],
)
def test_the_kind_of_error_says_what_can_be_done(
    status: int | None, said: dict[str, Any], kind: type[ProviderError]
) -> None:
    fault = read_fault({"error": said}, status)
    assert fault is not None
    assert type(error_from(fault, "acme")) is kind


def test_the_providers_own_words_are_kept() -> None:
    fault = read_fault({"error": {"message": "Bad key", "type": "t", "code": "invalid_api_key", "param": None}}, 401)
    assert fault is not None
    error = error_from(fault, "acme", key="env:ACME_API_KEY")
    assert str(error) == "acme answered 401: Bad key\n  check the key (env:ACME_API_KEY)"
    assert (error.status, error.code, error.retryable) == (401, "invalid_api_key", False)
    assert error.details == {"message": "Bad key", "type": "t", "code": "invalid_api_key"}


def google(kind: str, **said: Any) -> dict[str, Any]:
    return {"@type": f"type.googleapis.com/google.rpc.{kind}", **said}


@pytest.mark.parametrize(
    ("status", "details", "kind", "wait"),
    [
        (429, [google("RetryInfo", retryDelay="34.4s")], RateLimited, 34.4),
        (429, [google("RetryInfo", retryDelay="0s"), google("Help")], RateLimited, 0.0),
        (429, [google("RetryInfo", retryDelay="soon")], QuotaExhausted, None),
        (429, [google("RetryInfo")], QuotaExhausted, None),
        (429, [], QuotaExhausted, None),
        (429, ["odd", None, {"@type": 7}], QuotaExhausted, None),
        (429, {"retryDelay": "3s"}, QuotaExhausted, None),
        (
            429,
            [
                google("QuotaFailure", violations=[{"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]),
                google("RetryInfo", retryDelay="7s"),
            ],
            QuotaExhausted,
            7.0,
        ),
        (503, [google("RetryInfo", retryDelay="2s")], ServerFailed, 2.0),
        (400, [google("ErrorInfo", reason="API_KEY_INVALID")], AuthenticationFailed, None),
    ],
)
def test_details_in_the_manner_of_google_are_read(
    status: int, details: Any, kind: type[ProviderError], wait: float | None
) -> None:
    said = {"code": status, "message": "You exceeded your current quota", "status": "OTHER", "details": details}
    fault = read_fault([{"error": said}], status)
    assert fault is not None
    error = error_from(fault, "acme")
    assert (type(error), error.retry_after) == (kind, wait)


def test_what_a_gateway_hides_is_shown() -> None:
    raw = {"provider_name": "xAI", "raw": "Required function is not present"}
    fault = read_fault({"error": {"message": "Provider returned error", "code": 400, "metadata": raw}}, 400)
    assert fault is not None
    error = error_from(fault, "gate")
    assert error.message == "gate answered 400: Provider returned error: Required function is not present"
    assert error.details["message"] == "Provider returned error"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.25"}, 0.25),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": "Sun, 06 Nov 1994 08:49:47 GMT"}, 10.0),
        ({"retry-after": "Sun, 06 Nov 1994 08:49:27 GMT"}, 0.0),
        ({"retry-after": "Sun, 06 Nov 1994 09:49:47 +0100"}, 10.0),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "later"}, None),
        ({}, None),
    ],
)
def test_a_wait_is_read_in_every_spelling(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, now=784111777.0) == seconds


def test_a_wire_may_say_which_error_it_is() -> None:
    fault = Fault(message="slow down", status=200, code="throttlingException", kind=RateLimited, remedy="wait")
    error = error_from(fault, "acme", key="env:KEY")
    assert (type(error), str(error), error.status) == (RateLimited, "acme: slow down\n  wait", 200)


def test_what_is_nested_too_deep_is_no_detail() -> None:
    deep = "[" * 900 + "]" * 900
    fault = read_body(f'{{"error": {{"message": "no", "deep": {deep}, "why": "so"}}}}'.encode(), 400)
    assert (fault.message, dict(fault.more)) == ("no", {"why": "so"})
