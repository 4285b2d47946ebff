"""What HTTP providers of codetether share: transport, server-sent events, typed failures."""

from codetether_http.bodies import dumps, exact
from codetether_http.codec import Codec, Parser
from codetether_http.connection import Authorize, Grant, HttpConnection, Outgoing
from codetether_http.failures import Fault, ReadFailure, error_from, read_body, read_failure, read_fault, retry_after
from codetether_http.framing import SSE, Framing, Splitter
from codetether_http.kept import Kept, Offer, Offers
from codetether_http.limits import Limits, limits_from
from codetether_http.quirks import quirks_from
from codetether_http.schemas import is_strict
from codetether_http.sent import OF_A_DELTA, check_size, malformed, read_json, read_object
from codetether_http.sse import EventSplitter, ServerSentEvent
from codetether_http.transport import Answer, Transport, joined, shown

__all__ = [
    "OF_A_DELTA",
    "SSE",
    "Answer",
    "Authorize",
    "Codec",
    "EventSplitter",
    "Fault",
    "Framing",
    "Grant",
    "HttpConnection",
    "Kept",
    "Limits",
    "Offer",
    "Offers",
    "Outgoing",
    "Parser",
    "ReadFailure",
    "ServerSentEvent",
    "Splitter",
    "Transport",
    "check_size",
    "dumps",
    "error_from",
    "exact",
    "is_strict",
    "joined",
    "limits_from",
    "malformed",
    "quirks_from",
    "read_body",
    "read_failure",
    "read_fault",
    "read_json",
    "read_object",
    "retry_after",
    "shown",
]
