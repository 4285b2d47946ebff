"""Examples of tools made into templates: what of a call was fixed, and what was taken from the request."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import Literal

import attrs
from codetether import JSON, ToolDefinition

from codetether_provider_local.tiny.words import Word, stem, words
from codetether_provider_local.tiny.workspace import name_parts, pathlike

SlotKind = Literal["path", "extension", "word", "span", "number"]
PATH_NAMES = frozenset({"path", "file", "filename", "file_path", "directory", "dir", "folder"})
FILE, DIRECTORY, EXTENSION, WORD, NUMBER = "<file>", "<dir>", "<ext>", "<word>", "<number>"


@attrs.define(frozen=True, kw_only=True)
class Slot:
    """A part of an argument that comes from the request.

    Attributes:
        before, after: what stands around it in the argument, e.g. `(?i)` or `**/*.`.
        first, last: the words of the example that it takes, `last` exclusive.
        lefts, rights: what stands beside such slots in the tool's other examples.
        left, right: stems beside it; `^` and `$` at the ends, the term itself beside another slot.
        gap: words between it and a path that follows, -1 where none does.
        suffix: of a path: its extension with the dot, empty for a directory and for files without one.
    """

    param: str
    kind: SlotKind
    before: str = ""
    after: str = ""
    first: int = 0
    last: int = 0
    left: str = "^"
    lefts: frozenset[str] = frozenset()
    right: str = "$"
    rights: frozenset[str] = frozenset()
    gap: int = -1
    suffix: str = ""
    directory: bool = False


@attrs.define(frozen=True, kw_only=True)
class Template:
    """One example, ready to be compared and filled.

    Attributes:
        tool: None for an answer in words (`reply`).
        needed: terms that a request must have.
    """

    tool: ToolDefinition | None
    prompt: str
    terms: tuple[str, ...]
    arguments: dict[str, JSON] = attrs.field(factory=dict)
    slots: tuple[Slot, ...] = ()
    reply: str = ""
    needed: frozenset[str] = frozenset()

    @property
    def fixed(self) -> tuple[str, ...]:
        """The parameters whose value is the example's own."""
        return tuple(name for name in self.arguments if all(slot.param != name for slot in self.slots))


def templates(tool: ToolDefinition) -> list[Template]:
    """The tool's examples as templates; a tool without any is known by its name and the start of its description."""
    if not tool.examples:
        return _described(tool)
    found: list[Template] = []
    for example in tool.examples:
        said, arguments = words(example.prompt), dict(example.arguments)
        slots = _slots(tool, example.prompt, said, arguments)
        found.append(_template(tool, example.prompt, said, arguments, slots))
        fixed = [slot for slot in slots if slot.kind != "word"]
        if len(fixed) < len(slots):
            # `what is the version?` is also an example of asking for a version, not only for some word
            needed = frozenset(
                said[i].stem for slot in slots if slot.kind == "word" for i in range(slot.first, slot.last)
            )
            found.append(attrs.evolve(_template(tool, example.prompt, said, arguments, fixed), needed=needed))
    return [attrs.evolve(template, slots=tuple(_taught(slot, found) for slot in template.slots)) for template in found]


def reply(prompt: str, text: str) -> Template:
    """An example that is answered in words, without a tool."""
    return Template(tool=None, prompt=prompt, terms=tuple(word.stem for word in words(prompt)), reply=text)


def _template(
    tool: ToolDefinition, prompt: str, said: Sequence[Word], arguments: dict[str, JSON], slots: Iterable[Slot]
) -> Template:
    taken = {i: slot for slot in slots for i in range(slot.first, slot.last)}
    terms = [
        _term(taken[i]) if i in taken else word.stem
        for i, word in enumerate(said)
        if i not in taken or i == taken[i].first
    ]
    return Template(
        tool=tool,
        prompt=prompt,
        terms=tuple(terms),
        arguments=arguments,
        slots=tuple(_placed(slot, said, taken) for slot in slots),
    )


def _taught(slot: Slot, others: Iterable[Template]) -> Slot:
    """A span also begins after the words that begin it in other examples: `text`, `containing`, `saying`."""
    alike = (other for template in others for other in template.slots if other.kind == slot.kind == "span")
    same = [other for other in alike if other.param == slot.param]
    lefts = {other.left for other in same if (other.gap < 0) == (slot.gap < 0)}
    return attrs.evolve(slot, lefts=_plain(lefts), rights=_plain(other.right for other in same))


def _plain(terms: Iterable[str]) -> frozenset[str]:
    return frozenset(term for term in terms if term[0] not in "<^$")


def _term(slot: Slot) -> str:
    match slot.kind:
        case "path":
            return DIRECTORY if slot.directory else FILE
        case "extension":
            return EXTENSION
        case "number":
            return NUMBER
        case _:
            return WORD


