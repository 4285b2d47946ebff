"""Where a GitHub has what Copilot needs: github.com, or an enterprise's own."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from attrs import frozen
from codetether import UsageError

PUBLIC = "https://github.com"
MODELS = "https://api.githubcopilot.com"
"""Where the models are until a token says where they are for this account."""
_DOMAINS = ("github.com", "githubcopilot.com", "ghe.com")
"""GitHub's own: what is below them is as trustworthy as they are."""


@frozen(kw_only=True)
class GitHub:
    """One GitHub.

    Attributes:
        url: of its web pages, without a path, e.g. `https://github.com` or `https://octocorp.ghe.com`.
    """

    url: str = PUBLIC

    @property
    def public(self) -> bool:
        """Whether it is github.com itself."""
        return self.url == PUBLIC

    @property
    def api(self) -> str:
        """Its REST API: on a host of its own, or below a path where there can be no such host."""
        parts = urlsplit(self.url)
        if _nameless(parts.hostname or ""):
            return f"{self.url}/api/v3"
        return f"{parts.scheme}://api.{parts.netloc}"

    @property
    def models(self) -> str:
        """Where its models are if its tokens do not say."""
        parts = urlsplit(self.url)
        if self.public or _nameless(parts.hostname or ""):
            return MODELS if self.public else self.url
        return f"{parts.scheme}://copilot-api.{parts.netloc}"

    def serves(self, url: str) -> bool:
        """Whether an account's models may be there: on a host of GitHub's, or of this one, over TLS where it has it."""
        try:
            own, parts = urlsplit(self.url), urlsplit(url)
            host = (parts.hostname or "").lower()
        except ValueError:  # it is no URL
            return False
        if parts.username is not None or parts.password is not None:
            return False
        if parts.scheme == "https" and _below(host, *_DOMAINS):
            return True
        return parts.scheme in ("https", own.scheme) and _below(host, own.hostname or "")


def enterprise(url: str) -> GitHub:
    """The GitHub at the URL of an enterprise, `octocorp.ghe.com` for short. Raises UsageError for what is none."""
    whole = (url if "://" in url else f"https://{url}").strip()
    try:
        parts = urlsplit(whole)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        host, port, parts = "", None, urlsplit("")
    if not host or parts.scheme not in ("http", "https") or parts.username is not None or parts.password is not None:
        raise UsageError("that is no URL of a GitHub Enterprise", remedy="e.g. https://octocorp.ghe.com")
    if parts.scheme == "http" and not _loopback(host):
        raise UsageError(f"the GitHub Enterprise at {host} has to be asked over https://", remedy=f"https://{host}")
    shown = f"[{host}]" if ":" in host else host.removeprefix("www.")
    return GitHub(url=f"{parts.scheme}://{shown}{f':{port}' if port else ''}")


def of_github(url: str) -> bool:
    """Whether the URL leads to a host of GitHub's own, over TLS."""
    return GitHub().serves(url)


def _below(host: str, *domains: str) -> bool:
    return any(host == domain or host.endswith(f".{domain}") for domain in domains)


def _nameless(host: str) -> bool:
    """Whether no host can be below it."""
    return host == "localhost" or _address(host) is not None


def _loopback(host: str) -> bool:
    address = _address(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
