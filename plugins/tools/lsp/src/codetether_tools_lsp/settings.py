"""What a user and a site decide about language servers: `[plugins.lsp]`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from attrs import field, frozen
from attrs.validators import deep_iterable, gt, instance_of, min_len

Severity = Literal["error", "warning", "information", "hint"]


@frozen(kw_only=True)
class ServerSettings:
    """`[plugins.lsp.servers.NAME]`: a server of one's own, or a known one started otherwise.

    Attributes:
        command: the program and its arguments; it speaks over standard input and output.
        suffixes: of the files that it is asked about, e.g. `.py`.
        options: its `initializationOptions`.
        configuration: what it is told where it asks for its configuration, by section.
        off: it is never started.
    """

    command: tuple[str, ...] = field(default=(), validator=deep_iterable(instance_of(str)))
    suffixes: tuple[str, ...] = field(default=(), validator=deep_iterable(min_len(1)))
    options: Mapping[str, Any] = field(factory=dict)
    configuration: Mapping[str, Any] = field(factory=dict)
    off: bool = False


@frozen(kw_only=True)
class LspSettings:
    """`[plugins.lsp]`.

    Attributes:
        diagnostics: after each edit the model is told what the server finds wrong with the file.
        severity: the mildest that is told.
        wait: seconds that an edit waits for diagnostics.
        servers: besides the known ones, by name.
    """

    diagnostics: bool = True
    severity: Severity = "warning"
    wait: float = field(default=5.0, validator=gt(0))
    servers: Mapping[str, ServerSettings] = field(factory=dict)
