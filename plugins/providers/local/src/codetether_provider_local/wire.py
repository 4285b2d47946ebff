"""The wire llama-cpp: connections to models that run in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from types import TracebackType

from codetether import CompletionRequest, ModelNotFound, PluginContext, Provider, StreamChunk
from codetether_llama import Engine, engine, inspect

from codetether_provider_local import plain
from codetether_provider_local.settings import DEFAULT_MODEL, LocalSettings
from codetether_provider_local.store import ModelFiles
from codetether_provider_local.tiny.profile import TinyProfile

_TINY = 400_000_000
_TINY_NOTICE = (
    "{name} is a tiny model: it does one thing at a time, and its sentences are often wrong; "
    "for real work add a key (codetether providers) or name a larger GGUF file (-m local//path/to/model.gguf)"
)


class LlamaWire:
    """Makes connections; holds the engines that were used, so that the next session finds them loaded."""

    def __init__(self, ctx: PluginContext) -> None:
        self._ctx = ctx
        self._files = ModelFiles(ctx)
        self._profiles: dict[str, tuple[Engine, TinyProfile | None]] = {}
        self._opening = asyncio.Lock()

    async def __aenter__(self) -> LlamaWire:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._profiles.clear()

    async def connect(self, provider: Provider) -> LlamaConnection:
        """A connection; the model is fetched and loaded when it is first asked."""
        return LlamaConnection(self)

    async def profile(self, name: str) -> tuple[Engine, TinyProfile | None]:
        """The engine of a model, and how to help it where it is tiny.

        Raises ModelNotFound, InvalidRequest for a bad file, ConnectionFailed when it cannot be fetched.
        """
        async with self._opening:
            if name not in self._profiles:
                self._profiles[name] = await self._opened(name)
        return self._profiles[name]

    async def _opened(self, name: str) -> tuple[Engine, TinyProfile | None]:
        settings: LocalSettings = self._ctx.settings or LocalSettings()
        path = await self._path(name)
        model = await asyncio.to_thread(inspect, path)
        found = engine(model, settings.context, settings.threads)
        tiny = settings.profile == "tiny" or (settings.profile == "auto" and model.parameters < _TINY)
        if tiny:
            self._ctx.notice(_TINY_NOTICE.format(name=path.stem))
        return found, TinyProfile(found) if tiny else None

    async def _path(self, name: str) -> Path:
        if "/" in name or name.lower().endswith(".gguf"):
            return Path(name).expanduser()
        known = {model.name: model for model in self._files.list()}
        if name not in known:
            raise ModelNotFound(
                f"no local model {name!r}; there are: {', '.join(known)}",
                remedy='name a file (-m local//path/to/model.gguf), or set plugins.local.models."NAME" to one',
            )
        if not known[name].present and name == DEFAULT_MODEL:
            return (await self._files.fetched()).path
        return known[name].path


class LlamaConnection:
    """A session's line to the models in this process."""

    def __init__(self, wire: LlamaWire) -> None:
        self._wire = wire

    async def stream(self, request: CompletionRequest) -> AsyncGenerator[StreamChunk, None]:
        """The answer in chunks, text as it comes. Raises ContextOverflow and other ProviderErrors."""
        engine, tiny = await self._wire.profile(request.model.model)
        chunks = tiny.answer(request) if tiny is not None else plain.answer(engine, request)
        try:
            async for chunk in chunks:
                yield chunk
        finally:
            await chunks.aclose()
