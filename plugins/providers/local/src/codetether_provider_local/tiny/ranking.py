"""How alike a request and an example are: weighted common words, rare ones counting more."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from difflib import get_close_matches
from itertools import pairwise

import attrs

from codetether_provider_local.tiny.templates import DIRECTORY, EXTENSION, FILE, NUMBER, WORD, Template
from codetether_provider_local.tiny.words import STOP, stem

_PLACES = {FILE: 2.5, DIRECTORY: 2.5, EXTENSION: 2.5, NUMBER: 1.0, WORD: 0.0}
_UNSEEN, _UNSEEN_STOP = 0.8, 0.2
_STOP_SHARE = 0.25
_PAIRS = 0.15
_STEMMED_STOP = STOP | {stem(word) for word in STOP}


@attrs.define(frozen=True, kw_only=True)
class Ranking:
    """Templates with the weights of their terms; `vocabulary` holds the terms that any of them uses."""

    templates: tuple[Template, ...]
    weights: dict[str, float]

    @property
    def vocabulary(self) -> frozenset[str]:
        """The terms that some template uses."""
        return frozenset(self.weights)

    def similarity(self, request: Sequence[str], template: Template) -> float:
        """0 (nothing in common) to 1 (the same terms in the same order)."""
        asked, known = set(request), set(template.terms)
        common = sum(self._weight(term) ** 2 for term in asked & known)
        common += sum(self._slip(term, known - asked) for term in asked - known)
        size = math.sqrt(sum(self._weight(t) ** 2 for t in asked) * sum(self._weight(t) ** 2 for t in known))
        return (1 - _PAIRS) * common / max(size, 0.1) + _PAIRS * _pairs_in_common(request, template.terms)

    def _weight(self, term: str) -> float:
        known = self.weights.get(term)
        return known if known is not None else _UNSEEN_STOP if term in _STEMMED_STOP else _UNSEEN

    def _slip(self, term: str, known: set[str]) -> float:
        """The weight of a known term that this one is likely a misspelling of, 0 where there is none."""
        if term in self.weights or len(term) < 5:
            return 0.0
        near = get_close_matches(term, [other for other in known if len(other) > 4], 1, 0.85)
        return 0.7 * self._weight(near[0]) ** 2 if near else 0.0


def ranking(templates: Sequence[Template]) -> Ranking:
    """Weighs the terms: the fewer templates use one, the more it says; common words of English say little."""
    counts = Counter(term for template in templates for term in set(template.terms))
    weights = {term: math.log(1 + len(templates) / count) for term, count in counts.items()}
    for term in weights:
        if term in _STEMMED_STOP:
            weights[term] *= _STOP_SHARE
    return Ranking(templates=tuple(templates), weights={**weights, **{k: v for k, v in _PLACES.items() if k in counts}})


def _pairs_in_common(one: Sequence[str], other: Sequence[str]) -> float:
    ours, theirs = _pairs(one), _pairs(other)
    return len(ours & theirs) / math.sqrt(len(ours) * len(theirs))


def _pairs(terms: Sequence[str]) -> set[tuple[str, str]]:
    framed = ["^", *terms, "$"]
    return set(pairwise(framed))
