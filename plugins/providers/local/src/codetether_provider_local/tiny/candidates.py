"""Candidate calls: the templates most like a request, filled with its paths and words."""

from __future__ import annotations

import json
import re
import shlex
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

import attrs
from codetether import JSON, ToolDefinition

from codetether_provider_local.tiny.ranking import Ranking
from codetether_provider_local.tiny.readings import Reading, readings
from codetether_provider_local.tiny.templates import Slot, Template
from codetether_provider_local.tiny.words import Word, stem, words
from codetether_provider_local.tiny.workspace import Workspace, pathlike

_LEAST = 0.06
_SECOND_VOICE = 0.35
_EFFECT = 0.9
_VERBS = (
    "add append change create delete edit generate insert make modify new put remove rename replace save set store \
substitute swap turn update write"
)
_CHANGES = (
    "add append change commit copy create debug delete deploy edit fix generate implement improve insert install \
merge modify move optimize push refactor remove rename replace rewrite translate update write"
)
_ASKING = "please could can would will you hey now then just kindly i want to let us and also"
_POLITE = frozenset(_ASKING.split())
_CHANGING = frozenset(_CHANGES.split())
_WRITING = frozenset(stem(verb) for verb in _VERBS.split())


@attrs.define(frozen=True, kw_only=True)
class Candidate:
    """A call that may be what was asked; `tool` is None for an answer in words. `score` is above 0, about 1 at best."""

    tool: ToolDefinition | None
    arguments: Mapping[str, JSON]
    score: float
    template: Template


def candidates(text: str, workspace: Workspace, known: Ranking) -> list[Candidate]:
    """Best first. Each argument is the example's own, or made of paths that exist, words and numbers of the request.

    Tools that write are left out unless the request has a verb that asks for it. Commands take nothing from the
    request but existing paths, quoted for a shell.
    """
    voices: dict[str, list[Candidate]] = defaultdict(list)
    for reading in readings(text, workspace):
        writing = any(word.stem in _WRITING for i, word in enumerate(reading.request) if i not in reading.taken)
        for template in known.templates:
            if (
                template.tool is not None
                and "write" in template.tool.effects
                and "execute" not in template.tool.effects
                and not writing
            ):
                continue
            if not template.needed <= set(reading.terms):
                continue
            similarity = known.similarity(reading.terms, template) * reading.confidence
            if similarity < _LEAST:
                continue
            filled = _Filling(text=text, reading=reading, workspace=workspace, known=known, template=template).fill()
            if filled is None:
                continue
            arguments, quality = filled
            if template.tool is not None and not template.tool.read_only:
                quality *= _EFFECT  # where looking can answer, looking is better
            name = template.tool.name if template.tool else ""
            found = Candidate(tool=template.tool, arguments=arguments, score=similarity * quality, template=template)
            voices[json.dumps([name, arguments], sort_keys=True)].append(found)
    return sorted((_chorus(same) for same in voices.values()), key=lambda candidate: -candidate.score)


def beyond(text: str, best: Candidate) -> bool:
    """Whether the request begins with the wish to change something, and the best call would only look or run."""
    first = next((word for word in words(text) if word.text.lower() not in _POLITE), None)
    changes = best.tool is not None and "write" in best.tool.effects and "execute" not in best.tool.effects
    return first is not None and first.text.lower() in _CHANGING and not changes


def _chorus(same: Sequence[Candidate]) -> Candidate:
    """Several examples for one call count for more than one, but no crowd outvotes a good match."""
    best = sorted(same, key=lambda candidate: -candidate.score)[:3]
    score = sum(candidate.score * _SECOND_VOICE**i for i, candidate in enumerate(best))
    return attrs.evolve(best[0], score=score)


