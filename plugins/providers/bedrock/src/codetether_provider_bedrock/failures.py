"""What Bedrock says when it fails, and which error that is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
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
from codetether_http import Fault, read_body

_NO_ACCESS = "allow bedrock:InvokeModel* for it, or ask for access to the model in Bedrock's console"
_KINDS: Mapping[str, tuple[type[ProviderError], str]] = {
    "accessdenied": (AuthenticationFailed, _NO_ACCESS),
    "expiredtoken": (AuthenticationFailed, "sign in again, e.g. aws sso login"),
    "incompletesignature": (AuthenticationFailed, ""),
    "internalfailure": (ServerFailed, ""),
    "internalserver": (ServerFailed, ""),
    "invalidclienttokenid": (AuthenticationFailed, "check the access key id"),
    "invalidsignature": (AuthenticationFailed, "check the secret access key and this machine's clock"),
    "missingauthenticationtoken": (AuthenticationFailed, "check the credentials and the base_url"),
    "modelerror": (ServerFailed, ""),
    "modelnotready": (RateLimited, ""),
    "modelstreamerror": (ServerFailed, ""),
    "modeltimeout": (DeadlineExceeded, ""),
    "notauthorized": (AuthenticationFailed, ""),
    "optinrequired": (AuthenticationFailed, "the account is not signed up for Bedrock"),
    "requestexpired": (AuthenticationFailed, "check this machine's clock"),
    "requesttimeout": (DeadlineExceeded, ""),
    "resourcenotfound": (ModelNotFound, "choose a model that the region offers: aws bedrock list-foundation-models"),
    "servicequotaexceeded": (QuotaExhausted, "ask for a higher quota in Service Quotas, or choose another model"),
    "serviceunavailable": (ServerFailed, ""),
    "signaturedoesnotmatch": (AuthenticationFailed, "check the secret access key"),
    "throttled": (RateLimited, ""),
    "throttling": (RateLimited, ""),
    "toomanyrequests": (RateLimited, ""),
    "unrecognizedclient": (AuthenticationFailed, "check the access key, the session token and the region"),
}  # fmt: skip
_PROFILE = "name an inference profile in place of the model, e.g. with us., eu., apac. or global. before its id"
_NO_MODEL = ("model identifier is invalid", "model id is invalid", "inference profile", "end of its life")
_OVERFLOW = (
    "input is too long",
    "prompt is too long",
    "too many input tokens",
    "maximum number of tokens allowed",
    "context length",
    "context limit",
    "context window",
)


def read_failure(body: bytes, status: int, headers: Mapping[str, str]) -> Fault:
    """The fault of an answer that is no success: its name is in the header `x-amzn-errortype`, or in the body.

    Where neither names it, its code is the status, as botocore has it.
    """
    try:
        said: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        said = None
    if not isinstance(said, dict):
        said = {}
    message = said.get("message", said.get("Message"))
    named = headers.get("x-amzn-errortype") or said.get("code") or said.get("Code") or said.get("__type")
    if not isinstance(message, str) or not message:
        fault = read_body(body, status)
        if not isinstance(named, str):
            return fault
        message = fault.message
    name = named.partition(":")[0].rpartition("#")[2] if isinstance(named, str) else ""
    return fault_of(name or str(status), message, status)


def fault_of(name: str, message: str, status: int) -> Fault:
    """The fault with this name, as in `ThrottlingException` or `throttlingException`."""
    kind, remedy = _kind(name, message.lower(), status)
    return Fault(message=message or name, status=status, type=name, code=name, kind=kind, remedy=remedy)


def _kind(name: str, message: str, status: int) -> tuple[type[ProviderError] | None, str]:
    """Which error it is; None leaves it to the status."""
    plain = name.lower().removesuffix("exception")
    if "tokens per day" in message:
        return QuotaExhausted, "ask for a higher quota in Service Quotas, or choose another model"
    known = next((kind for word, kind in _KINDS.items() if plain.startswith(word)), None)
    if known is not None:
        return known
    if "maximum tokens you requested" in message:
        return InvalidRequest, "set max_output_tokens lower"
    if "on-demand throughput" in message:
        return ModelNotFound, _PROFILE
    if any(words in message for words in _OVERFLOW):
        return ContextOverflow, "start a new session, or choose a model with a larger context"
    if any(words in message for words in _NO_MODEL):
        return ModelNotFound, "codetether models lists what is there"
    if plain == "validation":
        return InvalidRequest, ""
    return (ServerFailed, "") if status < 300 else (None, "")
