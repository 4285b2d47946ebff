"""Vault as it is spoken to: one thread at a time, its token kept alive, its failures in words."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import field, frozen
from codetether import JSON, CredentialError

from codetether_credentials_vault import failures
from codetether_credentials_vault.logins import GivenToken, Login, Wallet
from codetether_credentials_vault.site import Site

if TYPE_CHECKING:
    from requests import Response

T = TypeVar("T")

_SETTLED = 5.0
"""Seconds after which the life of a token that somebody gave us is looked up: a short run never needs to know it."""


@frozen(kw_only=True)
class Lease:
    """A token in use.

    Attributes:
        since, until: by the monotonic clock; `until` is None where it never ends, or where that is not known.
        known: whether `until` and `renewable` are.
    """

    token: str = field(repr=False)
    way: GivenToken | Login
    since: float
    until: float | None = None
    renewable: bool = False
    known: bool = True

    def due(self, now: float) -> bool:
        """Whether two thirds of its life are over."""
        return self.until is not None and now >= self.since + (self.until - self.since) * 2 / 3


@frozen(kw_only=True)
class Entry:
    """A provider's values as they are kept, None where there are none, and their version for the next write."""

    values: Mapping[str, Any] | None = field(repr=False)
    version: int


class Server:
    """The KV engine of one Vault. Blocks; every method raises CredentialError with what to do."""

    def __init__(self, site: Site, wallet: Wallet, timeout: float) -> None:
        """`timeout`: seconds for one request. Loads hvac, which takes a while."""
        self._timeout = timeout
        import hvac
        from hvac import exceptions

        self._refusals = (exceptions.Forbidden, exceptions.Unauthorized)
        self._answers = (*self._refusals, exceptions.InvalidRequest, exceptions.InvalidPath)
        self.site = site
        self._wallet = wallet
        self._lease: Lease | None = None
        proxies = {"http": site.proxy, "https": site.proxy} if site.proxy else None
        self._client = hvac.Client(
            url=site.address,
            token="",
            verify=site.verify,
            cert=site.cert,
            timeout=timeout,  # type: ignore[arg-type]  # requests takes fractions too
            proxies=proxies,
            namespace=site.namespace or None,
        )
        self._client.adapter.session.hooks["response"].append(self._guard)

    def close(self) -> None:
        """Lets its connections go."""
        self._client.adapter.close()

    def answer(self, question: Callable[[Server], T]) -> T:
        """What the question gives; a failure that nobody foresaw is in words too."""
        from hvac import exceptions

        try:
            return question(self)
        except exceptions.VaultError as error:
            raise failures.from_server(error, self.site, (self._client.token or "",)) from error
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise failures.foreign(self.site) from error

    def names(self) -> frozenset[str]:
        """The providers that are kept. Raises ListDenied where only reading by name is allowed."""
        from hvac import exceptions

        kv, site = self._client.secrets.kv.v2, self.site
        try:
            answer = self._authorised(lambda: kv.list_secrets(site.path, mount_point=site.mount))
        except exceptions.Forbidden as error:
            what, remedy = failures.denied(site, site.folder), failures.policy(f"{site.folder}/*", "list")
            raise failures.ListDenied(what, remedy=remedy) from error
        except exceptions.InvalidPath:
            self._check_mount()
            return frozenset()
        keys = self._data(answer).get("keys")
        if not isinstance(keys, list):
            raise failures.foreign(site)
        return frozenset(key for key in map(str, keys) if not key.endswith("/"))

    def read(self, provider: str) -> Entry:
        """What is kept of a provider. Raises ProviderFailure where this one cannot be had."""
        from hvac import exceptions

        kv, site = self._client.secrets.kv.v2, self.site
        try:
            answer = self._authorised(
                lambda: kv.read_secret_version(
                    self._path(provider), mount_point=site.mount, raise_on_deleted_version=False
                )
            )
        except exceptions.Forbidden as error:
            path = site.data(provider)
            raise failures.ProviderFailure(failures.denied(site, path), remedy=failures.policy(path, "read")) from error
        except exceptions.InvalidPath:
            return Entry(values=None, version=0)
        data = self._data(answer)
        metadata, values = data.get("metadata"), data.get("data")
        if not isinstance(metadata, Mapping) or not isinstance(values, Mapping | None):
            raise failures.foreign(site)
        return Entry(values=_tidied(values, site.data(provider)) if values else None, version=int(metadata["version"]))

    def write(self, provider: str, values: Mapping[str, JSON], version: int) -> int:
        """Writes the values in place of that version (0: there is none yet) and gives the new version.

        Raises Changed where another version is there by now.
        """
        from hvac import exceptions

        kv, site = self._client.secrets.kv.v2, self.site
        path = site.data(provider)
        try:
            answer = self._authorised(
                lambda: kv.create_or_update_secret(
                    self._path(provider), secret=dict(values), cas=version, mount_point=site.mount
                )
            )
        except exceptions.Forbidden as error:
            raise failures.ProviderFailure(
                failures.denied(site, path), remedy=failures.policy(path, "create", "update", "read")
            ) from error
        except exceptions.InvalidRequest as error:
            if "check-and-set" not in failures.words(error):
                raise failures.from_server(error, site) from error
            raise failures.Changed(
                f"{path} was changed by somebody else meanwhile, so nothing was written", remedy="try again"
            ) from error
        except exceptions.InvalidPath as error:
            raise failures.from_server(error, site) from error
        return int(self._data(answer)["version"])

    def delete(self, provider: str) -> None:
        """Deletes the version that counts, as `vault kv delete` does: it can be undone."""
        from hvac import exceptions

        kv, site = self._client.secrets.kv.v2, self.site
        try:
            self._authorised(lambda: kv.delete_latest_version_of_secret(self._path(provider), mount_point=site.mount))
        except exceptions.Forbidden as error:
            path = site.data(provider)
            raise failures.ProviderFailure(
                failures.denied(site, path), remedy=failures.policy(path, "delete")
            ) from error

    def _path(self, provider: str) -> str:
        return f"{self.site.path}/{provider}"

    def _check_mount(self) -> None:
        """Where the folder is not there: whether that is because of the mount. One request, where nothing is kept."""
        from hvac import exceptions

        try:
            answer = self._sent(lambda: self._client.adapter.get(f"/v1/sys/internal/ui/mounts/{self.site.mount}"))
        except (exceptions.Forbidden, exceptions.InvalidPath):  # it is not for this token to know
            return
        found = self._data(answer)
        kind, options = str(found.get("type", "")), found.get("options") or {}
        if kind not in ("kv", "generic", ""):
            raise failures.mount_of_another_kind(self.site, f"an engine of the kind {kind}")
        if kind == "generic" or (kind == "kv" and str(options.get("version", "1")) != "2"):
            raise failures.mount_of_another_kind(self.site, "KV version 1")

    def _data(self, answer: Any) -> Mapping[str, Any]:
        data = answer.get("data") if isinstance(answer, dict) else None
        if not isinstance(data, Mapping):
            raise failures.foreign(self.site)
        return data

    def _authorised(self, call: Callable[[], T]) -> T:
        """The call with a token that is good; once more after a new login where Vault takes it for none."""
        lease = self._ready()
        try:
            return self._sent(call)
        except self._refusals as error:
            if not self._refuses_token(error):
                raise
            self._lease = None
            way = self._wallet.way()
            if isinstance(way, GivenToken) and way.token == lease.token:
                raise CredentialError(
                    f"{self.site.shown} does not take the token of {way.place}: it is wrong, expired or revoked",
                    remedy="log in again (`vault login`, `bao login`), or look at VAULT_NAMESPACE",
                ) from error
        self._ready()
        return self._sent(call)

    def _refuses_token(self, error: Exception) -> bool:
        """Whether it was the token, and no policy."""
        from hvac import exceptions

        said = " ".join(map(str, getattr(error, "errors", None) or ()))
        if "invalid token" in said or isinstance(error, exceptions.Unauthorized):
            return True
        if "error occurred" in said:  # so policies are denied, while an unknown token gets bare words
            return False
        try:
            self._sent(self._client.auth.token.lookup_self)
        except exceptions.Forbidden:
            return True
        return False

    def _ready(self) -> Lease:
        """A token for the next request: got, renewed or got anew as its life asks for."""
        now, lease = time.monotonic(), self._lease
        if lease is None:
            lease = self._entered(self._wallet.way())
        elif not lease.known and now >= lease.since + _SETTLED:
            lease = self._looked_up(lease)
        if lease.due(now):
            lease = self._prolonged(lease)
        self._lease = lease
        self._client.token = lease.token
        return lease

    def _entered(self, way: GivenToken | Login) -> Lease:
        from hvac import exceptions

        now = time.monotonic()
        if isinstance(way, GivenToken):
            return Lease(token=way.token, way=way, since=now, known=False)
        self._client.token = ""
        place = f"{way.method} login at auth/{way.mount}"
        try:
            answer = self._sent(lambda: way.enter(self._client))
        except self._answers as error:
            said, remedy = failures.words(error, way.secrets), way.remedy
            if not isinstance(error, exceptions.InvalidRequest):  # so it is also where nothing is mounted
                remedy = f"is it mounted there (VAULT_AUTH_MOUNT, VAULT_NAMESPACE)? {remedy}"
            raise CredentialError(f"{place} of {self.site.shown} was refused: {said}", remedy=remedy) from error
        lease = self._leased(answer, way)
        if lease is None:
            raise failures.foreign(self.site)
        return lease

    def _looked_up(self, lease: Lease) -> Lease:
        self._client.token = lease.token
        try:
            data = self._data(self._sent(self._client.auth.token.lookup_self))
        except self._refusals:  # the request that follows tells whether it is still good
            return Lease(token=lease.token, way=lease.way, since=lease.since)
        ttl, now = _seconds(data.get("ttl")), time.monotonic()
        until = now + ttl if ttl else None
        began = until - max(_seconds(data.get("creation_ttl")), ttl) if until is not None else lease.since
        renewable = data.get("renewable") is True
        return Lease(token=lease.token, way=lease.way, since=began, until=until, renewable=renewable)

    def _prolonged(self, lease: Lease) -> Lease:
        """The token with a longer life; else a new one; else the same, for as long as it lasts."""
        from hvac import exceptions

        if lease.renewable:
            self._client.token = lease.token
            try:
                answer = self._sent(self._client.auth.token.renew_self)
            except (*self._refusals, exceptions.InvalidRequest):
                pass  # it is over, or at the end of what renewal can give
            else:
                longer = self._leased(answer, lease.way)
                if longer is not None and not _nearly_over(lease, longer):
                    return longer
        if isinstance(lease.way, Login):
            return self._entered(self._wallet.way())
        return lease

    def _leased(self, answer: Any, way: GivenToken | Login) -> Lease | None:
        auth = answer.get("auth") if isinstance(answer, dict) else None
        if not isinstance(auth, Mapping) or not isinstance(auth.get("client_token"), str):
            return None
        now, ttl = time.monotonic(), _seconds(auth.get("lease_duration"))
        until = now + ttl if ttl else None
        return Lease(
            token=auth["client_token"], way=way, since=now, until=until, renewable=auth.get("renewable") is True
        )

    def _sent(self, call: Callable[[], T]) -> T:
        """The call. What fails every question is in words; what depends on the question comes as it is."""
        from hvac import exceptions
        from requests import RequestException

        try:
            return call()
        except self._answers as error:
            said = failures.words(error)
            astray = isinstance(error, exceptions.InvalidPath) and ("namespace" in said or "no handler for" in said)
            if astray or "HTTP request to an HTTPS server" in said:
                raise failures.from_server(error, self.site) from error
            if not isinstance(error.json, dict):  # Vault never fails without an object
                raise failures.foreign(self.site) from error
            raise
        except exceptions.VaultError as error:
            raise failures.from_server(error, self.site, (self._client.token or "",)) from error
        except RequestException as error:
            raise failures.from_network(error, self.site, self._timeout) from error

    def _guard(self, response: Response, **_: Any) -> None:
        """A redirection to plain http would show the token to everybody on the way."""
        target = response.headers.get("location", "") if response.is_redirect else ""
        if self.site.address.startswith("https:") and target.lower().startswith("http:"):
            response.close()
            raise CredentialError(f"{self.site.shown} redirects to plain http, which would show the token")


def _nearly_over(before: Lease, longer: Lease) -> bool:
    """Whether renewal gave so little that the token's longest life must be near."""
    if not isinstance(before.way, Login) or before.until is None or longer.until is None:
        return False
    return longer.until - longer.since < (before.until - before.since) / 3


def _seconds(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0


def _tidied(values: Mapping[str, Any], path: str) -> Mapping[str, Any]:
    """The values as a provider takes them: keys from files end with a line, and command lines make all of it text."""
    made = dict(values)
    for name in ("api_key", "base_url", "organization"):
        if isinstance(made.get(name), str):
            made[name] = made[name].strip()
    headers = made.get("headers")
    if isinstance(headers, str) and headers.strip():
        try:
            headers = json.loads(headers)
        except (ValueError, RecursionError):
            headers = ()
    if not headers and headers != ():
        made.pop("headers", None)
        return made
    if not isinstance(headers, Mapping):
        raise failures.ProviderFailure(f"{path}: `headers` is no object of names and values", remedy="mend the secret")
    made["headers"] = {str(name): str(value) for name, value in headers.items()}
    return made
