"""The settings of the audit trail in syslog: `[plugins.audit-syslog]`."""

from __future__ import annotations

import re

from attrs import field, frozen, validators

ADDRESS = re.compile(r"|/.+|(?P<kind>udp|tcp)://(?P<host>\[[0-9A-Fa-f:.]+\]|[^:/\[\]]+)(:(?P<port>\d{1,5}))?")
FACILITIES = {"auth": 4, "authpriv": 10, "daemon": 3, **{f"local{n}": 16 + n for n in range(8)}}
"""Their numbers, as RFC 5424 gives them."""


@frozen(kw_only=True)
class AuditSyslogSettings:
    """Where entries go.

    Attributes:
        address: a socket of this machine, e.g. `/dev/log`; or `udp://host:port`, `tcp://host:port` (port 514 by
            default). Nothing is sent without one. UDP loses entries without a word.
        facility: of the messages.
        limit: bytes of a message; a longer entry goes without its `detail`, and says so.
    """

    address: str = field(
        default="", metadata={"env": "CODETETHER_AUDIT_SYSLOG"}, validator=validators.matches_re(ADDRESS)
    )
    facility: str = field(default="authpriv", validator=validators.in_(tuple(FACILITIES)))
    limit: int = field(default=8192, validator=validators.ge(1024))
