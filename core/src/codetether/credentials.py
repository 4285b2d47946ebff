"""Where keys come from: the allowed credential sources as one chain."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from codetether.errors import CredentialError, PluginError
from codetether.models.providers import Secret
from codetether.plugins.boundary import BROKEN, asked, reason_of
from codetether.protocols import CredentialSource, CredentialStore

CREDENTIAL_LIMIT = 30.0
"""Seconds that one source of credentials may take for one secret."""
_SOURCES = re.compile(r"; (?=[\w.-]+: )")
_LONG = 60


class Chain:
    """The allowed credential sources, asked in order; the first that has the secret counts.

    Attributes:
        sources: by name, in the order in which they are asked.
    """

    def __init__(self, sources: Sequence[tuple[str, Any]], learn: Any = None) -> None:
        self.sources: Mapping[str, CredentialSource] = dict(sources)
        self._learn = learn

    def stores(self) -> dict[str, CredentialStore]:
        """Those that can be written, in the same order."""
        return {name: source for name, source in self.sources.items() if isinstance(source, CredentialStore)}

    async def get(self, provider: str, names: Sequence[str] = ()) -> Secret | None:
        """The first secret found; `names` are the variables that may hold its key."""
        secret, _ = await self.look(provider, names)
        return secret

    async def look(self, provider: str, names: Sequence[str]) -> tuple[Secret | None, list[str]]:
        """The first secret found, and what the sources before it said."""
        said: list[str] = []
        for name in self.sources:
            found = await self.ask(name, provider, names)
            if isinstance(found, Secret):
                return found, said
            said.append(f"{name}: {found}")
        return None, said

    async def ask(self, name: str, provider: str, names: Sequence[str]) -> Secret | str:
        """What one source has for the provider, or why it gives nothing."""
        try:
            secret = await asked(self.sources[name].get, provider, names, limit=CREDENTIAL_LIMIT)
            if not isinstance(secret, Secret | None):
                raise PluginError(f"gave {type(secret).__name__}, not a Secret")
        except BROKEN as error:  # one source's failure must not hide the next: it is listed with its words
            return _said_by(error)
        if secret is None:
            return f"{', '.join(names)} not set" if name == "env" and names else "has none"
        if self._learn is not None:
            self._learn(provider, secret)
        return secret

    async def kept(self) -> tuple[dict[str, tuple[str, ...]], dict[str, str]]:
        """The providers that each source says it has, and why a source could not say."""
        kept, failed = {}, {}
        for name, source in self.sources.items():
            try:
                kept[name] = tuple(map(str, await asked(source.list, limit=CREDENTIAL_LIMIT)))
            except BROKEN as error:  # the others can tell all the same
                failed[name] = _said_by(error)
        return kept, failed


def told_once(reasons: Sequence[str]) -> tuple[list[str], list[str]]:
    """The reasons without what all of them say, and without long words that several say; then those words, once."""
    split = [_SOURCES.split(reason) for reason in reasons]
    several = [set(pieces) for pieces in split if len(pieces) > 1]
    common = set.intersection(*several) if len(several) > 2 else set()
    shared = [piece for piece in max(split, key=len, default=[]) if piece in common]
    split = [[piece for piece in pieces if piece not in common] or pieces for pieces in split]
    counts = Counter(piece for pieces in split for piece in set(pieces))
    often = {
        piece: f"{piece.partition(': ')[0]}: see below" for piece, n in counts.items() if n > 1 and len(piece) > _LONG
    }
    told = ["; ".join(often.get(piece, piece) for piece in pieces) for pieces in split]
    return told, [*([f"asked for all of them: {'; '.join(shared)}"] if shared else []), *sorted(often)]


def _said_by(error: BaseException) -> str:
    if not isinstance(error, CredentialError):
        return reason_of(error)
    return f"{error.message} ({error.remedy})" if error.remedy else error.message
