"""What HTTP providers of codetether share: transport, server-sent events, typed failures."""

from codetether_http.codec import Codec, Parser
from codetether_http.connection import HttpConnection
from codetether_http.failures import Fault, error_from, read_body, read_fault, retry_after
from codetether_http.limits import Limits, limits_from
from codetether_http.sse import EventSplitter, ServerSentEvent
from codetether_http.transport import Answer, Transport, joined, shown

__all__ = [
    "Answer",
    "Codec",
    "EventSplitter",
    "Fault",
    "HttpConnection",
    "Limits",
    "Parser",
    "ServerSentEvent",
    "Transport",
    "error_from",
    "joined",
    "limits_from",
    "read_body",
    "read_fault",
    "retry_after",
    "shown",
]
