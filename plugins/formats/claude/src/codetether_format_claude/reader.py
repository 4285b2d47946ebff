"""Reads the records of one file: the newest branch becomes a transcript, side chains become its children."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

from attrs import define, field
from codetether import (
    Fields,
    FilePart,
    FinishReason,
    ForeignSession,
    ImagePart,
    MessagePart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    Transcript,
    Usage,
    decoded,
)

from codetether_format_claude.tree import SPEAKERS, Node, Tree

PROVIDER = "anthropic"
_SILENT = frozenset(
    """queue-operation last-prompt file-history-snapshot cost-state atis-latch summary custom-title ai-title tag
    progress agent-name agent-color permission-mode mode pr-link worktree-state bridge-session""".split()  # noqa: SIM905
)
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_REASONS: dict[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "refusal": "content_filter",
}


def read_records(records: list[Fields], name: str, parent: str = "") -> list[ForeignSession]:
    """The session of a file and its side chains; nothing where no record is a session's.

    `name` is the file's, of which the id is taken where no record tells one; `parent` the session of a subagent's file.
    """
    kinds = [_kind(record) for record in records]
    nodes = [
        Node(record, number, kind, record.text("uuid") or f"#{number}")
        for number, (record, kind) in enumerate(zip(records, kinds, strict=True))
        if record and (kind in SPEAKERS or "uuid" in record)
    ]
    odd = Counter(_oddity(record, kind) for record, kind in zip(records, kinds, strict=True))
    del odd[""]
    session_id = next((r.text("sessionId") for r in records if r.text("sessionId")), "")
    if _UUID.fullmatch(name):
        session_id = name  # one that was forked holds lines of the other's id
    if not (nodes or any(kind in _SILENT for kind in kinds)):
        return []
    if parent:  # the file of a subagent: all of it is one side chain
        agent = next((r.text("agentId") for r in records if r.text("agentId")), name.removeprefix("agent-"))
        return [_session(nodes, records, odd, f"{parent}_agent-{agent}", parent)]
    side = [node for node in nodes if node.record.flag("isSidechain")]
    main = [node for node in nodes if not node.record.flag("isSidechain")]
    if not main and side:  # a subagent's file of the versions that put it beside its session's
        agent = next((r.text("agentId") for r in records if r.text("agentId")), name.removeprefix("agent-"))
        return [_session(side, records, odd, f"{session_id or name}_agent-{agent}", session_id)]
    whole = _session(main, records, odd, session_id or name, "")
    return [whole, *_children(side, whole.source_id)]


def _children(side: list[Node], parent: str) -> Iterator[ForeignSession]:
    """The side chains within a session's own file, each from its own root."""
    root_of: dict[str, str] = {}
    chains: dict[str, list[Node]] = {}
    for node in side:
        above = node.record.text("parentUuid")
        root = node.record.text("agentId") or root_of.get(above) or node.uuid
        root_of[node.uuid] = root
        chains.setdefault(root, []).append(node)
    for root, chain in chains.items():
        yield _session(chain, [], Counter(), f"{parent}_agent-{root}", parent)


def _said(message: Fields) -> bool:
    """Whether a message says anything, if only what it cost."""
    return "content" in message or "usage" in message


def _kind(record: Fields) -> str:
    """The type of a record; records of usage alone have none, but a message with a role."""
    return record.text("type") or (record.object("message").text("role") if record.object("message") else "")


def _oddity(record: Fields, kind: str) -> str:
    """What is said of a record that is not taken over; nothing of those that are, or hold nothing of the session."""
    if not isinstance(record.raw, dict):
        return "records that are no objects"
    if kind in SPEAKERS:
        return "" if _said(record.object("message")) else "messages without content"
    if kind in _SILENT or kind == "system":
        return ""
    if kind == "attachment":
        return "attachments that Claude Code itself put in (environment, files, reminders)"
    return f"records of the unknown type {kind[:60]!r}" if kind else "records without a type"