def _placed(slot: Slot, said: Sequence[Word], taken: dict[int, Slot]) -> Slot:
    def beside(i: int, end: str) -> str:
        if not 0 <= i < len(said):
            return end
        return _term(taken[i]) if i in taken else said[i].stem

    paths = [i - slot.last for i in range(slot.last, len(said)) if i in taken and taken[i].kind == "path"]
    gap = min(paths, default=-1)
    return attrs.evolve(slot, left=beside(slot.first - 1, "^"), right=beside(slot.last, "$"), gap=gap)


def _slots(tool: ToolDefinition, prompt: str, said: Sequence[Word], arguments: dict[str, JSON]) -> list[Slot]:
    found: list[Slot] = []
    for name, value in arguments.items():
        slot = _slot(tool, prompt, said, name, value)
        if slot and all(slot.last <= other.first or other.last <= slot.first for other in found):
            found.append(slot)
    return found


def _slot(tool: ToolDefinition, prompt: str, said: Sequence[Word], name: str, value: JSON) -> Slot | None:
    if isinstance(value, int) and not isinstance(value, bool):
        at = [i for i, word in enumerate(said) if word.text == str(value)]
        return Slot(param=name, kind="number", first=at[0], last=at[0] + 1) if at else None
    if not isinstance(value, str) or not value.strip():
        return None
    if name in PATH_NAMES or pathlike(value):
        return _whole_path(said, name, value)
    inner = _path_within(said, name, value) or _extension(said, name, value)
    if inner or "execute" in tool.effects:
        return inner  # a word of the request never becomes part of a command
    return _phrase(tool, prompt, said, name, value)


def _whole_path(said: Sequence[Word], name: str, value: str) -> Slot | None:
    at = [i for i, word in enumerate(said) if word.text.lower() == value.lower()]
    if not at and value != ".":  # said by its name alone: `the changelog` for CHANGELOG.md
        own = stem(name_parts(PurePosixPath(value).name)[0])
        at = [i for i, word in enumerate(said) if word.stem == own]
    if not at:
        return None
    suffix = PurePosixPath(value).suffix
    return Slot(
        param=name,
        kind="path",
        first=at[0],
        last=at[0] + 1,
        suffix=suffix,
        directory=not suffix and not value.isupper(),
    )


def _path_within(said: Sequence[Word], name: str, value: str) -> Slot | None:
    for i, word in enumerate(said):
        if pathlike(word.text) and word.text in value:
            before, after = value.split(word.text, 1)
            suffix = PurePosixPath(word.text).suffix
            return Slot(param=name, kind="path", before=before, after=after, first=i, last=i + 1, suffix=suffix)
    return None


def _extension(said: Sequence[Word], name: str, value: str) -> Slot | None:
    match = re.fullmatch(r"(.*\*\.)(\w+)", value)
    at = [i for i, word in enumerate(said) if match and word.text.lower() == match[2].lower()]
    return Slot(param=name, kind="extension", before=match[1], first=at[0], last=at[0] + 1) if match and at else None


def _phrase(tool: ToolDefinition, prompt: str, said: Sequence[Word], name: str, value: str) -> Slot | None:
    """The longest run of words that the value holds: one word, or a span where the tool writes or the run is longer."""
    low, best = value.lower(), (0, 0, "")
    for first in range(len(said)):
        for last in range(len(said), first, -1):
            run = prompt[said[first].start : said[last - 1].end].lower()
            if last - first == 1 and run not in low and len(run) > 3:
                run = run.removesuffix("s")  # `TODOs` asks for TODO
            if (
                len(run) > len(best[2])
                and (len(run) > 2 or run == low)
                and re.search(rf"(?<!\w){re.escape(run)}(?!\w)", low)
            ):
                best = (first, last, run)
    first, last, run = best
    if not run:
        return None
    at = re.search(rf"(?<!\w){re.escape(run)}(?!\w)", low)
    start = at.start() if at else 0
    span = "write" in tool.effects or last - first > 1
    return Slot(
        param=name,
        kind="span" if span else "word",
        before=value[:start],
        after=value[start + len(run) :],
        first=first,
        last=last,
    )


def _described(tool: ToolDefinition) -> list[Template]:
    """A template of a tool without examples, where what it requires can be words, paths or numbers of the request."""
    properties = tool.schema.get("properties") or {}
    slots: list[Slot] = []
    for name in tool.schema.get("required") or ():
        kind = (properties.get(name) or {}).get("type")
        if "execute" in tool.effects or "write" in tool.effects or kind not in ("string", "integer", "number"):
            return []
        slots.append(Slot(param=name, kind="path" if name in PATH_NAMES else "word" if kind == "string" else "number"))
    sentence = re.split("[.\n]", tool.description)[0]
    prompt = f"{re.sub('[_-]', ' ', tool.name)} {sentence}"
    terms = dict.fromkeys(word.stem for word in words(prompt))
    return [
        Template(
            tool=tool, prompt=prompt, terms=tuple(terms), arguments={s.param: "" for s in slots}, slots=tuple(slots)
        )
    ]
