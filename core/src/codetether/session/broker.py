"""Lets tools use secrets that the model only names: who gets which, and for what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from attrs import field

from codetether.errors import CredentialError, UsageError
from codetether.models.providers import Secret
from codetether.models.tools import Resources
from codetether.permissions.patterns import name_pattern
from codetether.record.forms import common
from codetether.record.redact import Redactor
from codetether.settings.core import SecretSettings
from codetether.values import frozen


class _Sources(Protocol):
    async def look(self, provider: str, names: Sequence[str]) -> tuple[Secret | None, list[str]]: ...


class _Nowhere:
    async def look(self, provider: str, names: Sequence[str]) -> tuple[Secret | None, list[str]]:
        """Outside of a session no source is asked."""
        return None, []


@frozen(kw_only=True)
class Broker:
    """Hands out the secrets of `[secrets]`, each only for the commands and hosts that its table names."""

    secrets: Mapping[str, SecretSettings] = field(factory=dict)
    credentials: _Sources = field(factory=_Nowhere)
    redactor: Redactor = field(factory=Redactor)

    def check(self, resources: Resources) -> None:
        """Raises UsageError where a secret of the resources is not for one of their commands or hosts."""
        for name in resources.secrets:
            secret = self._known(name)
            for command in resources.commands:
                _check_command(name, secret, command)
            for host in resources.hosts:
                _check_host(name, secret, host)
            if not (resources.commands or resources.hosts):
                raise UsageError(f"the secret {name} is for commands or hosts, and none is named")

    async def environment(self, names: Sequence[str]) -> dict[str, str]:
        """The variables for a command: in each the value of a secret. Raises CredentialError where nobody has it."""
        return {self._known(name).variable or name: await self._value(name) for name in names}

    async def headers(self, names: Sequence[str]) -> dict[str, str]:
        """The headers for a host."""
        settings = {name: self._known(name) for name in names}
        return {s.header: s.form.replace("{}", await self._value(name)) for name, s in settings.items()}

    def _known(self, name: str) -> SecretSettings:
        if name not in self.secrets:
            there = ", ".join(self.secrets) or "none"
            raise UsageError(f"there is no secret {name!r}", remedy=f"Those of [secrets]: {there}.")
        return self.secrets[name]

    async def _value(self, name: str) -> str:
        settings = self._known(name)
        secret, said = await self.credentials.look(settings.credential or name.lower(), (settings.env or name,))
        value = secret and secret.get(settings.value)
        if not value:
            raise CredentialError(
                f"no source has the secret {name}: {'; '.join(said) or f'it has no {settings.value}'}",
                remedy=f"Set the variable {settings.env or name}, or name its credential in [secrets.{name}].",
            )
        if common(value):
            raise CredentialError(
                f"the secret {name} is too short or too common a word to be kept out of what the model reads",
                remedy="Choose a longer one.",
            )
        self.redactor.add(value, name)
        return value


def _check_command(name: str, secret: SecretSettings, command: str) -> None:
    from codetether.permissions.shell import read_line

    line = read_line(command)
    prefixes = [tuple(prefix.split()) for prefix in secret.commands]
    if not line.parts:
        raise UsageError(
            f"the secret {name} is given to simple commands only, and this line is none: {line.why}",
            remedy=f"Run {_listed(secret.commands)} by itself.",
        )
    for part in line.parts:
        if part.words[0] != "cd" and not any(part.words[: len(prefix)] == prefix for prefix in prefixes):
            raise UsageError(
                f"the secret {name} is not for the command {part.text!r}",
                remedy=f"It is for {_listed(secret.commands)}: [secrets.{name}] commands.",
            )


def _check_host(name: str, secret: SecretSettings, host: str) -> None:
    plain = host.casefold().rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host.casefold()
    if not any(name_pattern(allowed.casefold()).fullmatch(plain) for allowed in secret.hosts):
        raise UsageError(
            f"the secret {name} is not for the host {host}",
            remedy=f"It is for {_listed(secret.hosts)}: [secrets.{name}] hosts.",
        )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "nothing yet"
