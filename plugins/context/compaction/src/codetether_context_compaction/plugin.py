"""What the plugin compaction offers to codetether's hooks."""

from __future__ import annotations

from collections.abc import Iterable

from codetether import Compactor, ContextPolicySpec, SessionContext, hookimpl


@hookimpl
def codetether_context_policies() -> Iterable[ContextPolicySpec]:
    """The compactor; those that choose after it are given the history as it left it."""
    yield ContextPolicySpec(name="compaction", create=_compactor, place=100)


def _compactor(ctx: SessionContext) -> Compactor:
    from codetether_context_compaction.compactor import SummaryCompactor

    return SummaryCompactor(ctx)
