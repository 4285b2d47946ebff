"""What the plugin audit-syslog offers to codetether's hooks."""

from __future__ import annotations

from collections.abc import Iterable

from codetether import AuditSinkSpec, hookimpl


@hookimpl
def codetether_audit_sinks() -> Iterable[AuditSinkSpec]:
    """To come."""
    yield from ()
