"""Which hosts a command may reach: names compared label by label, never by pieces of text."""

from __future__ import annotations

import re
from collections.abc import Iterable

from attrs import frozen
from codetether import ExecutorError

_NAME = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)(\.(?!-)[a-z0-9-]{1,63}(?<!-))*")
_NUMBER = re.compile(r"(0x[0-9a-f]*|[0-9]+)")


@frozen(kw_only=True)
class Host:
    """One allowed host: a name, whether all below it count too, and a port."""

    name: str
    below: bool
    port: int

    def fits(self, name: str, port: int) -> bool:
        """Whether a plain name and port are this one."""
        if port != self.port:
            return False
        return name.endswith(f".{self.name}") if self.below else name == self.name


def plain_name(name: str) -> str | None:
    """A name as it is compared: lower case, without the last dot; None for addresses and for what is no name."""
    folded = name.lower().removesuffix(".")
    if not folded.isascii() or len(folded) > 253 or not _NAME.fullmatch(folded):
        return None
    return None if _NUMBER.fullmatch(folded.rpartition(".")[2]) else folded


def allowed_hosts(written: Iterable[str]) -> tuple[Host, ...]:
    """The hosts of the settings. Raises ExecutorError for one that is no name."""
    return tuple(_host(each) for each in written)


def _host(written: str) -> Host:
    name, _, port = written.partition(":")
    below = name.startswith("*.")
    plain = plain_name(name.removeprefix("*."))
    number = int(port) if port.isdecimal() and port.isascii() else 443 if not port else 0
    if plain is None or "." not in plain or not 0 < number < 65536:
        remedy = "Write a name, *.name for all below it, and a port where it is not 443."
        raise ExecutorError(f"{written!r} in [plugins.sandbox] hosts is no host", remedy=remedy)
    return Host(name=plain, below=below, port=number)


def may_reach(hosts: Iterable[Host], name: str, port: int) -> str | None:
    """The plain name, where one of the hosts fits it; None where none does."""
    plain = plain_name(name)
    return plain if plain is not None and any(host.fits(plain, port) for host in hosts) else None
