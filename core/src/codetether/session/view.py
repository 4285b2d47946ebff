"""What the model sees of a session: its history, compacted where that must be, as context policies choose it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from attrs import field

from codetether.errors import CodetetherError, ContextFull, PluginError
from codetether.models.events import Why
from codetether.models.messages import Message
from codetether.models.session import Compacted
from codetether.models.window import Window, is_paired
from codetether.plugins.boundary import BROKEN, asked
from codetether.protocols import Compactor, ContextPolicy
from codetether.session.asking import Line
from codetether.storage.journal import Journal
from codetether.values import define

HOOK = "codetether_context_policies"
PATIENCE = 900.0
"""Seconds that a compaction may take: a model may be writing it."""


@define(kw_only=True)
class View:
    """The history as a session's policies make it; `failed(plugin, hook, error)` is told of one that is broken."""

    journal: Journal
    policies: Sequence[tuple[str, ContextPolicy]]
    failed: Callable[[str, str, BaseException], None]
    compactors: list[tuple[str, Compactor]] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.compactors = [(name, policy) for name, policy in self.policies if isinstance(policy, Compactor)]

    async def messages(self) -> tuple[Message, ...]:
        """What is to be sent."""
        history: Sequence[Message] = self.journal.state.seen
        for name, policy in self.policies:
            try:
                chosen = tuple(await asked(policy.choose, history))
                if not all(isinstance(message, Message) for message in chosen):
                    raise PluginError("choose() gave something else than messages")
                history = chosen
            except BROKEN as error:  # a broken policy must not cost the turn: the history stays as it is, said
                self.failed(name, HOOK, error)
        return tuple(history)

    async def compaction(self, line: Line, why: Why) -> Compacted | None:
        """What the first compactor that sees a need makes of the history, checked; None where none does.

        Raises ContextFull where the history does not fit and cannot be made smaller; what else a compactor raises is
        reported, but raised where the user asked for the compaction.
        """
        for name, compactor in self.compactors:
            window = self.window(line)
            try:
                made = await asked(compactor.compact, window, why, limit=PATIENCE)
                if made is not None:
                    _check(made, window, self.journal.state.session.messages)
                    return made
            except ContextFull:
                raise
            except BROKEN as error:  # the history stays as it is; whether it fits, the provider will say
                if why == "asked" and isinstance(error, CodetetherError):
                    raise
                self.failed(name, HOOK, error)
        return None

    def window(self, line: Line) -> Window:
        """What the model of a line sees, and takes."""
        state = self.journal.state
        tokens, counted = state.measured or (0, len(state.session.messages))
        return Window(
            messages=state.seen,
            model=line.ref,
            limits=line.limits,
            compaction=state.compactions[-1] if state.compactions else None,
            measured=tokens,
            unmeasured=len(state.session.messages) - counted,
        )


def _check(made: Compacted, window: Window, history: tuple[Message, ...]) -> None:
    """Raises PluginError for what no model could be sent, ContextFull for what is no smaller."""
    if not isinstance(made, Compacted):
        raise PluginError(f"compact() gave {type(made).__name__}, not Compacted")
    least = window.compaction.until if window.compaction else 0
    if not least <= made.until <= len(history):
        raise PluginError(f"compact() stands for {made.until} messages, of {least} to {len(history)}")
    if not is_paired(made.messages + history[made.until :]):
        raise PluginError("compact() parts tool calls from their results")
    if made.tokens_after >= made.tokens_before:
        raise ContextFull(
            f"compaction does not make the history smaller: about {made.tokens_before:,} tokens became "
            f"{made.tokens_after:,}",
            remedy="Go on with a model that takes more (--model), or in a new session.",
        )
