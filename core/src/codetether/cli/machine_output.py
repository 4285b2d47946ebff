"""A run for machines: one JSON object at the end, or a line of JSON for each event."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from codetether import wire
from codetether.cli.outcome import Outcome
from codetether.cli.terminal import Screen, json_line
from codetether.models import events
from codetether.models.events import SessionEvent
from codetether.models.session import Session

STREAM_VERSION = 1
"""Of the lines of `--format stream-json`."""


class JsonOutput:
    """Prints nothing until the end, then the outcome as one object."""

    def __init__(self, screen: Screen) -> None:
        self.screen = screen

    def begin(self, session: Session) -> None:
        """The session is open."""

    def show(self, event: SessionEvent) -> None:
        """One event."""

    def notice(self, source: str, text: str) -> None:
        """Something the user should know; `source` may be empty."""
        self.screen.notice(source, text)

    def end(self, outcome: Outcome) -> None:
        """The run is over."""
        self._print(outcome.record())

    def _print(self, record: Mapping[str, Any]) -> None:
        self.screen.write(json_line(orjson.dumps(wire.storable(record))) + "\n")


class StreamOutput(JsonOutput):
    """First `session_start`, then each event, last `done` with the outcome."""

    _begun = False

    def begin(self, session: Session) -> None:
        """The session is open."""
        about = session.metadata
        self._start(session_id=session.id, directory=about.directory, agent=session.agent, model=about.model)

    def _start(self, **about: Any) -> None:
        self._begun = True
        self._print({"type": "session_start", "version": STREAM_VERSION, **about})

    def show(self, event: SessionEvent) -> None:
        """One event; the run's own `done` comes at the very end."""
        if not isinstance(event, events.Done):
            self.screen.write(json_line(wire.to_json(event)) + "\n")

    def end(self, outcome: Outcome) -> None:
        """The run is over, perhaps before a session was open."""
        if not self._begun:
            self._start(session_id=None)
        self._print({"type": "done", **outcome.record()})