def _session(
    nodes: list[Node], records: list[Fields], odd: Counter[str], source_id: str, parent: str
) -> ForeignSession:
    times = [at for node in nodes if (at := node.record.time("timestamp")) is not None]
    tree = Tree.of(nodes)
    branch = tree.branch()
    talk = Transcript(
        format="claude",
        source_id=source_id,
        directory=next((n.record.text("cwd") for n in nodes if n.record.text("cwd")), ""),
        created_at=min(times, default=None),
        updated_at=max(times, default=None),
        title=_title(records, {node.uuid for node in branch}),
        parent=parent or None,
        origin=_origin(nodes),
    )
    for what, times_ in odd.items():
        talk.lose(what, times_)
    _Telling(talk).tell(branch)
    messages, branches = tree.left
    if messages:
        talk.lose(f"messages on branches that were left (branches: {branches})", messages)
    spent = [r.money("totalCostUSD") for r in records if _kind(r) == "cost-state"]
    if spent and spent[-1] and not any(n.record.money("costUSD") for n in branch):
        talk.spend(Usage(cost=spent[-1]))
    return talk.finish()


def _origin(nodes: list[Node]) -> dict[str, Any]:
    last = Fields({})
    for node in nodes:
        last = node.record if node.record.text("version") else last
    git = last.text("gitBranch")
    return {name: text for name, text in (("version", last.text("version")), ("git_branch", git)) if text}


def _title(records: list[Fields], here: set[str]) -> str | None:
    """The title that the user gave, else the one that was made; of summaries, the last that is of this branch."""
    for kind, name in (("custom-title", "customTitle"), ("ai-title", "aiTitle")):
        given = [r.text(name, "title") for r in records if _kind(r) == kind and r.text(name, "title")]
        if given:
            return given[-1]
    summaries = [r for r in records if _kind(r) == "summary" and r.text("summary")]
    mine = [r for r in summaries if r.text("leafUuid") in here] or summaries
    text = " ".join(mine[-1].text("summary").split()) if mine else ""
    return (text if len(text) <= 200 else f"{text[:199]}…") or None


@define
class _Response:
    """The lines of one response of the model, which share its id."""

    lines: list[Node] = field(factory=list)
    _blocks: set[int] = field(factory=set)

    def add(self, node: Node) -> None:
        """One more line."""
        self.lines.append(node)
        if isinstance(block := node.record.get("apiBlockIndex"), int):
            self._blocks.add(block)

    def takes(self, node: Node, apart: bool) -> bool:
        """Whether the line is of this response; `apart`: something stands between."""
        first = self.lines[0]
        theirs, mine = node.message.text("id"), first.message.text("id")
        if not theirs or theirs != mine or node.record.text("requestId") != first.record.text("requestId"):
            return False
        if not apart or node.record.text("requestId"):
            return True
        # Ids without a request's are seen used twice: then what was read differs, or a block comes a second time.
        same = _usage(node).input_tokens == _usage(first).input_tokens
        block = node.record.get("apiBlockIndex")
        return same and not (isinstance(block, int) and block in self._blocks)


