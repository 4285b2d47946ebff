"""The store against a tiny model: any order of making, forking, tearing, crashing, finding and deleting agrees."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

from codetether.errors import InvalidSessionId, SessionLocked, SessionNotFound, UsageError
from codetether.models.messages import user
from codetether.models.replay import replay
from codetether.models.session import (
    JournalEntry,
    JournalRecord,
    MessageAdded,
    MetadataChanged,
    Remembered,
    SessionStarted,
    TitleChanged,
    TurnEnded,
)
from codetether.storage.disk import Disk
from codetether.storage.forks import fork
from codetether.storage.phrases import Phrases
from codetether.storage.search import Scope
from codetether.storage.store import Journal, Store
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, precondition, rule

T = TypeVar("T")
PROOF = bool(os.environ.get("CODETETHER_PROOF"))
IDS = st.sampled_from(["a", "A", "b", "B-1", "b-1", "c_2"])
DIRECTORIES = st.sampled_from(["/x", "/y"])
TEXTS = ("alpha beta", "Beta, gamma!", "gämma 中文")
ENTRIES: st.SearchStrategy[JournalEntry] = st.one_of(
    st.builds(MessageAdded, message=st.builds(user, st.text(max_size=30)), turn=st.integers(1, 3)),
    st.builds(MessageAdded, message=st.builds(user, st.sampled_from(TEXTS)), turn=st.integers(1, 3)),
    st.builds(TitleChanged, title=st.none() | st.text(max_size=10), automatic=st.booleans()),
    st.builds(MetadataChanged, directory=DIRECTORIES | st.none(), model=st.sampled_from(["p/m", None])),
    st.builds(
        Remembered, plugin=st.just("p"), key=st.text(max_size=2), value=st.integers(-(2**63), 2**64 - 1) | st.none()
    ),
    st.builds(TurnEnded, turn=st.integers(1, 3), status=st.sampled_from(["done", "error"]), steps=st.just(1)),
)


class Sessions(RuleBasedStateMachine):
    """What the store should hold: the records of each session, and which are open."""

    opened = Bundle("opened")

    @initialize()
    def begin(self) -> None:
        self.runner = asyncio.Runner()
        self.temporary = tempfile.TemporaryDirectory()
        self.data = Path(self.temporary.name) / "data"
        self.disk = Disk()
        self.store = Store(self.data, self.disk)
        self.model: dict[str, list[JournalRecord]] = {}
        self.journals: dict[str, Journal] = {}

    def run(self, what: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(what)

    def twin(self, session_id: str) -> bool:
        return any(one != session_id and one.lower() == session_id.lower() for one in self.model)

    def expected_refusal(self, session_id: str, *, creating: bool) -> type[Exception] | None:
        if self.twin(session_id):
            return InvalidSessionId
        if session_id in self.journals:
            return SessionLocked
        if (session_id in self.model) == creating:
            return InvalidSessionId if creating else SessionNotFound
        return None

    @rule(session_id=IDS, directory=DIRECTORIES)
    def create(self, session_id: str, directory: str) -> None:
        refusal = self.expected_refusal(session_id, creating=True)
        try:
            journal = self.run(self.store.create(SessionStarted(id=session_id, directory=directory)))
        except (InvalidSessionId, SessionLocked) as error:
            assert type(error) is refusal  # noqa: PT017
            return
        assert refusal is None
        self.journals[session_id] = journal
        self.model[session_id] = [*journal.records()]

    @rule(session_id=IDS)
    def open(self, session_id: str) -> None:
        refusal = self.expected_refusal(session_id, creating=False)
        try:
            journal = self.run(self.store.open(session_id))
        except (InvalidSessionId, SessionLocked, SessionNotFound) as error:
            assert type(error) is refusal  # noqa: PT017
            return
        assert refusal is None
        assert [*journal.records()] == self.model[session_id]
        self.journals[session_id] = journal

    @precondition(lambda self: self.journals)
    @rule(data=st.data(), entries=st.lists(ENTRIES, max_size=4))
    def append(self, data: st.DataObject, entries: list[JournalEntry]) -> None:
        session_id = data.draw(st.sampled_from(sorted(self.journals)))
        self.model[session_id] += [self.journals[session_id].append(entry) for entry in entries]

    @precondition(lambda self: self.journals)
    @rule(data=st.data())
    def close(self, data: st.DataObject) -> None:
        session_id = data.draw(st.sampled_from(sorted(self.journals)))
        self.run(self.journals.pop(session_id).close())

    @precondition(lambda self: self.journals)
    @rule()
    def crash(self) -> None:
        """The process dies: locks are free, and what was appended is there."""
        for journal in self.journals.values():
            journal._file.close()
            journal._lock.release()
        self.journals.clear()
        self.run(self.disk.close())
        self.run(self.store.__aexit__(None, None, None))
        self.disk = Disk()
        self.store = Store(self.data, self.disk)

    @precondition(lambda self: self.model.keys() - self.journals.keys())
    @rule(data=st.data(), torn=st.binary(min_size=1, max_size=40))
    def tear(self, data: st.DataObject, torn: bytes) -> None:
        """A record was half written when the power went; the next writer cuts it."""
        session_id = data.draw(st.sampled_from(sorted(self.model.keys() - self.journals.keys())))
        torn = torn.replace(b"\n", b".")
        journal = self.run(self.store.open(session_id))
        self.run(journal.close())
        with journal.path.open("ab") as file:
            file.write(torn)
        again = self.run(self.store.open(session_id))
        assert len(again.repairs) == 1
        assert [*again.records()] == self.model[session_id]
        self.run(again.close())

    @rule(session_id=IDS)
    def delete(self, session_id: str) -> None:
        try:
            deleted = self.run(self.store.delete(session_id))
        except (InvalidSessionId, SessionLocked) as error:
            assert self.twin(session_id) or session_id in self.journals, error  # noqa: PT017
            return
        assert deleted == (session_id in self.model)
        self.model.pop(session_id, None)

    @precondition(lambda self: self.model)
    @rule(data=st.data(), new_id=IDS, messages=st.none() | st.integers(1, 3))
    def fork(self, data: st.DataObject, new_id: str, messages: int | None) -> None:
        source = self.model[data.draw(st.sampled_from(sorted(self.model)))]
        try:
            made = fork(source, new_id, messages=messages)
            self.run(self.store.adopt(made))
        except (InvalidSessionId, SessionLocked) as error:
            assert type(error) is self.expected_refusal(new_id, creating=True)  # noqa: PT017
        except UsageError:
            assert sum(isinstance(item.entry, MessageAdded) for item in source) < (messages or 0)
        else:
            assert self.expected_refusal(new_id, creating=True) is None
            self.model[new_id] = made
            assert self.run(self.store.load(new_id)) == replay(made)

    @rule(word=st.sampled_from(["alpha", "beta", "gamma", "文", "Beta -alpha"]))
    def search(self, word: str) -> None:
        """Found is every session that holds the word, in the order of what was written last."""
        wanted, _, refused = word.lower().partition(" -")
        expected = set()
        for session_id, items in self.model.items():
            texts = [_text(item.entry).lower().replace("ä", "a") for item in items]
            if any(wanted in text and (not refused or refused not in text) for text in texts):
                expected.add(session_id)
        found = self.run(self.store.search(Phrases(word), Scope()))
        assert {each.session_id for each in found.sessions} == expected

    @rule()
    def lose_the_index(self) -> None:
        (self.data / "index.sqlite").unlink(missing_ok=True)
        self.run(self.store.__aexit__(None, None, None))
        self.store = Store(self.data, self.disk)

    @invariant()
    def listings_agree(self) -> None:
        """Each listed session is what its records add up to, in the order of the last record that counts."""
        if not hasattr(self, "store"):
            return
        listed = self.run(self.store.list())
        assert {summary.id for summary in listed} == set(self.model)
        assert [s.updated_at for s in listed] == sorted((s.updated_at for s in listed), reverse=True)
        for summary in listed:
            items = self.model[summary.id]
            session = self.run(self.store.load(summary.id)).session
            touching = [i for i in items if not isinstance(i.entry, Remembered) and not _automatic(i.entry)]
            titles = [i.entry.title for i in items if isinstance(i.entry, TitleChanged)]
            assert (summary.updated_at, summary.title) == (touching[-1].recorded_at, titles[-1] if titles else None)
            assert (summary.message_count, summary.directory) == (len(session.messages), session.metadata.directory)
            assert summary.updated_at == session.updated_at
        for directory in ("/x", "/y"):
            found = self.run(self.store.list_for_directory(Path(directory)))
            assert found == [s for s in listed if s.directory == directory]

    def teardown(self) -> None:
        if hasattr(self, "runner"):
            for journal in self.journals.values():
                self.run(journal.close())
            self.run(self.disk.close())
            self.run(self.store.__aexit__(None, None, None))
            self.runner.close()
            self.temporary.cleanup()


def _text(entry: JournalEntry) -> str:
    match entry:
        case MessageAdded():
            return entry.message.text
        case TitleChanged():
            return entry.title or ""
        case _:
            return ""


def _automatic(entry: JournalEntry) -> bool:
    return isinstance(entry, TitleChanged) and entry.automatic


TestSessions = Sessions.TestCase
TestSessions.settings = settings(
    max_examples=300 if PROOF else 12,
    stateful_step_count=50 if PROOF else 25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
