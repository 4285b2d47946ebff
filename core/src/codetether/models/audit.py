"""Audit entries: who did what, under which rule, with which outcome."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from attrs import field

from codetether.models.record import JSON, Record
from codetether.values import frozen

AuditCategory = str
"""`api`, `tool_execution`, `session`, `auth`, `config`, `sandbox`, `plugin`, `permission`, or a site's own word."""

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
        detail: `{"output_len": n}` or `{"error": text}` and what else matters; never bodies, never secrets.
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
    detail: Mapping[str, JSON] = field(factory=dict)