class _Telling:
    """Joins the lines of the branch into messages."""

    def __init__(self, talk: Transcript) -> None:
        self._talk = talk
        self._responses: list[_Response] = []
        self._seen: dict[str, Any] = {}

    def tell(self, branch: list[Node]) -> None:
        """All of it, in order. Of a response in several lines, the calls come before the first result."""
        steps: list[_Response | Node] = []
        last: _Response | None = None
        for node in branch:
            if not _said(node.message) and node.speaks:
                continue  # counted as odd already
            if node.speaks and self._seen.get(node.uuid) == node.message.raw:
                self._talk.lose("records that stand in the file twice")
                continue
            self._seen[node.uuid] = node.message.raw
            if node.kind == "assistant":
                if last is not None and last.takes(node, apart=steps[-1] is not last):
                    last.add(node)
                else:
                    last = _Response()
                    last.add(node)
                    steps.append(last)
            else:
                steps.append(node)
        for step in steps:
            if isinstance(step, _Response):
                self._answer(step)
            elif step.kind == "user":
                self._user(step)
            elif step.record.text("subtype") == "compact_boundary":
                self._talk.lose("boundaries of compactions (the messages before them are kept)")
            elif step.kind == "system":
                self._talk.lose("notes of Claude Code itself (records of the type system)")

    def _answer(self, response: _Response) -> None:
        first = response.lines[0]
        message = first.message
        model = message.text("model")
        provider = PROVIDER if model and model != "<synthetic>" else None
        parts = [part for line in response.lines for part in self._parts(line.message)]
        heaviest = max(response.lines, key=lambda line: (_usage(line).output_tokens, line.number))
        costs = [cost for line in response.lines if (cost := line.record.money("costUSD")) is not None]
        usage = _usage(heaviest, costs[-1] if costs else None)
        reason = next((r for line in reversed(response.lines) if (r := line.message.text("stop_reason"))), "")
        self._talk.assistant(
            parts,
            first.record.time("timestamp"),
            provider=provider,
            model=model if provider else None,
            usage=usage if usage != Usage() else None,
            finish_reason=_REASONS.get(reason),
            response_id=message.text("id") or None,
        )

    def _user(self, node: Node) -> None:
        record, message = node.record, node.message
        at = record.time("timestamp")
        for piece in message.objects("content"):
            if piece.text("type") == "tool_result":
                self._result(piece, record, at)
        if record.flag("isMeta") or (record.flag("isVisibleInTranscriptOnly") and not record.flag("isCompactSummary")):
            self._talk.lose("messages that Claude Code itself put in (reminders, caveats)")
            return
        parts = list(self._parts(message))
        if parts:
            self._talk.user(parts, at)

    def _result(self, piece: Fields, record: Fields, at: datetime | None) -> None:
        content = list(self._pieces(piece.get("content")))
        took = record.object("toolUseResult").count("durationMs", "totalDurationMs")
        success = not piece.flag("is_error")
        self._talk.result(piece.text("tool_use_id"), content, at, success=success, duration_ms=float(took))

    def _pieces(self, content: Any) -> Iterator[TextPart | ImagePart | FilePart]:
        """The content of a result."""
        for part in self._parts(Fields({"content": content})):
            if isinstance(part, TextPart | ImagePart | FilePart):
                yield part

    def _parts(self, message: Fields) -> Iterator[MessagePart]:
        content = message.get("content")
        if isinstance(content, str):
            if content:
                yield TextPart(text=content)
            return
        for raw in content if isinstance(content, list) else ():
            piece = Fields({"type": "text", "text": raw} if isinstance(raw, str) else raw)
            part = self._part(piece)
            if part is not None:
                yield part

    def _part(self, piece: Fields) -> MessagePart | None:
        match piece.text("type"):
            case "text":
                return TextPart(text=piece.text("text"))
            case "thinking":
                signature = piece.text("signature")
                kept = {PROVIDER: {"signature": signature}} if signature else {}
                return ThinkingPart(text=piece.text("thinking"), provider_data=kept)
            case "redacted_thinking":
                return ThinkingPart(provider_data={PROVIDER: {"redacted": piece.text("data")}})
            case "tool_use":
                given = piece.get("input")
                arguments = given if isinstance(given, str) else _dumped({} if given is None else given)
                return ToolCallPart(id=piece.text("id"), name=piece.text("name") or "unknown", arguments=arguments)
            case "tool_result":
                return None
            case "image" | "document" as kind:
                return self._medium(kind, piece)
            case "tool_reference":
                return TextPart(text=f"[tool: {piece.text('tool_name')}]")
            case kind:
                self._talk.lose(f"pieces of the unknown type {kind[:60]!r}")
                return None

    def _medium(self, kind: str, piece: Fields) -> MessagePart | None:
        source = piece.object("source")
        media_type, url = source.text("media_type"), source.text("url")
        data = decoded(source.text("data")) if source.text("type") != "text" else source.text("data").encode()
        if not data and not url:
            self._talk.lose(f"{kind}s whose content is not in the session")
            return TextPart(text=f"[{kind}]")
        if kind == "image":
            return ImagePart(media_type=media_type or "image/png", data=data or None, url=url or None)
        name = piece.text("title", "name")
        return FilePart(media_type=media_type or "application/pdf", name=name, data=data or None, url=url or None)


def _dumped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _usage(node: Node, cost: Decimal | None = None) -> Usage:
    """Tokens of a line: Anthropic counts those read from and written to the cache apart."""
    told = node.message.object("usage")
    read, written = told.count("cache_read_input_tokens"), told.count("cache_creation_input_tokens")
    if not written:
        written = sum(
            told.object("cache_creation").count(name)
            for name in ("ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens")
        )
    return Usage(
        input_tokens=told.count("input_tokens") + read + written,
        output_tokens=told.count("output_tokens"),
        cache_read_tokens=read,
        cache_write_tokens=written,
        reasoning_tokens=told.object("output_tokens_details").count("thinking_tokens"),
        cost=cost,
    )
