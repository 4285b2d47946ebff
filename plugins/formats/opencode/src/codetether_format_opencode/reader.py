"""Understands a session: the messages of either generation become a transcript."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from codetether import Fields, FinishReason, ForeignSession, MessagePart, TextPart, Transcript, Usage

from codetether_format_opencode.held import Held
from codetether_format_opencode.newer import tell_rows
from codetether_format_opencode.parts import NAME, Content, finish_reason, usage_of

__all__ = ["NAME", "session_of"]

_PUT_BY = {
    "snapshot": "snapshots of files",
    "patch": "patches that name changed files",
    "agent": "mentions of agents",
    "retry": "retries",
    "subtask": "orders to subagents (their sessions are taken over)",
    "compaction": "marks of compactions (the messages before them are kept)",
}
_ORIGIN = {"version": "version", "forked_from": "forkedFrom"}
_SILENT = frozenset(("step-start", "step-finish"))


def session_of(held: Held) -> ForeignSession:
    """The session, whole."""
    info = held.info
    time, model = info.object("time"), info.object("model")
    provider, name = model.text("providerID"), model.text("id", "modelID")
    talk = Transcript(
        format=NAME,
        source_id=held.id,
        directory=info.text("directory") or _directory(held) or held.directory,
        created_at=time.time("created"),
        updated_at=time.time("updated"),
        title=info.text("title") or None,
        model=f"{provider}/{name}" if provider and name else None,
        agent=info.text("agent") or _agent(held) or "build",
        parent=info.text("parentID") or None,
        origin={ours: text for ours, name in _ORIGIN.items() if (text := info.text(name))},
    )
    for what in held.lost:
        talk.lose(what)
    talk.lose("todo items", held.todos)
    talk.lose("rules of permission (never taken over)", len(info.list("permission")))
    if info.object("revert"):
        talk.lose("undone turns that were not yet dropped there (they are kept)")
    tell_rows(talk, held.rows)
    for message, parts in held.messages:
        _Message(talk, message, parts or _old_parts(message)).tell()
    session = talk.finish()
    return _with_rest(session, talk, info)


def _with_rest(session: ForeignSession, talk: Transcript, info: Fields) -> ForeignSession:
    """Says what the session's own count holds beyond that of its messages: titles and summaries cost too."""
    if not info.object("tokens"):
        return session
    whole, told = usage_of(info.object("tokens"), None), session.usage
    more_in, more_out = whole.input_tokens - told.input_tokens, whole.output_tokens - told.output_tokens
    if more_in <= 0 and more_out <= 0:
        return session
    talk.lose(
        "tokens that the session counts and no message does (titles, summaries)", max(more_in, 0) + max(more_out, 0)
    )
    return talk.finish()


class _Message:
    """A message of the generations before 2.0, with its parts."""

    def __init__(self, talk: Transcript, info: Fields, parts: Iterable[Fields]) -> None:
        self._talk = talk
        self._info = info
        self._parts = list(parts)
        old = info.object("metadata")
        self._about = old.object("assistant") or info
        self._provider = self._about.text("providerID")
        self._content = Content(talk, self._provider)
        self._at = info.object("time").time("created") or old.object("time").time("created")

    def tell(self) -> None:
        """As a message of the user or of the model."""
        match self._info.text("role"):
            case "user":
                self._user()
            case "assistant":
                self._assistant()
            case _:
                self._talk.lose("messages of an unknown role")

    def _user(self) -> None:
        said: list[MessagePart] = []
        for part in self._parts:
            match part.text("type"):
                case "text" if part.flag("ignored"):
                    self._talk.lose("texts that were kept from the model")
                case "text":
                    said.append(TextPart(text=part.text("text")))
                case "file":
                    said.append(self._content.file(part))
                case kind:
                    self._other(kind)
        self._talk.user(said, self._at)

    def _assistant(self) -> None:
        """Steps that one message holds become a message each, so that results come before what they led to."""
        steps: list[list[Fields]] = [[]]
        for part in self._parts:
            if part.text("type") == "step-start" and steps[-1]:
                steps.append([])
            elif part.text("type") not in _SILENT:
                steps[-1].append(part)
        steps = [step for step in steps if step] or [[]]
        for number, step in enumerate(steps):
            self._step(step, first=number == 0, last=number == len(steps) - 1)
        if error := self._info.object("error") or self._info.object("metadata").object("error"):
            self._talk.lose(f"errors of responses ({error.text('name')[:40] or 'unnamed'})")

    def _step(self, step: list[Fields], *, first: bool, last: bool) -> None:
        said: list[MessagePart] = []
        for part in step:
            match part.text("type"):
                case "text":
                    said.append(TextPart(text=part.text("text")))
                case "reasoning":
                    said.append(self._content.thinking(part, part.object("metadata")))
                case "tool":
                    id_, state, metadata = part.text("callID", "id"), part.object("state"), part.object("metadata")
                    said.append(self._content.call(id_, part.text("tool"), state, metadata))
                case "tool-invocation":
                    said.append(self._content.old_call(part.object("toolInvocation")))
                case "file":
                    said.append(self._content.file(part))
                case kind:
                    self._other(kind)
        model = self._about.text("modelID")
        known = bool(self._provider and model)
        self._talk.assistant(
            said,
            self._at,
            provider=self._provider if known else None,
            model=model if known else None,
            usage=self._usage() if first else None,
            finish_reason=self._finish() if last else None,
            continued=not first,
        )
        self._content.tell_results(self._at)

    def _finish(self) -> FinishReason | None:
        told = next((p.text("reason") for p in reversed(self._parts) if p.text("type") == "step-finish"), "")
        return finish_reason(self._info.text("finish") or told)

    def _usage(self) -> Usage | None:
        tokens = self._about.object("tokens")
        if tokens:
            made = usage_of(tokens, self._about.money("cost"))
        else:
            made = Usage()
            for part in self._parts:
                if part.text("type") == "step-finish":
                    made += usage_of(part.object("tokens"), part.money("cost"))
        return made if made != Usage() else None

    def _other(self, kind: str) -> None:
        if kind not in _SILENT:
            self._talk.lose(_PUT_BY.get(kind) or f"parts of the unknown type {kind[:60]!r}")


def _old_parts(message: Fields) -> list[Fields]:
    """The parts of the time when a message held them itself."""
    return [part for part in message.objects("parts") if part]


def _directory(held: Held) -> str:
    for message, _ in held.messages:
        about: Any = message.object("metadata").object("assistant") or message
        if found := about.object("path").text("cwd"):
            return str(found)
    return ""


def _agent(held: Held) -> str:
    said = [message.text("agent", "mode") for message, _ in held.messages] + [row.text("agent") for row in held.rows]
    return next((agent for agent in reversed(said) if agent), "")
