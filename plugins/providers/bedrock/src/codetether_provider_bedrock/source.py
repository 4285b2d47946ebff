"""The credential source `aws`: whether boto3's chain has something to begin with, found out without boto3."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from attrs import frozen
from codetether import CredentialError, Secret

PROVIDER = "bedrock"
_BEARER = "AWS_BEARER_TOKEN_BEDROCK"
_PROFILES = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE")
_ALONE = ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI")
_FILES = (("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"), ("AWS_CONFIG_FILE", "~/.aws/config"))
_KEYS = frozenset(
    {
        "aws_access_key_id",
        "credential_process",
        "credential_source",
        "login_session",
        "role_arn",
        "source_profile",
        "sso_account_id",
        "sso_session",
        "sso_start_url",
        "web_identity_token_file",
    }
)
"""Keys of a profile that lead to credentials, as a region does not."""


@frozen(kw_only=True)
class AwsSettings:
    """Where credentials of AWS are, beyond what its own variables and files say.

    Attributes:
        profile: of the files in `~/.aws`; `AWS_PROFILE` counts before it.
        instance_role: this machine has a role of its own (EC2), which cannot be known without asking a server.
    """

    profile: str = ""
    instance_role: bool = False


class AwsChain:
    """Answers for Bedrock alone. What the chain finds stays with it: the secret only says that there is a chain."""

    def __init__(self, settings: AwsSettings | None = None) -> None:
        self._settings = settings or AwsSettings()

    async def get(self, provider: str, names: Sequence[str]) -> Secret | None:
        """A bearer key from the environment, or the chain. Raises CredentialError for a file that cannot be read."""
        if provider != PROVIDER:
            return None
        key = _variable(_BEARER)
        if key:
            return Secret(values={"api_key": key}, source=f"aws:{_BEARER}")
        profile = next((name for name in map(_variable, _PROFILES) if name), self._settings.profile)
        if profile and not _has_variables():
            return Secret(values={"profile": profile}, source=f"aws:profile {profile}")
        found = self._found()
        return Secret(values={"chain": True}, source=f"aws:{found}") if found else None

    async def list(self) -> Sequence[str]:
        """Bedrock, where there is something for it."""
        return (PROVIDER,) if await self.get(PROVIDER, ()) else ()

    def _found(self) -> str:
        """Where the chain begins, in words for a screen; empty where nothing is."""
        if _has_variables():
            return "AWS_ACCESS_KEY_ID"
        if _variable("AWS_WEB_IDENTITY_TOKEN_FILE") and _variable("AWS_ROLE_ARN"):
            return "AWS_WEB_IDENTITY_TOKEN_FILE"
        for variable, usual in _FILES:
            path = Path(_variable(variable) or usual).expanduser()
            if _has_default(path):
                return str(path)
        alone = next((name for name in _ALONE if _variable(name)), "")
        return alone or ("instance role" if self._settings.instance_role else "")


def _variable(name: str) -> str:
    return os.environ.get(name, "").strip()


def _has_variables() -> bool:
    return bool(_variable("AWS_ACCESS_KEY_ID") and _variable("AWS_SECRET_ACCESS_KEY"))


def _has_default(path: Path) -> bool:
    """Whether the file's default profile leads to credentials."""
    from configparser import Error, RawConfigParser

    parser = RawConfigParser(default_section="", strict=False)
    try:
        with path.open(encoding="utf-8") as file:
            parser.read_file(file)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError, Error) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else "it is no file of profiles"
        raise CredentialError(f"{path} cannot be read: {why}", remedy="set it right, or remove it") from None
    sections = (name for name in ("default", "profile default") if parser.has_section(name))
    return any(_KEYS.intersection(parser.options(name)) for name in sections)
