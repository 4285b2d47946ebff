"""What a plugin's author may tell the conformance kit, so that more of its promises can be tried."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import field, frozen

from codetether.models.record import JSON

GROUP = "codetether.trials"
"""Entry points by the plugin's name: `weather = "codetether_weather.trials:TRIALS"`."""


def nothing(directory: Path) -> None:
    """Prepares nothing."""


@frozen(kw_only=True)
class ToolTrial:
    """How one tool is tried. Its calls run for real, in a workspace of their own and without a network.

    Attributes:
        arguments: of a call that succeeds in a workspace that `prepare` made.
        odd: arguments that fit the schema and must not succeed.
        slow: of a call that goes on for longer than ten seconds, to be stopped.
        flood: of a call with more output than anyone wants, in a workspace that `fill` made.
        environment: of a call that shows the environment, where the tool can do that.
    """

    arguments: Mapping[str, JSON] | None = None
    prepare: Callable[[Path], Any] = nothing
    odd: tuple[Mapping[str, JSON], ...] = ()
    slow: Mapping[str, JSON] | None = None
    flood: Mapping[str, JSON] | None = None
    fill: Callable[[Path], Any] = nothing
    environment: Mapping[str, JSON] | None = None


@frozen(kw_only=True)
class SecretTrial:
    """A secret that a credential source has after `prepare`, which may set variables and write files.

    Attributes:
        provider, names: what the source is asked for.
        value: what it must give under `api_key`.
        spoil: makes the source fail from then on, e.g. by sealing its vault.
    """

    provider: str
    value: str
    names: Sequence[str] = ()
    prepare: Callable[[Path], Any] = nothing
    spoil: Callable[[Path], Any] | None = None


def _server_sent(data: bytes) -> bytes:
    return b"data: " + data + b"\n\n"


@frozen(kw_only=True)
class StreamTrial:
    """How a wire's answers stream; server-sent events unless told otherwise.

    Attributes:
        media_type: the content type of a stream.
        event: frames any data as an event, however little it means.
        opening: how an event of 64 MB begins.
        idle: an event that says nothing, and may come for ever.
    """

    media_type: str = "text/event-stream"
    event: Callable[[bytes], bytes] = _server_sent
    opening: bytes = b"data: "
    idle: bytes = b": ping\n\n"


@frozen(kw_only=True)
class Trials:
    """How a plugin is tried; all of it is optional, and functions are given the workspace.

    Attributes:
        settings: `[plugins.NAME]`. prepare: makes whatever the plugin needs there.
        tools: by name. secret: of a credential source.
        kept: the texts that a sink holds, oldest first, where it keeps them in no file below the workspace and the
            plugin's own directories.
        source: makes something that a session format reads. said: texts that stand in it, of people, models and tools.
        recordings: a directory of recorded exchanges for a wire. stream: how that wire's answers are framed.
        excused: promises that cannot hold for this plugin, by `kind: name`, each with the reason.
    """

    settings: Callable[[Path], Mapping[str, JSON]] | None = None
    prepare: Callable[[Path], Any] = nothing
    tools: Mapping[str, ToolTrial] = field(factory=dict)
    secret: SecretTrial | None = None
    kept: Callable[[Path], Sequence[str]] | None = None
    source: Callable[[Path], Path] | None = None
    said: Sequence[str] = ()
    recordings: Path | None = None
    stream: StreamTrial = StreamTrial()
    excused: Mapping[str, str] = field(factory=dict)
