"""Reads the address of a page: one meaning, or none."""

from __future__ import annotations

import re
import socket
from ipaddress import IPv6Address
from typing import TYPE_CHECKING

from attrs import frozen

from codetether_tools_web.failures import Refused

if TYPE_CHECKING:
    import httpx

LONGEST = 8192
PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*")
_NUMERIC = re.compile(r"(.*\.)?(0x[0-9a-f]*|[0-9]+)")
_ODD = re.compile(r"[\x00-\x1f\x7f-\xa0\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff\\]")


@frozen(kw_only=True)
class Target:
    """Where a request goes.

    Attributes:
        host: in lower case, ASCII (`xn--…`), without a dot at its end; an address in its usual spelling.
        path: with the query, as it is sent.
    """

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """The host as rules and headers name it: with the port where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def place(self) -> str:
        """`host:port`, whatever the port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def origin(self) -> tuple[str, str, int]:
        """Scheme, host and port."""
        return self.scheme, self.host, self.port

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"

    def join(self, reference: str) -> Target:
        """Where a link or a redirect on this page leads. Raises Refused."""
        import httpx

        try:
            return read_target(str(httpx.URL(str(self)).join(_clean(reference))))
        except httpx.InvalidURL as error:
            raise Refused(f"{_shown(reference)} is no address of a page: {error}") from error


def read_target(text: str) -> Target:
    """The target that the text names. Raises Refused for what could be read in two ways, or leads elsewhere."""
    import httpx

    text = _clean(text)
    try:
        url = httpx.URL(text)
        host, port = _host(url), url.port
    except (httpx.InvalidURL, UnicodeError, ValueError) as error:
        raise Refused(f"{_shown(text)} is no address of a page: {error}") from error
    if url.scheme not in PORTS:
        raise Refused(f"{_shown(text)} is not fetched: only http:// and https:// are")
    if url.userinfo:
        raise Refused("a name or password before the host is not sent: write the address without what stands before @")
    if not host:
        raise Refused(f"{_shown(text)} names no host")
    port = PORTS[url.scheme] if port is None else port
    if not 0 < port < 65536:
        raise Refused(f"{port} is no port; there are 1 to 65535")
    return Target(scheme=url.scheme, host=host, port=port, path=url.raw_path.decode("ascii") or "/")


def _clean(text: str) -> str:
    text = text.strip(" \t\r\n")
    if len(text) > LONGEST:
        raise Refused(f"the address has {len(text)} characters, more than {LONGEST}")
    if odd := _ODD.search(text.partition("#")[0]):
        raise Refused(f"the address holds the character U+{ord(odd[0]):04X}; write it without, or percent-encoded")
    return text


def _host(url: httpx.URL) -> str:
    """The host in its one spelling. Raises ValueError for what is none."""
    host = url.raw_host.decode("ascii").lower()
    if "%" in host:  # percent-encoding, or the interface behind an address: neither is anybody's to choose
        raise ValueError(f"{host!r} is no host name")
    if ":" in host:
        return str(IPv6Address(host))
    host = host.removesuffix(".")
    if _NUMERIC.fullmatch(host):  # 127.1, 0x7f000001, 2130706433: as the system's resolver would read it
        try:
            return socket.inet_ntoa(socket.inet_aton(host))
        except OSError as error:
            raise ValueError(f"{host} is no address") from error
    if host and not _HOST.fullmatch(host):
        raise ValueError(f"{host!r} is no host name")
    return host


def _shown(text: str) -> str:
    return ascii(text if len(text) <= 200 else f"{text[:200]}…")
