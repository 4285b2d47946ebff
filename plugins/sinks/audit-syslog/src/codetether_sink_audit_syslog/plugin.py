"""What the plugin audit-syslog offers to codetether's hooks."""

from __future__ import annotations

from collections.abc import Iterable

from codetether import AuditSink, AuditSinkSpec, PluginContext, SettingsSpec, hookimpl

from codetether_sink_audit_syslog.settings import AuditSyslogSettings


@hookimpl
def codetether_settings() -> Iterable[SettingsSpec]:
    """`[plugins.audit-syslog]`, which no repository decides."""
    yield SettingsSpec(cls=AuditSyslogSettings, of_site=True)


@hookimpl
def codetether_audit_sinks() -> Iterable[AuditSinkSpec]:
    """The audit trail in syslog; off without an address."""
    yield AuditSinkSpec(name="audit-syslog", create=_create)


def _create(ctx: PluginContext) -> AuditSink | None:
    settings: AuditSyslogSettings = ctx.settings or AuditSyslogSettings()
    if not settings.address:
        return None
    from codetether_sink_audit_syslog.syslog import Syslog

    return Syslog(settings)
