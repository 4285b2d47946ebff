"""One source for each promise of credential sources."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from codetether import CredentialSourceSpec, PluginContext, Secret
from codetether.testing.trials import SecretTrial, Trials

from tests.kit.broken import breaking

LOG = logging.getLogger("codetether.tests.broken")
VALUE = "sk-probe-0123456789"


class Variables:
    """A source that keeps every promise."""

    def __init__(self, ctx: PluginContext) -> None:
        self.ctx = ctx

    async def get(self, provider: str, names: Sequence[str]) -> Secret | None:
        for name in names:
            if value := os.environ.get(name):
                return self.secret(name, value)
        return None

    def secret(self, name: str, value: str) -> Secret:
        """What is given."""
        return Secret(values={"api_key": value}, source=f"env:{name}")

    async def list(self) -> Sequence[str]:
        return ()


class Empty(Variables):
    async def get(self, provider: str, names: Sequence[str]) -> Secret | None:
        return await super().get(provider, names) or (Secret(values={}) if names else None)


class Misnaming(Variables):
    def secret(self, name: str, value: str) -> Secret:
        return Secret(values={"key": value}, source=name)


class Talking(Variables):
    def secret(self, name: str, value: str) -> Secret:
        LOG.debug("found %s", value)
        return super().secret(name, value)


class Literal(Variables):
    """Takes the provider's name for the name of a file."""

    async def get(self, provider: str, names: Sequence[str]) -> Secret | None:
        with Path("/nowhere", provider, "key").open() if "\0" in provider else Path("/dev/null").open():
            return await super().get(provider, names)


class Mute(Variables):
    """Cannot read its file, and says that it has nothing."""

    async def get(self, provider: str, names: Sequence[str]) -> Secret | None:
        path = Path(os.environ.get("PROBE_FILE", "/nowhere"))
        if provider == "probe" and path.is_file():
            return self.secret("file", path.read_text())
        return None


class Telling(Variables):
    async def list(self) -> Sequence[str]:
        return [value for name, value in os.environ.items() if name.endswith("_API_KEY")]


def source(cls: type[Any], trials: Trials | None = None) -> Any:
    """A plugin with such a source."""
    return breaking("credential_sources", CredentialSourceSpec(name="probe", create=cls), trials)


def prepare(directory: Path) -> None:
    """A key in a file."""
    os.environ["PROBE_FILE"] = str(directory / "key")
    (directory / "key").write_text(VALUE)


def spoil(directory: Path) -> None:
    """A folder in the place of the file."""
    (directory / "key").unlink()
    (directory / "key").mkdir()


FILE = Trials(
    secret=SecretTrial(provider="probe", value=VALUE, prepare=prepare, spoil=spoil),
)
BROKEN: dict[str, Any] = {
    "what it has not is none": source(Empty),
    "what it has is given": source(Misnaming),
    "no value is shown": source(Talking),
    "odd names are refused quietly": source(Literal),
    "a failure is a CredentialError": source(Mute, FILE),
    "its list names providers": source(Telling),
}
