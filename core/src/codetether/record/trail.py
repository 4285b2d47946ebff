"""The audit trail: an entry before each effect and one after it, given to every audit sink."""

from __future__ import annotations

import asyncio
import getpass
import math
import os
import socket
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial

from codetether.errors import AuditFailed
from codetether.models.audit import AuditCategory, AuditEntry, AuditOutcome
from codetether.models.record import JSON
from codetether.plugins.boundary import BROKEN
from codetether.protocols import AuditSink
from codetether.record.audit_key import AuditKey, derived_key, digest
from codetether.record.book import LIMIT, Book, reason
from codetether.record.detail import bounded
from codetether.record.redact import Redactor
from codetether.specs import AuditSinkSpec
from codetether.wire import storable

ANCHOR_ENTRIES, ANCHOR_SECONDS = 100, 60.0
"""A sink that can is anchored after so many entries, and when an entry has waited so many seconds for it."""

TEXT_LIMIT = 4000
"""Characters of one text in an audit entry."""


class AuditTrail:
    """Gives each audit entry to every audit sink, one entry at a time and in order.

    Attributes:
        model_calls: whether each request to a model is to be recorded too.
        listeners: told of entries `audit:anchor`, which is how they reach the open sessions; by their ids.
    """

    def __init__(
        self,
        sinks: Sequence[tuple[str, AuditSinkSpec, AuditSink]],
        redactor: Redactor,
        principal: str | None,
        notice: Callable[[str], None],
        *,
        key: AuditKey | None = None,
        bodies: bool = False,
        model_calls: bool = False,
    ) -> None:
        """`principal` None means `user@host`; `notice` says one line to the user.

        `key` makes the digests of bodies; without it there are none. `bodies` stand in the entries themselves too.
        """
        self.listeners: dict[str, Callable[[AuditEntry], None]] = {}
        self.model_calls = model_calls and bool(sinks)
        self._books = tuple(Book(plugin, spec, sink, notice) for plugin, spec, sink in sinks)
        self._redactor = redactor
        self._principal = principal or _user_at_host()
        self._notice = notice
        self._key = key
        self._digest_key: bytes | None = None
        self._keyless = ""
        self._bodies = bodies
        self._timer: asyncio.TimerHandle | None = None
        self._anchoring: asyncio.Task[None] | None = None
        self._anchors = asyncio.Lock()

    async def record(
        self,
        category: AuditCategory,
        action: str,
        outcome: AuditOutcome,
        *,
        session_id: str | None = None,
        turn: int | None = None,
        call_id: str | None = None,
        decision: str | None = None,
        rule: str | None = None,
        duration_ms: float | None = None,
        detail: Mapping[str, JSON] = {},
        arguments: str | None = None,
        output: str | None = None,
    ) -> None:
        """Returns when every sink has the entry or has failed; within 10 seconds a sink.

        Of `arguments` and `output` only keyed digests are recorded, unless bodies are wanted.

        Raises AuditFailed when the entry is an intent and a required sink could not record it: the effect must not
        start. Every other failure is said, once until the sink works again. An entry is delivered even when the
        caller is cancelled meanwhile.
        """
        if not self._books:
            return
        key = None
        if arguments is not None or output is not None:
            arguments, output = arguments and self._redactor.text(arguments), output and self._redactor.text(output)
            detail = {**detail, **self._whole(arguments, output)}
            key = self._digest_key or await self._digests()
        text = self._text
        entry = AuditEntry(
            id=os.urandom(16).hex(),
            timestamp=datetime.now(UTC),
            category=text(category),
            action=text(action),
            outcome=outcome,
            principal=text(self._principal),
            session_id=session_id and text(session_id),
            turn=turn,
            call_id=call_id and text(call_id),
            decision=decision and text(decision),
            rule=rule and text(rule),
            duration_ms=round(duration_ms, 3) if duration_ms is not None and math.isfinite(duration_ms) else None,
            arguments_digest=digest(key, arguments) if key and arguments is not None else None,
            output_digest=digest(key, output) if key and output is not None else None,
            detail=bounded(detail, text),
        )
        failures = await self._give(entry, self._books)
        for book, why in zip(self._books, failures, strict=True):
            if why and book.required and outcome == "intent":
                raise AuditFailed(
                    f"{book.name} could not record the intent of {entry.action}, so it was not started: {why}",
                    remedy="Make the sink work again; whether it is required stands in the settings under [audit].",
                )
        self._anchor_in_time(session_id)

    @asynccontextmanager
    async def around(
        self,
        category: AuditCategory,
        action: str,
        *,
        session_id: str | None = None,
        turn: int | None = None,
        detail: Mapping[str, JSON] = {},
    ) -> AsyncIterator[dict[str, JSON]]:
        """What is done inside, between its intent and its outcome, which tells what is put into the mapping too.

        It is a failure where it raises, and where an `error` is put in. Raises AuditFailed before anything is done, as
        `record` does.
        """
        record = partial(self.record, category, action, session_id=session_id, turn=turn, call_id=os.urandom(16).hex())
        await record("intent", detail=detail)
        told, began = dict(detail), time.perf_counter()

        async def end() -> None:
            outcome: AuditOutcome = "failure" if "error" in told else "success"
            await record(outcome, duration_ms=(time.perf_counter() - began) * 1000, detail=told)

        try:
            yield told
        except (Exception, KeyboardInterrupt, asyncio.CancelledError) as error:
            told["error"] = reason(error)  # whatever ended it is told, and raised on
            await end()
            raise
        await end()

    async def _give(self, entry: AuditEntry, books: Sequence[Book]) -> list[str]:
        """Why each of them does not have the entry; empty where it has."""
        tries = [book.record(entry) for book in books]
        running = [said for said in tries if isinstance(said, asyncio.Future) and not said.done()]
        try:
            if running:
                await asyncio.wait(running, timeout=LIMIT)
        except asyncio.CancelledError:
            for book, tried in zip(books, tries, strict=True):
                if isinstance(tried, str):
                    book.settle(tried)
                else:
                    tried.add_done_callback(book.settle)
            raise
        return [book.settle(tried) for book, tried in zip(books, tries, strict=True)]

    def _whole(self, arguments: str | None, output: str | None) -> dict[str, JSON]:
        if not self._bodies:
            return {}
        return {name: body for name, body in (("arguments", arguments), ("output", output)) if body is not None}

    async def _digests(self) -> bytes | None:
        """The key of digests; None where it cannot be had, which is said once."""
        if self._key is None:
            return None
        try:
            async with asyncio.timeout(LIMIT):
                self._digest_key = derived_key(await self._key.load(), "digest")
        except BROKEN as error:
            if self._keyless != (why := reason(error)):
                self._keyless = why
                self._notice(f"entries of the audit trail are without digests, for want of its key: {why}")
        return self._digest_key

    # -- anchors

    def _anchor_in_time(self, session_id: str | None) -> None:
        """Sees to it that what was recorded is anchored soon: at once after a hundred entries, else by a timer."""
        most = max((book.since for book in self._books), default=0)
        if most >= ANCHOR_ENTRIES and (self._anchoring is None or self._anchoring.done()):
            self._anchoring = asyncio.create_task(self.anchor(session_id))
        elif most and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(ANCHOR_SECONDS, self._anchor_by_time)

    def _anchor_by_time(self) -> None:
        self._timer = None
        if self._anchoring is None or self._anchoring.done():
            self._anchoring = asyncio.create_task(self.anchor())

    async def anchor(self, session_id: str | None = None) -> None:
        """Has every sink that can anchored, and gives each anchor to the other sinks and to all open sessions.

        Of the sessions only to the one that asks, where one does: with many open at once, all in all would hold as many
        anchors as entries. It is given the last anchor where there is nothing new. A failure is said and never raised:
        the next anchor covers what this one should have.
        """
        async with self._anchors:  # who ends while one is made waits for it: it tells of his end too
            asking = self.listeners.get(session_id or "")
            listeners = tuple(self.listeners.values()) if asking is None else (asking,)
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            for book in self._books:
                head = await book.anchor()
                if head is not None:
                    book.anchored = AuditEntry(
                        id=os.urandom(16).hex(),
                        timestamp=datetime.now(UTC),
                        category="audit",
                        action="audit:anchor",
                        outcome="success",
                        principal=self._text(self._principal),
                        detail=bounded({"sink": book.sink_name, **head}, self._text),
                    )
                    await self._give(book.anchored, [other for other in self._books if other is not book])
                if (anchored := book.anchored) is not None:
                    for listener in listeners:
                        listener(anchored)

    async def close(self) -> None:
        """Waits for what is on its way, at most the limit of one entry, and anchors it."""
        under_way = (self._anchoring, *(book.last for book in self._books))
        if running := [each for each in under_way if each is not None and not each.done()]:
            await asyncio.wait(running, timeout=LIMIT)
        await self.anchor()

    def _text(self, text: str) -> str:
        """Redacted first and cut then, so that no half of a secret is left."""
        clean = self._redactor.text(text)
        if len(clean) > TEXT_LIMIT:
            clean = f"{clean[:TEXT_LIMIT]}… ({len(clean) - TEXT_LIMIT} more characters)"
        return clean if clean.isascii() else str(storable(clean))


def _user_at_host() -> str:
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # no name for this uid
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"
