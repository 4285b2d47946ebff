"""Where requests go: addresses below a base URL, as they are sent and as they may be shown."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from attrs import frozen
from codetether import UsageError

if TYPE_CHECKING:
    import httpcore

_PORTS = {"http": 80, "https": 443}
_NEEDED = "it needs http:// or https:// and a host"
_SENT_AS_IT_IS = "%/:?@!$&'()*+,;=~-._[]"


@frozen(kw_only=True)
class Target:
    """A URL as it is sent.

    Attributes:
        text: all of it. headers: those that it asks for: the host, and who asks where it names a user.
    """

    text: str
    url: httpcore.URL
    headers: dict[str, str]


def target(url: str) -> Target:
    """The URL as it is sent. Raises ValueError for one to which nothing can be sent."""
    import httpcore

    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError(_NEEDED)
    if not url.isprintable() or " " in parts.hostname:
        raise ValueError("it holds characters that cannot be sent")
    host = parts.hostname if parts.hostname.isascii() else parts.hostname.encode("idna").decode()
    port = None if parts.port == _PORTS[parts.scheme] else parts.port
    path = quote(parts.path or "/", safe=_SENT_AS_IT_IS)
    path += f"?{quote(parts.query, safe=_SENT_AS_IT_IS)}" if parts.query else ""
    place = (f"[{host}]" if ":" in host else host) + ("" if port is None else f":{port}")
    headers = {"host": place}
    if parts.username or parts.password:
        user = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
        headers["authorization"] = f"Basic {b64encode(user.encode()).decode()}"
    made = httpcore.URL(scheme=parts.scheme, host=host, port=port, target=path)
    return Target(text=f"{parts.scheme}://{place}{path}", url=made, headers=headers)


def proxy(url: str) -> str | None:
    """The proxy that the environment names for the URL; None for none."""
    from urllib.request import getproxies, proxy_bypass

    named, parts = getproxies(), urlsplit(url)
    found = named.get(parts.scheme) or named.get("all")
    if not found or proxy_bypass(parts.netloc.rpartition("@")[2]):
        return None
    return found if "://" in found else f"http://{found}"


def joined(base_url: str, address: str) -> str:
    """The address below the base URL; at the end stand the base URL's query, and the address's own."""
    parts = urlsplit(base_url)
    below, _, own = address.partition("?")
    path = parts.path.rstrip("/")
    query = "&".join(part for part in (parts.query, own) if part)
    return urlunsplit(parts._replace(path=path if path.endswith(below) else path + below, query=query))


def shown(url: str) -> str:
    """The URL as it may be shown: without a password, a query or a fragment."""
    try:
        parts = urlsplit(url)
    except ValueError:  # it is none
        return url.partition("?")[0].partition("#")[0].rpartition("@")[2]
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def check_base_url(name: str, base_url: str) -> None:
    """Raises UsageError for what no request can be sent to: asking again would not help."""
    try:
        parts = urlsplit(base_url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        why = "" if usable else _NEEDED
    except ValueError as error:
        why = str(error)
    if why:
        raise UsageError(
            f"{name}: the base URL {shown(base_url)!r} cannot be used: {why}",
            remedy=f"set it right where it comes from: a variable, the entry of the key, or "
            f"codetether config set providers.{name}.base_url https://…",
        )
