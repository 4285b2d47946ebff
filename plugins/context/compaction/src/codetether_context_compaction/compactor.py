"""When a history is compacted, and how far: old tool results are cut first, then all that is older is summarised."""

from __future__ import annotations

from collections.abc import Sequence

from codetether import Compacted, ContextFull, Message, ModelRef, SessionContext, Why, Window, estimated_tokens

from codetether_context_compaction.history import CHARACTERS, SMALL, cut, question, tail_start
from codetether_context_compaction.summary import is_stand_in, stand_in, summarised

UNKNOWN_CONTEXT = 128_000
"""Tokens that a model is taken to have, where nobody knows and a compaction is wanted all the same."""
REGROWTH = 0.05
"""The share of the context by which a history must have grown before it is compacted once more."""
ENOUGH = 0.6
"""Cutting old results is enough where the history then takes no more than this share of what it may."""
LEAST, MOST = 0.2, 1.5
"""A provider's count is believed between so many times our estimate, and so many times the model's context."""
BIGGER = "Go on with a model that takes more (--model), or in a new session."


class SummaryCompactor:
    """Keeps the history within a share of the model's context. A step adds up only the messages that are new."""

    def __init__(self, ctx: SessionContext) -> None:
        self._ctx = ctx
        self._settings = ctx.core.context
        self._overhead = 0
        self._tried = 0
        self._count, self._tokens = 0, 0
        self._known: Compacted | None = None

    async def choose(self, history: Sequence[Message]) -> Sequence[Message]:
        """The history as it is: what stands for its beginning stands in it."""
        return history

    async def compact(self, window: Window, why: Why) -> Compacted | None:
        """A shorter history, where it fills more than its share of the context or is to be shorter anyway."""
        context = window.limits.context or (0 if why == "threshold" else UNKNOWN_CONTEXT)
        if not context or not window.messages:
            return None
        size = self._size(window, context)
        limit = int(context * self._settings.threshold)
        if why == "threshold" and (size <= limit or size - self._floor(window) < context * REGROWTH):
            return None
        self._tried = size
        full = min(limit, size)
        room = max(full - self._overhead, full // 4)
        messages, index = await self._shorter(window, room, why)
        after = self._overhead + _tokens(messages) + _tokens(window.messages[index:])
        if after >= size or after > context:
            if why != "threshold":
                return None
            raise ContextFull(
                f"the history takes about {size:,} of the {context:,} tokens that {window.model} takes, "
                f"and {after:,} when compacted: its last step is too long",
                remedy=BIGGER,
            )
        self._tried = 0
        return Compacted(until=window.until(index), messages=messages, why=why, tokens_before=size, tokens_after=after)

    def _size(self, window: Window, context: int) -> int:
        """Tokens of the next request: as the provider counted the last, with an estimate of what is new."""
        estimate = self._estimate(window)
        new = _tokens(window.messages[len(window.messages) - window.unmeasured :])
        if LEAST * (estimate - new) <= window.measured <= MOST * context and window.measured:
            self._overhead = max(window.measured - (estimate - new), 0)
            return window.measured + new
        return estimate + self._overhead

    def _estimate(self, window: Window) -> int:
        """The estimate for all messages; only those are looked at that came since the last time."""
        if window.compaction is not self._known:
            self._known, self._count, self._tokens = window.compaction, 0, 0
        self._tokens += _tokens(window.messages[self._count :])
        self._count = len(window.messages)
        return self._tokens

    def _floor(self, window: Window) -> int:
        """What the history came to when it was last compacted, or could not be."""
        return max(self._tried, window.compaction.tokens_after if window.compaction else 0)

    async def _shorter(self, window: Window, room: int, why: Why) -> tuple[tuple[Message, ...], int]:
        """What shall stand for the messages before an index, and that index."""
        history = window.messages
        start = tail_start(history, self._settings.keep, room // 2)
        old, index = tuple(cut(message, SMALL) for message in history[:start]), start
        if why == "asked" or _tokens(old) + _tokens(history[start:]) > room * ENOUGH:
            if any(not is_stand_in(message) for message in history[:start]):
                old = (await self._summary(window, start, room), *question(history, start))
            last = history[start:]
            if _tokens(old) + _tokens(last) > room:  # the last step's own results are too long
                each = room // (2 * max(sum(message.role == "tool" for message in last), 1))
                old, index = old + tuple(cut(message, each) for message in last), len(history)
        kept = max(index, window.stand_ins)
        return old + history[index:kept], kept

    async def _summary(self, window: Window, start: int, room: int) -> Message:
        """A message in the place of those before `start`."""
        wish = self._settings.model
        model = ModelRef(provider=wish.partition("/")[0], model=wish.partition("/")[2]) if wish else window.model
        summary = await summarised(self._ctx, window.messages[:start], model, room * CHARACTERS * 3 // 4)
        said = self._ctx.session.messages[: window.until(max(start, window.stand_ins))]
        return stand_in(summary, said, room * CHARACTERS // 8)


def _tokens(messages: Sequence[Message]) -> int:
    return sum(map(estimated_tokens, messages))
