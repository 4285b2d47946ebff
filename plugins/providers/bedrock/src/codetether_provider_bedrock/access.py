"""Who asks, and where: a bearer key or a signature by AWS's credentials, in a region."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from attrs import field, frozen
from codetether import AuthenticationFailed, ConnectionFailed, Provider, ProviderError, Secret, UsageError
from codetether_http import Authorize, Grant, Outgoing

from codetether_provider_bedrock.quirks import Quirks

_REGION = re.compile(r"[a-z]{2,}(-[a-z0-9]+)+\Z")
_HOST = re.compile(r"bedrock-runtime(?:-fips)?\.([a-z0-9-]+)\.(?:vpce\.)?(?:amazonaws\.com|api\.aws)")
_SERVICE = "bedrock"


@frozen(kw_only=True)
class Access:
    """How Bedrock is asked.

    Attributes:
        base_url: of the region, or the provider's own.
        headers: of every request. authorize: signs each; None where the headers are enough.
    """

    base_url: str
    headers: Mapping[str, str] = field(factory=dict, repr=False)
    authorize: Authorize | None = None


def access(provider: Provider, quirks: Quirks) -> Access:
    """What the provider's secret allows. It imports botocore and may read `~/.aws`: not for the event loop.

    Raises UsageError where no region is known, AuthenticationFailed for credentials that cannot be used.
    """
    secret = provider.secret or Secret(values={})
    profile = _value(secret, "profile") or ""
    region = _region(provider, secret, quirks)
    key = secret.get("api_key")
    signed = key is None and _is_signed(secret, profile)
    session: Any = None
    if signed or (not region and not provider.base_url):
        session = _session(provider.name, profile)
        region = region or session.get_config_variable("region") or ""
    if not region and (signed or not provider.base_url):
        raise UsageError(
            f"{provider.name}: no region is known",
            remedy=f"set AWS_REGION, or providers.{provider.name}.options.region, or region beside the key",
        )
    base_url = provider.base_url or _base_url(provider.name, region)
    if not signed:
        return Access(base_url=base_url, headers={"authorization": f"Bearer {key.strip()}"} if key else {})
    return Access(base_url=base_url, authorize=Signature(provider.name, session, region, _static(provider, secret)))


def _value(secret: Secret, name: str) -> str | None:
    """A value under its own name, or with `aws_` before it."""
    return secret.get(name) or secret.get(f"aws_{name}")


def _is_signed(secret: Secret, profile: str) -> bool:
    asked = (secret.get("chain") or "").lower() not in ("", "false", "no", "0")
    return bool(asked or profile or _value(secret, "access_key_id"))


def _region(provider: Provider, secret: Secret, quirks: Quirks) -> str:
    """The first that is said: in the secret, the settings, the environment, the base URL; empty leaves the profile."""
    said = (_value(secret, "region"), quirks.region, *map(os.environ.get, ("AWS_REGION", "AWS_DEFAULT_REGION")))
    region = next((one.strip() for one in said if one and one.strip()), "")
    if not region and provider.base_url:
        host = _HOST.search(_host(provider.base_url))
        region = host[1] if host else ""
    return region


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:  # it is none: the transport says so
        return ""


def _base_url(provider: str, region: str) -> str:
    if not _REGION.match(region):
        raise UsageError(f"{provider}: {region!r} is no region", remedy="e.g. us-east-1 or eu-central-1")
    ending = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return f"https://bedrock-runtime.{region}.{ending}"


def _session(provider: str, profile: str) -> Any:
    """botocore's session, on which boto3 rests: its chain finds the credentials."""
    from botocore.exceptions import BotoCoreError  # type: ignore[import-untyped]
    from botocore.session import Session  # type: ignore[import-untyped]

    try:
        session = Session(profile=profile or None)
        session.get_scoped_config()
    except BotoCoreError as error:
        raise AuthenticationFailed(f"{provider}: {error}", remedy="aws configure list-profiles shows them") from None
    return session


def _static(provider: Provider, secret: Secret) -> Any:
    """Credentials that stand in the secret itself, None for those of the chain."""
    key = _value(secret, "access_key_id")
    if key is None:
        return None
    from botocore.credentials import Credentials  # type: ignore[import-untyped]

    hidden = _value(secret, "secret_access_key")
    if hidden is None:
        raise AuthenticationFailed(
            f"{provider.name}: there is an access_key_id without a secret_access_key", remedy=f"see {secret.source}"
        )
    return Credentials(key.strip(), hidden.strip(), _value(secret, "session_token"))


class Signature:
    """Signs requests (SigV4), each with credentials that are fresh.

    Args:
        session: botocore's, whose chain is asked when the first request comes. credentials: used in its place.
    """

    def __init__(self, provider: str, session: Any, region: str, credentials: Any = None) -> None:
        self._provider = provider
        self._session = session
        self._region = region
        self._credentials = credentials

    async def __call__(self, outgoing: Outgoing) -> Grant:
        """The headers that sign the request. Raises AuthenticationFailed, or ConnectionFailed, where there are none.

        The chain may ask servers and wait for its turn to refresh: that is done on a thread.
        """
        return await asyncio.to_thread(self._sign, outgoing)

    def _sign(self, outgoing: Outgoing) -> Grant:
        from botocore.auth import SigV4Auth  # type: ignore[import-untyped]
        from botocore.awsrequest import AWSRequest  # type: ignore[import-untyped]

        frozen_ = self._fresh()
        request = AWSRequest("POST", outgoing.url, headers={"content-type": "application/json"}, data=outgoing.body)
        SigV4Auth(frozen_, _SERVICE, self._region).add_auth(request)
        headers = {name.lower(): str(request.headers[name]) for name in request.headers}
        return Grant(headers=headers, secrets=(frozen_.secret_key, frozen_.token or ""))

    def _fresh(self) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
        from botocore.exceptions import ConnectionError as Unreachable

        try:
            if self._credentials is None:
                self._credentials = self._session.get_credentials()
            if self._credentials is not None:
                return self._credentials.get_frozen_credentials()
        except (HTTPClientError, Unreachable) as error:
            raise ConnectionFailed(f"{self._provider}: no credentials: {error}") from None
        except (BotoCoreError, ClientError, OSError, ValueError, KeyError) as error:
            raise self._none(str(error) or type(error).__name__) from None
        raise self._none("boto3's chain found none")

    def _none(self, why: str) -> ProviderError:
        return AuthenticationFailed(
            f"{self._provider}: no credentials: {why}", remedy="sign in (aws sso login), or see aws configure list"
        )
