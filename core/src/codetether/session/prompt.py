"""Sections become the system prompt."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from codetether.errors import PluginError
from codetether.plugins.boundary import BROKEN, HOOK_LIMIT, asked
from codetether.protocols import PromptSection
from codetether.values import frozen


@frozen(kw_only=True)
class NamedSection:
    """A section with the place and name that order it, and the plugin that it comes from."""

    plugin: str
    name: str
    place: int
    section: PromptSection


async def render(sections: Sequence[NamedSection], failed: Callable[[str, str, BaseException], None]) -> str:
    """The sections that have something to say, in the order of (place, name), joined by blank lines.

    A section that raises is left out; `failed(plugin, name, error)` is told.
    """
    texts = []
    for item in sorted(sections, key=lambda s: (s.place, s.name)):
        try:
            text = await asked(item.section.render, limit=HOOK_LIMIT)
            if not isinstance(text, str | None):
                raise PluginError(f"render() gave {type(text).__name__}, not text")
        except BROKEN as error:  # a broken section must not cost the turn: it is left out, and said
            failed(item.plugin, item.name, error)
            continue
        if text and text.strip():
            texts.append(text.strip())
    return "\n\n".join(texts)
