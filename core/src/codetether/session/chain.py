"""The lines of a session to its models: the first, those that follow it, those that are asked aside."""

from __future__ import annotations

from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING

from attrs import field

from codetether.errors import CodetetherError
from codetether.models.completion import ModelRef
from codetether.session.asking import Line
from codetether.values import define

if TYPE_CHECKING:
    from codetether.runtime import Runtime


@define(kw_only=True)
class Chain:
    """The lines of a session: the first, and those that follow when it fails, connected only then.

    Attributes:
        left: models and wishes that were not asked yet; one that cannot be had is passed over, said.
    """

    runtime: Runtime
    stack: AsyncExitStack
    first: Line
    left: list[ModelRef | str]
    others: dict[ModelRef, Line] = field(factory=dict)

    async def other(self, ref: ModelRef) -> Line:
        """The line to a model that is asked aside, e.g. for a summary."""
        if ref not in self.others:
            self.others[ref] = await line_to(self.runtime, ref, self.stack)
        return self.others[ref]

    async def following(self) -> Line | None:
        """The next line, None where none is left."""
        while self.left:
            wish = self.left.pop(0)
            try:
                ref = await self.runtime.resolve(wish) if isinstance(wish, str) else wish
                if ref != self.first.ref:
                    return await line_to(self.runtime, ref, self.stack)
            except CodetetherError as error:
                self.runtime.notify("", f"no fallback to {wish}: {error.message}")
        return None


async def line_to(runtime: Runtime, ref: ModelRef, stack: AsyncExitStack) -> Line:
    """A line to the model that lives as long as the stack."""
    connection = await runtime.connect(await runtime.catalog.provider(ref.provider, ref.model), stack)
    connection = runtime.paces.paced(ref.provider, runtime.catalog.configured(ref.provider), connection)
    defaults = runtime.catalog.defaults(ref)
    return Line(
        ref=ref,
        connection=connection,
        sampling=defaults.sampling,
        native_calls=defaults.capabilities.get("tool_call", True),
        native_schema=defaults.capabilities.get("structured_output", False),
        priced=partial(runtime.catalog.priced, ref),
        limits=defaults.limits,
    )
