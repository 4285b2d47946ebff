"""Reads one rollout: its records in order become a transcript."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from attrs import define, field
from codetether import Fields, ForeignSession, Transcript

from codetether_format_codex.items import OURS, Item, content_of
from codetether_format_codex.telling import Telling

_DIRECTORY = re.compile(r"<cwd>(.*?)</cwd>|Current working directory: (\S+)")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_SILENT = frozenset(("world_state", "state", "session_state", "ghost_snapshot", "inter_agent_communication_metadata"))


@define
class Rollout:
    """Takes the records of one file, then makes the session."""

    path: Path
    names: Mapping[str, str]
    _meta: Fields = field(factory=lambda: Fields(None))
    _begun: datetime | None = None
    _directory: str = ""
    _model: str = ""
    _items: list[Item] = field(factory=list)
    _ends: dict[str, Fields] = field(factory=dict)
    _lost: Counter[str] = field(factory=Counter)
    _turns: list[int] = field(factory=list)
    _announced: list[int] = field(factory=list)
    _latest: datetime | None = None
    _title: str = ""
    _ours: Fields = field(factory=lambda: Fields(None))
    _seen: bool = False

    def take(self, number: int, value: Any) -> None:
        """One record."""
        record = Fields(value)
        if not isinstance(value, dict):
            self._lost["records that are no objects"] += 1
            return
        kind, at = record.text("type"), record.time("timestamp")
        self._latest = at or self._latest
        if not isinstance(record.get("payload"), dict):
            self._bare(record, kind, at, first=number == 1)
            return
        payload = record.object("payload")
        self._ours = record.object(OURS)
        match kind:
            case "session_meta":
                self._title = self._title or self._ours.text("title")
                self._begin(payload, at)
            case "turn_context":
                self._seen = True
                self._model = payload.text("model") or self._model
                self._directory = self._directory or payload.text("cwd")
            case "response_item":
                self._item(payload.text("type") or ("message" if "role" in payload else "?"), at, payload)
            case "event_msg":
                self._event(payload, at)
            case "compacted":
                self._seen = True
                self._lost["summaries of compactions (the messages that they stand for are kept)"] += 1
            case "token_usage_record":
                self._items.append(self._made("tokens", at, payload))
            case _ if kind not in _SILENT:
                self._lost[f"records of the unknown type {kind[:60]!r}"] += 1

    def _begin(self, meta: Fields, at: datetime | None) -> None:
        self._seen = True
        if self._meta:
            return  # a fork holds its parent's head too
        self._meta = meta
        self._begun = meta.time("timestamp") or at
        self._directory = meta.text("cwd") or self._directory
        self._model = self._model or meta.text("model")

    def _bare(self, record: Fields, kind: str, at: datetime | None, *, first: bool) -> None:
        """A record of the generations without envelopes."""
        if record.text("record_type") or kind in _SILENT:
            return
        if not kind and "role" not in record:
            if (first or not self._meta) and record.text("id", "timestamp"):
                self._begin(record, at)
            else:
                self._lost["records without a type"] += 1
            return
        self._item(kind or "message", at, record)

    def _made(self, kind: str, at: datetime | None, payload: Fields, *, event: bool = False) -> Item:
        return Item(kind=kind, at=at, payload=payload, model=self._model, ours=self._ours, event=event)

    def _item(self, kind: str, at: datetime | None, payload: Fields) -> None:
        self._seen = True
        if kind in ("compaction", "compaction_summary", "context_compaction"):
            self._lost["summaries of compactions (the messages that they stand for are kept)"] += 1
        elif kind not in _SILENT:
            if (
                kind == "message"
                and payload.text("role") == "user"
                and any(not put_in for _, put_in in content_of(payload))
            ):
                self._turns.append(len(self._items))
            self._items.append(self._made(kind, at, payload))

    def _event(self, payload: Fields, at: datetime | None) -> None:
        """An event: most repeat what an item holds."""
        self._seen = True
        match payload.text("type"):
            case "token_count":
                self._items.append(self._made("token_count", at, payload.object("info")))
                self._model = self._model or payload.object("info").text("model")
            case "user_message" | "agent_message" as kind:
                if kind == "user_message":
                    self._announced.append(len(self._items))
                self._items.append(self._made(kind, at, payload, event=True))
            case "thread_rolled_back":
                self._roll_back(payload.count("num_turns"))
            case "exec_command_end" | "mcp_tool_call_end" | "patch_apply_end":
                self._ends[payload.text("call_id")] = payload
            case "item_completed":
                item = payload.object("item")
                if item.text("type") in ("CommandExecution", "FileChange", "McpToolCall"):
                    self._ends[item.text("id")] = item
            case _:
                pass

    def _roll_back(self, turns: int) -> None:
        """Takes back the last turns: they are no history, but their tokens were spent."""
        starts = self._turns or self._announced
        if not (turns and starts):
            return
        turns = min(turns, len(starts))
        cut = starts[-turns]
        self._announced = [at for at in self._announced if at < cut]
        if starts is self._turns:
            del self._turns[-turns:]
            while cut and self._items[cut - 1].event and self._items[cut - 1].kind == "user_message":
                cut -= 1  # the event that announced the message
                self._announced = self._announced[:-1]
        tail = [item for item in self._items[cut:] if item.kind in ("token_count", "tokens")]
        self._lost["turns that were rolled back"] += turns
        self._items[cut:] = tail[-1:] if tail and tail[-1].totals else tail  # totals hold all before them

    def finish(self) -> ForeignSession | None:
        """The session; None where nothing in the file was Codex's."""
        if not (self._seen or self._meta):
            return None
        found = _UUID.search(self.path.name)
        source_id = self._meta.text("id", "session_id") or (found[0] if found else self.path.name.partition(".")[0])
        spawned = self._meta.object("source").object("subagent").object("thread_spawn").text("parent_thread_id")
        git = self._meta.object("git")
        forked = self._meta.text("forked_from_id")
        origin = {"version": self._meta.text("cli_version"), "git": git.raw if git else None, "forked_from": forked}
        talk = Transcript(
            format="codex",
            source_id=source_id,
            created_at=self._begun,
            updated_at=self._latest,
            title=self.names.get(source_id) or self._meta.text("thread_name") or self._title or None,
            parent=self._meta.text("parent_thread_id") or spawned or None,
            origin={name: value for name, value in origin.items() if value},
        )
        provider = self._meta.text("model_provider") or "openai"
        Telling(talk, provider, self._ends).tell(self._items)
        talk.directory = self._directory or next(self._told_directories(), "")
        talk.model = talk.model or (f"{provider}/{self._model}" if self._model else None)
        for what, times in self._lost.items():
            talk.lose(what, times)
        return talk.finish()

    def _told_directories(self) -> Iterator[str]:
        for item in self._items:
            for part in item.payload.objects("content"):
                if told := _DIRECTORY.search(part.text("text")):
                    yield (told[1] or told[2]).strip()
