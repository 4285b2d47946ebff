"""What the plugin audit-jsonl offers to codetether's hooks."""

from __future__ import annotations

from collections.abc import Iterable

from codetether import AuditKey, AuditSink, AuditSinkSpec, PluginContext, SettingsSpec, hookimpl

from codetether_sink_audit_jsonl.settings import AuditJsonlSettings


@hookimpl
def codetether_settings() -> Iterable[SettingsSpec]:
    """`[plugins.audit-jsonl]`."""
    yield SettingsSpec(cls=AuditJsonlSettings, of_site=True)


@hookimpl
def codetether_audit_sinks() -> Iterable[AuditSinkSpec]:
    """The audit log on this machine; on unless the plugin is blocked."""
    yield AuditSinkSpec(name="audit-jsonl", create=_create)


def _create(ctx: PluginContext) -> AuditSink:
    from codetether_sink_audit_jsonl.log import AuditLog

    settings: AuditJsonlSettings = ctx.settings or AuditJsonlSettings()
    return AuditLog(settings, lambda: ctx.state_dir, ctx.notice, AuditKey.of(ctx))
