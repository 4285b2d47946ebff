"""What went wrong with Vault, in words that say what to do next; none of them holds a secret."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from codetether import CredentialError

from codetether_credentials_vault.site import Site

_LONGEST = 200


class ProviderFailure(CredentialError):
    """One provider's secret cannot be had; the others may be there all the same."""


class ListDenied(CredentialError):
    """The folder may not be listed; what is in it may be readable by name."""


class Changed(CredentialError):
    """Somebody else wrote meanwhile."""


def denied(site: Site, path: str) -> str:
    """The message for a path that the token may not use."""
    return f"permission denied on {path}{_in_namespace(site)}"


def policy(path: str, *capabilities: str) -> str:
    """The remedy: the rule that the token's policy lacks."""
    listed = ", ".join(f'"{each}"' for each in capabilities)
    return f'the policy needs: path "{path}" {{ capabilities = [{listed}] }}'


def mount_missing(site: Site) -> CredentialError:
    """Nothing is mounted where the keys should be."""
    return CredentialError(
        f"nothing is mounted at {site.mount}/ of {site.shown}{_in_namespace(site)}",
        remedy="VAULT_MOUNT names a KV version 2 engine, VAULT_NAMESPACE the namespace that has it",
    )


def mount_of_another_kind(site: Site, kind: str) -> CredentialError:
    """Something else is mounted there."""
    remedy = "VAULT_MOUNT names a KV version 2 engine"
    if kind == "KV version 1":
        remedy += f", or `vault kv enable-versioning {site.mount}/` makes this one such"
    return CredentialError(f"{site.mount}/ of {site.shown} is {kind}, not KV version 2", remedy=remedy)


def foreign(site: Site) -> CredentialError:
    """Somebody else answers there."""
    from requests.utils import get_environ_proxies

    remedy = "VAULT_ADDR names the server alone, e.g. https://vault.example:8200"
    if site.proxy or get_environ_proxies(site.address):
        remedy = "a proxy stands between: NO_PROXY names hosts that need none"
    return CredentialError(f"{site.shown} does not answer as Vault does", remedy=remedy)


def silent(site: Site, seconds: float) -> CredentialError:
    """Nobody answers in time."""
    return CredentialError(
        f"{site.shown} is unreachable: no answer within {seconds:g} s",
        remedy="look at VAULT_ADDR and the network, or allow more: [plugins.vault] timeout",
    )


def from_server(error: Exception, site: Site, hidden: tuple[str, ...] = ()) -> CredentialError:
    """What an answer that is no success means for every question. `hidden`: what it may hold and nobody may see."""
    from hvac import exceptions

    said = words(error, hidden)
    match error:
        case exceptions.VaultDown() if "sealed" in said:
            return CredentialError(
                f"{site.shown} is sealed", remedy="whoever runs it unseals it: `vault operator unseal`"
            )
        case exceptions.VaultNotInitialized():
            return CredentialError(f"{site.shown} is not initialised", remedy="whoever runs it: `vault operator init`")
        case exceptions.RateLimitExceeded():
            return CredentialError(f"{site.shown} takes no more requests for now: {said}", remedy="try again later")
        case exceptions.InvalidPath() if "namespace not found" in said or "invalid namespace" in said:
            return CredentialError(
                f"{site.shown} has no namespace {site.namespace!r}", remedy="look at VAULT_NAMESPACE"
            )
        case exceptions.InvalidPath() if "no handler for route" in said:
            return mount_missing(site)
        case exceptions.InvalidRequest() if "HTTP request to an HTTPS server" in said:
            return CredentialError(f"{site.shown} speaks TLS", remedy="VAULT_ADDR begins with https://")
        case _:
            kind = type(error).__name__
            return CredentialError(f"{site.shown} failed: {said or kind}", remedy="whoever runs it sees why in its log")


def words(error: Exception, hidden: tuple[str, ...] = ()) -> str:
    """What the server said, on one line."""
    listed: Any = getattr(error, "errors", None)
    text = "; ".join(map(str, listed)) if isinstance(listed, list) else str(getattr(error, "text", "") or "")
    for secret in hidden:
        text = text.replace(secret, "…") if secret else text
    if text.lstrip().startswith("<"):  # a page of whatever stands before it
        return ""
    line = " ".join(text.split()).removeprefix("1 error occurred: * ")
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"


def from_network(error: Exception, site: Site, seconds: float) -> CredentialError:
    """Why no answer came at all; `seconds` is how long it was waited for."""
    from requests import exceptions

    why = _deepest(error)
    match error:
        case exceptions.ProxyError():
            return CredentialError(
                f"{site.shown} is unreachable: the proxy does not lead there: {why}",
                remedy="look at HTTPS_PROXY and HTTP_PROXY; NO_PROXY names hosts that need none",
            )
        case exceptions.SSLError():
            return _without_trust(site, why)
        case exceptions.Timeout():
            return silent(site, seconds)
        case exceptions.TooManyRedirects():
            why = "it redirects for ever"
    remedy = "look at VAULT_ADDR, the network and whether it runs"
    if "reset" in why.lower() and site.address.startswith("http:"):
        remedy = "does it speak TLS? then VAULT_ADDR begins with https://"
    return CredentialError(f"{site.shown} is unreachable: {why}", remedy=remedy)


def _without_trust(site: Site, why: str) -> CredentialError:
    lower = why.lower()
    if "wrong_version" in lower or "wrong version" in lower or "record layer" in lower:
        return CredentialError(f"{site.shown} speaks no TLS", remedy="is VAULT_ADDR an http:// one?")
    if "expired" in lower:
        remedy = "whoever runs it renews its certificate"
    elif "mismatch" in lower or "not valid for" in lower:
        remedy = "VAULT_ADDR names the host as the certificate does"
    elif "certificate required" in lower or "handshake" in lower:
        remedy = "it may ask for a certificate: VAULT_CLIENT_CERT and VAULT_CLIENT_KEY"
    else:
        remedy = "name the file of its CA: VAULT_CACERT=/path/ca.pem"
    return CredentialError(f"the certificate of {site.shown} is not trusted: {why}", remedy=remedy)


def _deepest(error: BaseException) -> str:
    """The operating system's or OpenSSL's own words, which libraries wrap up to five times."""
    import ssl

    found = ""
    for each in _within(error):
        if isinstance(each, ssl.SSLError):
            return str(getattr(each, "verify_message", "") or each.reason or each.args[-1]).replace("_", " ").lower()
        if isinstance(each, OSError) and each.strerror and not found:
            found = each.strerror
    return found or type(error).__name__


def _within(error: BaseException, depth: int = 8) -> Iterator[BaseException]:
    """The error and all that it carries, the innermost first."""
    if depth:
        inner = [error.__cause__, error.__context__, getattr(error, "reason", None), *error.args]
        for each in inner:
            if isinstance(each, BaseException) and each is not error:
                yield from _within(each, depth - 1)
    yield error


def _in_namespace(site: Site) -> str:
    return f" in the namespace {site.namespace}" if site.namespace else ""
