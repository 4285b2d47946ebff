"""The context policy `change-me`: the model sees the last turns of a session."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from attrs import field, frozen, validators
from codetether import ContextPolicySpec, Message, SettingsSpec, hookimpl

NAME = "change-me"


@frozen(kw_only=True)
class LastTurnsSettings:
    """`[plugins.change-me]`: how many turns the model sees."""

    turns: int = field(default=20, validator=validators.ge(1))


class LastTurns:
    """Cuts before a message of the user, so that no tool result loses its call."""

    def __init__(self, turns: int) -> None:
        self._turns = turns

    async def choose(self, history: Sequence[Message]) -> Sequence[Message]:
        """The messages of the last turns: the very same objects, so that each is rendered once only."""
        starts = [index for index, message in enumerate(history) if message.role == "user"]
        return history[starts[-self._turns] :] if len(starts) > self._turns else history


@hookimpl
def codetether_settings() -> Iterable[SettingsSpec]:
    """What `[plugins.change-me]` may hold."""
    yield SettingsSpec(cls=LastTurnsSettings)


@hookimpl
def codetether_context_policies() -> Iterable[ContextPolicySpec]:
    """One policy; the next one, by (place, name), is given what it chose."""
    yield ContextPolicySpec(name=NAME, create=lambda ctx: LastTurns(ctx.settings.turns))