@attrs.define(kw_only=True)
class _Filling:
    text: str
    reading: Reading
    workspace: Workspace
    known: Ranking
    template: Template
    used: set[int] = attrs.field(factory=set)
    quality: float = 1.0

    def fill(self) -> tuple[dict[str, JSON], float] | None:
        arguments = dict(self.template.arguments)
        for slot in sorted(self.template.slots, key=lambda slot: (slot.kind != "path", slot.first)):
            value = self._value(slot)
            if value is None:
                return None
            arguments[slot.param] = value
        for name in self.template.fixed:
            value = self._existing(name, arguments[name])
            if value is None:
                return None
            arguments[name] = value
        if set(self.reading.paths) - self.used:
            self.quality *= 0.5  # a path that was named must be used
        kinds = {slot.kind for slot in self.template.slots}
        if self.reading.extensions and "extension" not in kinds:
            self.quality *= 0.8
        if not kinds & {"path", "span"}:
            self.quality *= self._overlooked()
        return arguments, self.quality

    def _overlooked(self) -> float:
        """What it costs to leave out words that no example has: a name that stands out says most."""
        left = [weight for weight, _, i in self._free_words() if i not in self.used and weight >= 1]
        return 0.6 if any(weight > 1.2 for weight in left) else 0.85 if left else 1.0

    def _value(self, slot: Slot) -> JSON:
        match slot.kind:
            case "path":
                return self._path(slot)
            case "extension":
                return self._first((i, slot.before + e + slot.after) for i, e in self.reading.extensions.items())
            case "number":
                return self._first(self.reading.numbers.items())
            case "word":
                return self._word(slot)
            case "span":
                return self._span(slot)

    def _first(self, options: object) -> JSON:
        for i, value in options:  # type: ignore[attr-defined]
            if i not in self.used:
                self.used.add(i)
                return value
        return None

    def _path(self, slot: Slot) -> str | None:
        effects = self.template.tool.effects if self.template.tool else ()
        commanding, searching = "execute" in effects, "*" in slot.before
        for i, paths in self.reading.paths.items():
            for path in paths:
                kind = self.workspace.kinds.get(path, "file" if searching or "write" in effects else None)
                fits = kind == ("dir" if slot.directory else "file")
                if i in self.used or not fits or (commanding and PurePosixPath(path).suffix != slot.suffix):
                    continue
                self.used.add(i)
                named = PurePosixPath(path).name if searching else shlex.quote(path) if commanding else path
                return slot.before + named + slot.after
        return None

    def _existing(self, name: str, value: JSON) -> JSON:
        """A fixed path must be there, perhaps under a like name: README.rst for README.md, LICENSE-MIT for LICENSE."""
        if not isinstance(value, str) or value == "." or not (pathlike(value) or value.isupper()) or "*" in value:
            return value
        hits = self.workspace.named(value)
        if not hits:
            own = stem(re.split(r"[._-]", PurePosixPath(value).name)[0])
            word = Word(text=own, stem=own, start=0, end=len(own))
            hits = tuple(
                path for path in self.workspace.near([word]) if self.workspace.kinds[path] == "file" and "/" not in path
            )
        return min(hits, key=len, default=None)

    def _word(self, slot: Slot) -> str | None:
        free = [(weight, text, i) for weight, text, i in self._free_words() if i not in self.used]
        if not free:
            return None
        weight, text, i = free[0]
        self.used.add(i)
        self.quality *= min(1.0, 0.35 + 0.65 * weight)
        if slot.before == "(?i)":
            singular = text if self.reading.request[i].quoted else re.sub(r"(?i)(?<=\w{3})s$", "", text)
            text = re.sub(r"[^\w\s/-]", lambda match: "\\" + match[0], singular)
        return slot.before + text + slot.after

    def _free_words(self) -> list[tuple[float, str, int]]:
        """(weight, word, index), the likeliest argument first: quoted, shaped like code, unknown to all examples."""
        found = []
        for i, word in enumerate(self.reading.request):
            text = re.sub("['\u2019]s$", "", word.text).removesuffix("()")
            if i in self.reading.taken:
                continue
            if word.quoted:
                found.append((2.0, text, i))
            elif re.search(r"_|[a-z][A-Z]|::|\d", text) or (len(text) > 2 and text.removesuffix("s").isupper()):
                found.append((1.6, text, i))
            elif word.stop:
                continue
            elif word.stem not in self.known.vocabulary:
                found.append((1.3 if i and text[0].isupper() else 1.0, text, i))
            else:
                found.append((0.15, text, i))
        return sorted(found, key=lambda item: (-item[0], -item[2]))

    def _span(self, slot: Slot) -> str | None:
        request, paths = self.reading.request, self.reading.paths
        quoted = [i for i, word in enumerate(request) if word.quoted and i not in self.used and i not in paths]
        if quoted:
            self.used.add(quoted[0])
            return slot.before + request[quoted[0]].text + slot.after
        for start in self._starts(slot):
            end = self._end(slot, start)
            if end is None or end <= start or any(i in paths or i in self.used for i in range(start, end)):
                continue
            self.used.update(range(start, end))
            if all(word.stop for word in request[start:end]):
                self.quality *= 0.4
            if end - start == 1:
                return slot.before + request[start].text + slot.after
            return slot.before + self.text[request[start].start : request[end - 1].end] + slot.after
        return None

    def _starts(self, slot: Slot) -> list[int]:
        request, paths = self.reading.request, self.reading.paths
        if slot.left == "^":
            return [0]
        if slot.left.startswith("<"):
            return [i + 1 for i in paths]
        own = [i + 1 for i, word in enumerate(request) if word.stem == slot.left and i not in paths]
        return [*own, *(i + 1 for i, word in enumerate(request) if word.stem in slot.lefts and i not in paths)]

    def _end(self, slot: Slot, start: int) -> int | None:
        request, paths = self.reading.request, self.reading.paths
        after = [i for i in range(start, len(request)) if i in paths]
        if slot.right == "$":
            return len(request) if not after else None
        if slot.gap == 1 and after:
            return after[0] - 1
        ends = {slot.right, *slot.rights}
        return next((i for i in range(start, len(request)) if request[i].stem in ends), None)
