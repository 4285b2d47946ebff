"""One record of a plugin on trial: a fresh workspace, a fresh home, real contexts, and the object that it creates."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from attrs import define, field

from codetether.builtin.executor import LocalExecutor
from codetether.credentials import Chain
from codetether.models.events import SessionEvent, ToolCallOutput
from codetether.models.replay import apply, start
from codetether.models.session import JournalEntry, JournalRecord, SessionStarted
from codetether.plugins.life import created
from codetether.session.contexts import ContextFactory, Shared
from codetether.settings.settings import Directories, load_settings
from codetether.specs import AgentSpec
from codetether.storage.durable import private_directory
from codetether.testing.promises import NotTried
from codetether.testing.subjects import Subject

CANARY_NAME = "CONFORMANCE_API_KEY"
CANARY = "sk-canary-4f9d1c7ab2e85630"
"""A secret that stands in the environment of every trial, and must come out nowhere."""
SESSION = "trial"
PROCESS_KINDS = frozenset(
    [
        "settings",
        "wires",
        "providers",
        "model_defaults",
        "catalogues",
        "selectors",
        "agents",
        "credential_sources",
        "audit_sinks",
        "session_formats",
    ]
)
"""Kinds whose objects live as long as the process, and know no session."""


class MemoryJournal:
    """A journal of one session that nobody keeps."""

    def __init__(self, directory: Path) -> None:
        self._last = 1
        self.state = start(SessionStarted(id=SESSION, directory=str(directory)), datetime.now(UTC))

    def append(self, entry: JournalEntry) -> JournalRecord:
        """Takes an entry."""
        self._last += 1
        made = JournalRecord(sequence=self._last, recorded_at=datetime.now(UTC), entry=entry)
        self.state = apply(self.state, made)
        return made


@define(kw_only=True)
class Trial:
    """A record on trial.

    Attributes:
        directory: the workspace. outside: the user's home beside it, with a file that is nobody's business.
        home: where the plugin's own directories are.
        shown: what calls showed while they ran.
    """

    subject: Subject
    kind: str
    record: Any
    place: Path
    contexts: ContextFactory
    shared: Shared
    stack: AsyncExitStack
    events: list[SessionEvent] = field(factory=list)

    @property
    def directory(self) -> Path:
        """The workspace."""
        return self.place / "W"

    @property
    def outside(self) -> Path:
        """Beside the workspace."""
        return self.place / "O"

    @property
    def home(self) -> Path:
        """Settings, state and caches."""
        return self.place / "H"

    @property
    def context(self) -> Any:
        """What `create` is given: the context of the process, or of a session."""
        if self.kind in PROCESS_KINDS:
            return self.contexts.process(self.subject.name)
        return self.contexts.session(self.subject.name, self.shared)

    @property
    def shown(self) -> str:
        """What calls showed while they ran."""
        return "".join(event.text for event in self.events if isinstance(event, ToolCallOutput))

    def call_context(self, call_id: str) -> Any:
        """What one tool call is given."""
        return self.contexts.call(self.subject.name, self.shared, call_id)

    async def make(self, stack: AsyncExitStack | None = None) -> Any:
        """What the record creates, entered; closed with the trial, or with the given stack.

        Raises NotTried where the settings leave it off.
        """
        made = await created(stack or self.stack, self.record, self.context)
        if made is None:
            raise NotTried("it is off by its settings; give Trials.settings that turn it on")
        return made

    @asynccontextmanager
    async def made(self) -> AsyncIterator[Any]:
        """What the record creates, closed again at the end."""
        async with AsyncExitStack() as stack:
            yield await self.make(stack)


@contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """These variables are set meanwhile."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@asynccontextmanager
async def on_trial(
    subject: Subject, kind: str, record: Any, place: Path, *, notices: list[str] | None = None
) -> AsyncIterator[Trial]:
    """Puts a record on trial in an empty directory; what its contexts notice is added to `notices`."""
    place = place.resolve()
    directory, outside, home = place / "W", place / "O", place / "H"
    for each in (directory, outside, home):
        private_directory(each)
    (outside / "secret.txt").write_text("nobody's business\n")
    directories = Directories(config=home / "config", data=home / "data", state=home / "state", cache=home / "cache")
    events: list[SessionEvent] = []
    journal: Any = MemoryJournal(directory)
    shared = Shared(
        journal=journal,
        directory=directory,
        agent=AgentSpec(name="build"),
        person=None,
        executor=LocalExecutor(),
        emit=events.append,
    )
    with environment({"CODETETHER_HOME": str(home), "HOME": str(outside), CANARY_NAME: CANARY}):
        subject.trials.prepare(directory)
        contexts = _contexts(subject, kind, directory, directories, [] if notices is None else notices)
        async with AsyncExitStack() as stack:
            yield Trial(
                subject=subject,
                kind=kind,
                record=record,
                place=place,
                contexts=contexts,
                shared=shared,
                stack=stack,
                events=events,
            )


def _contexts(
    subject: Subject, kind: str, directory: Path, directories: Directories, notices: list[str]
) -> ContextFactory:
    wishes = subject.trials.settings(directory) if subject.trials.settings else {}
    settings = load_settings(
        directory, overrides={"plugins": {subject.name: dict(wishes)}}, managed=directory / "no-such-file"
    )
    sections = (
        {}
        if subject.settings is None or kind == "settings"
        else {subject.name: settings.plugin(subject.name, subject.settings)}
    )
    return ContextFactory(
        core=settings.core,
        credentials=Chain(()),
        directories=directories,
        notify=lambda source, text: notices.append(text),
        sections=sections,
    )
