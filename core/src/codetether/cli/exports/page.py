"""An exported session as one page of HTML: no script, nothing from elsewhere, whatever the session holds."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader
from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markupsafe import Markup, escape
from pygments import highlight  # type: ignore[import-untyped]
from pygments.formatters import HtmlFormatter  # type: ignore[import-untyped]
from pygments.lexers import find_lexer_class_for_filename, get_lexer_by_name  # type: ignore[import-untyped]
from pygments.util import ClassNotFound  # type: ignore[import-untyped]

from codetether._version import __version__
from codetether.cli.exports.document import Document, text_of
from codetether.cli.exports.markdown import facts, lost, minute, money
from codetether.cli.tool_text import arguments_shown

_COLOURED = 40_000
"""Characters of code up to which it is worth its colours."""
_SHORT = 160
_IMAGES = frozenset(("image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "image/bmp"))
_TELLING = ("command", "cmd", "path", "file_path", "url", "query", "pattern", "description")
"""Arguments that say alone what a call is about, the first of them that is there."""
_LIGHT, _DARK = "friendly", "github-dark"

# What would show text in another order than it has, or not at all.
_HIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def page(document: Document) -> str:
    """The page. Every text of the session is escaped, and a policy in the page forbids scripts and requests."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"prose": _prose, "plain": _plain, "minute": minute, "money": money, "short": _short}
    environment.globals |= {
        "facts": facts,
        "lost": lost,
        "call": _call,
        "image": _image,
        "inner": _inner,
        "result": _result,
        "turns": _turns,
        "took": _took,
        "version": __version__,
        "colours": _colours(),
    }
    return environment.get_template("page.html").render(document=document)


def _inner(document: Document) -> dict[str, list[Document]]:
    """The sessions of subagents by the call that began each; under no call those that name none that is there."""
    calls = {part["id"] for m in document["messages"] for part in m["parts"] if part.get("type") == "tool_call"}
    made: dict[str, list[Document]] = {}
    for child in document["children"]:
        call = child["session"]["parent_call_id"]
        made.setdefault(call if call in calls else "", []).append(child)
    return made


def _turns(document: Document) -> list[dict[str, Any]]:
    """The conversation prompt by prompt, each with its answers, the results of their calls, its end and its cost."""
    results = {m["parts"][0].get("tool_call_id"): m for m in document["messages"] if m["role"] == "tool"}
    ends = {end["turn"]: end for end in document["turns"]}
    made: list[dict[str, Any]] = []
    for message in document["messages"]:
        if message["role"] == "tool" or message.get("only_usage"):
            continue
        if not made or (message["role"] == "user" and message["turn"] != made[-1]["turn"]):
            made.append({"turn": message["turn"], "messages": [], "results": results, "end": ends.get(message["turn"])})
        before = made[-1]["messages"][-1:]
        again = [(m["role"], m.get("model")) for m in before] == [(message["role"], message.get("model"))]
        made[-1]["messages"].append({**message, "again": again})
    return made


@cache
def _markdown() -> MarkdownIt:
    made = MarkdownIt("commonmark", {"html": False, "highlight": lambda code, name, _: str(_code(code, name))})
    made.enable(["table", "strikethrough"])

    def image(self: Any, tokens: Sequence[Any], index: int, options: Any, env: Any) -> str:
        """An image from elsewhere would tell who reads the page: it is only named."""
        token = tokens[index]
        source, text = str(token.attrs.get("src", "")), token.content or "image"
        if source.startswith("data:image/"):
            return f'<img src="{escapeHtml(source)}" alt="{escapeHtml(text)}">'
        return f'<a href="{escapeHtml(source)}" rel="noopener noreferrer nofollow">{escapeHtml(text)}</a>'

    def link(self: Any, tokens: Sequence[Any], index: int, options: Any, env: Any) -> str:
        tokens[index].attrs["rel"] = "noopener noreferrer nofollow"
        return str(self.renderToken(tokens, index, options, env))

    made.add_render_rule("image", image)
    made.add_render_rule("link_open", link)
    return made


def _prose(text: str) -> Markup:
    """Markdown as HTML; HTML in it is shown as text."""
    return Markup(_markdown().render(_plain(text)))  # the renderer escapes


def _plain(text: str) -> str:
    """The text with every character in sight."""
    return _HIDDEN.sub(lambda found: f"<U+{ord(found[0]):04X}>", text)


def _code(text: str, language: str) -> Markup:
    """Code with its colours, where its language is known."""
    shown = _plain(text)
    if language and len(shown) <= _COLOURED:
        try:
            lexer = get_lexer_by_name(language.strip().split()[0], stripnl=False)
        except (ClassNotFound, IndexError):
            return escape(shown)
        return Markup(highlight(shown, lexer, HtmlFormatter(nowrap=True)))  # the formatter escapes
    return escape(shown)


