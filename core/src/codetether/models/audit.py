"""Audit entries: who did what, under which rule, with which outcome."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from attrs import field

from codetether.models.record import JSON, Record
from codetether.values import frozen

AuditCategory = str
"""`api`, `tool_execution`, `session`, `auth`, `config`, `sandbox`, `plugin`, `permission`, `audit`, or a site's own."""

AuditOutcome = Literal["intent", "success", "failure", "denied"]
"""`intent` is written before the effect; one of the others, with the same call id, after it."""


@frozen(kw_only=True)
class AuditEntry(Record):
    """One thing that was done, tried or refused.

    Attributes:
        id: of this entry. timestamp: UTC.
        action: e.g. `tool:bash`, `session:open`.
        principal: whose doing, `user@host` unless the site says otherwise.
        decision, rule: the verdict and the rule that gave it.
        duration_ms: of the effect, in the outcome's entry.
        arguments_digest, output_digest: HMAC-SHA256 of the call's arguments (JSON text) and of its output, as the
            session's journal holds them, 64 hexadecimal digits: they show which they were to who has the audit key
            and the text, and nothing to others.
        detail: `{"output_len": n}` or `{"error": text}` and what else matters; never secrets, and bodies
            (`arguments`, `output`, cut at 4,000 characters) only where `[audit] bodies` says so.
    """

    id: str
    timestamp: datetime
    category: AuditCategory
    action: str
    outcome: AuditOutcome
    principal: str | None = None
    session_id: str | None = None
    turn: int | None = None
    call_id: str | None = None
    decision: str | None = None
    rule: str | None = None
    duration_ms: float | None = None
    arguments_digest: str | None = None
    output_digest: str | None = None
    detail: Mapping[str, JSON] = field(factory=dict)
