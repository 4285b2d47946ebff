"""A second, small reading of the samples that shares no code with the formats: only counts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

PUT_IN = ("# AGENTS.md instructions", "<environment_context>", "<INSTRUCTIONS>", "<user_instructions>")


class Counts(NamedTuple):
    """What a session holds; `input` with what was read from and written to caches."""

    messages: int
    calls: int
    results: int
    input: int = 0
    output: int = 0
    cached: int = 0


def lines(path: Path) -> list[Any]:
    found = []
    for line in path.read_text().splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def claude(path: Path) -> Counts:
    """A session without branches: answers with an id are one as long as no other speaks between their lines."""
    spoken: list[tuple[Any, ...]] = []
    calls = results = 0
    spent: dict[tuple[Any, ...], tuple[int, int, int]] = {}
    for number, record in enumerate(lines(path)):
        message = record.get("message") if isinstance(record, dict) else None
        if not isinstance(message, dict):
            continue
        role = message.get("role") or record["type"]
        content = message.get("content", [])
        blocks = content if isinstance(content, list) else [{"type": "text"}]
        calls += sum(block["type"] == "tool_use" for block in blocks)
        answered = sum(block["type"] == "tool_result" for block in blocks)
        results += answered
        if role == "user":
            if answered < len(blocks):
                spoken.append(("user", number))
            elif answered:
                spoken.append(("results", number))
            continue
        key: tuple[Any, ...] = ("answer", message.get("id") or number)
        if not (spoken and spoken[-1][:2] == key):
            key = (*key, number)
            spoken.append(key)
        else:
            key = spoken[-1]
        usage = message.get("usage", {})
        read, written = usage.get("cache_read_input_tokens", 0), usage.get("cache_creation_input_tokens", 0)
        spent[key] = (usage.get("input_tokens", 0) + read + written, usage.get("output_tokens", 0), read)
    said = sum(kind[0] != "results" for kind in spoken)
    return Counts(said, calls, results, *(sum(each[n] for each in spent.values()) for n in range(3)))


def codex(path: Path) -> Counts:
    """Every text is a message, and so is an answer that only calls."""
    messages = calls = results = 0
    total = {"input_tokens": 0, "output_tokens": 0, "cached_input_tokens": 0}
    answering = False
    for record in lines(path):
        item = record.get("payload", record)
        match item.get("type", "message" if "role" in item else ""):
            case "message" if item["role"] == "user":
                texts = [piece.get("text", "") for piece in item["content"]]
                messages += not all(text.startswith(PUT_IN) for text in texts)
                answering = False
            case "message" if item["role"] == "assistant":
                messages += 1
                answering = True
            case "function_call" | "custom_tool_call" | "local_shell_call":
                calls += 1
                messages += not answering
                answering = True
            case "function_call_output" | "custom_tool_call_output":
                results += 1
                answering = False
            case "token_count":
                total = item["info"]["total_token_usage"]
    spent = (total["input_tokens"], total["output_tokens"], total["cached_input_tokens"])
    return Counts(messages, calls, results, *spent)


def opencode(messages: list[tuple[dict[str, Any], list[dict[str, Any]]]]) -> Counts:
    """Messages with their parts, of any layout before 2.0."""
    tools = [part["state"]["status"] for _, parts in messages for part in parts if part["type"] == "tool"]
    spent = [info["tokens"] for info, _ in messages if info["role"] == "assistant"]
    return Counts(
        len(messages),
        len(tools),
        sum(status in ("completed", "error") for status in tools),
        sum(t["input"] + t["cache"]["read"] + t["cache"]["write"] for t in spent),
        sum(t["output"] + t["reasoning"] for t in spent),
        sum(t["cache"]["read"] for t in spent),
    )


def opencode_rows(rows: list[dict[str, Any]]) -> Counts:
    """Rows of 2.0."""
    said = [row["data"] for row in rows if row["type"] in ("user", "assistant")]
    answers = [row["data"] for row in rows if row["type"] == "assistant"]
    tools = [piece["state"]["status"] for data in answers for piece in data["content"] if piece["type"] == "tool"]
    return Counts(
        len(said),
        len(tools),
        sum(status in ("completed", "error") for status in tools),
        sum(d["tokens"]["input"] + d["tokens"]["cache"]["read"] + d["tokens"]["cache"]["write"] for d in answers),
        sum(d["tokens"]["output"] + d["tokens"]["reasoning"] for d in answers),
        sum(d["tokens"]["cache"]["read"] for d in answers),
    )


def codetether(path: Path) -> Counts:
    whole = json.loads(path.read_text())
    parts = [part["type"] for message in whole["messages"] for part in message["content"]]
    said = sum(message["role"] in ("user", "assistant") for message in whole["messages"])
    usage = whole["usage"]
    spent = (usage["prompt_tokens"], usage["completion_tokens"])
    return Counts(said, parts.count("tool_call"), parts.count("tool_result"), *spent)