def _call(part: Mapping[str, Any], answer: Mapping[str, Any]) -> dict[str, Any]:
    """A call as it is shown: its line, blocks of what neither it nor a diff shows, and whether they hold it again."""
    written = part["arguments"]
    try:
        given = json.loads(written)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        return {"line": written, "blocks": [_code(written, "")], "again": True}
    named = next((name for name in _TELLING if isinstance(given.get(name), str)), None)
    line = given[named] if named else arguments_shown(written)
    if answer["diff"]:
        return {"line": line, "blocks": [], "again": False}
    long = {name: value for name, value in given.items() if isinstance(value, str) and "\n" in value}
    if named is not None and len(line) > _SHORT:
        long[named] = line
    rest = {name: value for name, value in given.items() if name not in long}
    blocks = [_argument(name, value, given) for name, value in long.items()]
    if rest and [*rest] != [named]:
        blocks.append(_code(json.dumps(rest, indent=2, ensure_ascii=False), "json"))
    return {"line": line, "blocks": blocks, "again": bool(blocks) and (named is None or named in long)}


def _argument(name: str, value: str, given: Mapping[str, Any]) -> Markup:
    """A long argument: a command, a patch, or text for a file."""
    if value.startswith(("*** Begin Patch", "--- ", "diff ")):
        return Markup('<span class="diff">{}</span>').format(_diff(value))
    if name in ("command", "cmd"):
        return _code(value, "bash")
    path = given.get("path") or given.get("file_path")
    return _code(value, _language(path) if isinstance(path, str) else "")


def _language(path: str) -> str:
    """The language of a file by its name; empty where it is not known."""
    found = find_lexer_class_for_filename(path)
    return found.aliases[0] if found is not None and found.aliases else ""


def _result(message: Mapping[str, Any] | None) -> dict[str, Any]:
    """A call's result as it is shown: how it ended, a diff where there is one, else its text, and its images."""
    if message is None:
        return {"state": "open", "diff": None, "text": "", "images": [], "exit": None, "took": None}
    (part, *_) = message["parts"]
    diff = message["metadata"].get("diff")
    state = "done" if part.get("success") else "denied" if message["denied"] else "failed"
    return {
        "state": state,
        "diff": _diff(diff) if isinstance(diff, str) and diff else None,
        "text": _plain(text_of(part)),
        "images": [inner for inner in part.get("content", ()) if inner.get("type") == "image"],
        "exit": message["metadata"].get("exit_code"),
        "took": _took(message["duration_ms"]),
    }


def _diff(text: str) -> Markup:
    """A unified diff, a line of its own kind each."""
    return Markup("").join(_diff_lines(_plain(text)))


def _diff_lines(text: str) -> Iterator[Markup]:
    for line in text.rstrip("\n").split("\n"):
        kind = (
            "head" if line.startswith(("+++", "---", "@@", "diff ")) else {"+": "plus", "-": "minus"}.get(line[:1], "")
        )
        yield Markup('<span class="{}">{}\n</span>').format(kind, line)


def _image(part: Mapping[str, Any]) -> dict[str, str]:
    """An image within the page, or the link to it; never a request for it."""
    kind, data, url = part["media_type"], part.get("data"), part.get("url") or ""
    if kind in _IMAGES and isinstance(data, str) and re.fullmatch("[A-Za-z0-9+/=]*", data):
        return {"source": f"data:{kind};base64,{data}", "link": "", "text": kind}
    safe = urlsplit(url).scheme in ("http", "https") if url.isprintable() else False
    return {"source": "", "link": url if safe else "", "text": url or kind}


def _took(milliseconds: float | None) -> str | None:
    """A duration worth showing."""
    if not milliseconds or milliseconds < 1:
        return None
    if milliseconds < 1000:
        return f"{milliseconds:.0f} ms"
    seconds = milliseconds / 1000
    return f"{seconds:.1f} s" if seconds < 60 else f"{seconds // 60:.0f} min {seconds % 60:.0f} s"


def _short(text: str) -> str:
    """The text on one line."""
    line = " ".join(_plain(text[: 4 * _SHORT]).split())
    return line if len(line) <= _SHORT else f"{line[:_SHORT]}…"


def _colours() -> Markup:
    """The colours of code, by day and by night."""

    def rules(style: str) -> str:
        lines = HtmlFormatter(style=style).get_style_defs("pre").splitlines()
        return "\n".join(line for line in lines if re.match(r"pre \.\w+ \{", line))

    dark = f"@media (prefers-color-scheme: dark) {{\n{rules(_DARK)}\n}}"
    return Markup(f"{rules(_LIGHT)}\n{dark}")  # written by the library
