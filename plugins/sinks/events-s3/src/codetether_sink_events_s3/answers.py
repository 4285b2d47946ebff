"""What an S3 store's refusals mean: whether to try again, to ask for less, or to tell somebody."""

from __future__ import annotations

import re
from typing import Any, Literal

Meaning = Literal["present", "conflict", "busy", "unsupported", "absent", "refused"]
"""`present`: an object is there already. `conflict`: another write at the same moment. `busy`: later. `refused`: it
takes somebody to change something."""

_UNSUPPORTED = re.compile(r"if-none-match|condition|checksum|not implemented|not supported|unsupported", re.IGNORECASE)
_BUSY = frozenset(
    {"SlowDown", "RequestTimeout", "InternalError", "ServiceUnavailable", "Throttling", "ThrottlingException"}
    | {"TooManyRequests", "BadDigest", "IncompleteBody", "XAmzContentSHA256Mismatch", "RequestLimitExceeded"}
)
_REMEDIES = {
    "NoSuchBucket": "there is no such bucket: create it, or set CODETETHER_S3_BUCKET",
    "RequestTimeTooSkewed": "this machine's clock is wrong: set it",
    "InvalidAccessKeyId": "the store does not know the access key: look at CODETETHER_S3_ACCESS_KEY",
    "SignatureDoesNotMatch": "the secret key is not the access key's: look at CODETETHER_S3_SECRET_KEY",
    "ExpiredToken": "the temporary keys have expired: get new ones",
    "PermanentRedirect": "the bucket is in another region: set CODETETHER_S3_REGION",
    "AuthorizationHeaderMalformed": "the bucket is in another region: set CODETETHER_S3_REGION",
}


def code_of(error: Any) -> tuple[str, int]:
    """The store's code and the HTTP status of a ClientError."""
    response = getattr(error, "response", None) or {}
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode") or 0)
    return str(response.get("Error", {}).get("Code") or status or type(error).__name__), status


def meaning(error: Any) -> Meaning:
    """What a ClientError means for a put or a head."""
    code, status = code_of(error)
    text = str((getattr(error, "response", None) or {}).get("Error", {}).get("Message") or "")
    if status == 412 or code == "PreconditionFailed":
        return "present"
    if status == 409:
        return "conflict"
    if "object lock" in text.lower() or code in _REMEDIES:
        return "refused"
    if code in _BUSY:
        return "busy"
    if status == 501 or code == "NotImplemented" or (status == 400 and _UNSUPPORTED.search(text)):
        return "unsupported"
    if status == 404:
        return "absent"
    if status == 429 or status >= 500 or status == 0:
        return "busy"
    return "refused"


def told(error: Any, target: str, *, locked: bool) -> str:
    """A refusal for the user: what the store said by its code alone, since its text may hold keys; and the remedy."""
    code, status = code_of(error)
    if locked and status == 400:
        remedy = "the bucket may have no object lock: make one that has, or unset lock_mode"
    elif code in _REMEDIES:
        remedy = _REMEDIES[code]
    elif status in (401, 403):
        lock = ", s3:PutObjectRetention" if locked else ""
        remedy = f"the keys may not do this: they need s3:PutObject and s3:GetObject{lock} on the prefix"
    else:
        remedy = "look at the bucket and the settings"
    return f"{target} refuses ({code}, status {status}): {remedy}"
