"""What credential sources keep."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from codetether.errors import CredentialError
from codetether.models.providers import Secret
from codetether.testing.promises import BrokenPromise, NotTried, promises, require, within
from codetether.testing.trial import CANARY, CANARY_NAME, Trial
from codetether.testing.trials import SecretTrial

NOBODY = "conformance-nobody"
ODD = ("", "..", "../../etc/passwd", "a/b", "a b", "\0", "\ud800", "x" * 5000, "%2e%2e", "ünï", "-n", "${HOME}")


async def asked(source: Any, provider: str, names: Sequence[str]) -> Secret | None:
    """What the source gives, in ten seconds."""
    made = await within(10, source.get(provider, names))
    require(made is None or isinstance(made, Secret), f"get({provider!r:.40}) gave {type(made).__name__}")
    secret: Secret | None = made
    return secret


async def found(trial: Trial, source: Any) -> tuple[Secret, str]:
    """A secret that the source has, and its value. Raises NotTried where it is not known how to make it have one."""
    told = trial.subject.trials.secret or SecretTrial(provider="conformance", value=CANARY, names=(CANARY_NAME,))
    told.prepare(trial.directory)
    try:
        secret = await asked(source, told.provider, told.names)
    except CredentialError as error:
        if trial.subject.trials.secret is not None:
            raise
        raise NotTried(f"it cannot tell here: {error.message}; give Trials.secret") from error
    if secret is None and trial.subject.trials.secret is None:
        raise NotTried("it has no secret here; give Trials.secret that makes it have one")
    require(secret is not None, f"it has no secret for {told.provider}, though Trials.secret.prepare was run")
    assert secret is not None
    return secret, told.value


async def what_it_has_not_is_none(trial: Trial) -> None:
    """Where it has no secret it gives None, and the next source is asked; an empty secret is none."""
    source = await trial.make()
    try:
        secret = await asked(source, NOBODY, ("CONFORMANCE_NOBODY_KEY",))
    except CredentialError as error:
        raise NotTried(f"it cannot tell here: {error.message}") from error
    require(secret is None, f"for a provider that nobody has, get() gave {secret!r}, not None")


async def what_it_has_is_given(trial: Trial) -> None:
    """A secret that is there is given under `api_key`, with words on where it comes from."""
    secret, value = await found(trial, await trial.make())
    require(secret.get("api_key") == value, "the secret that it gives under `api_key` is not the one that is there")
    require(secret.source, "the secret does not say where it comes from (Secret.source)")


async def no_value_is_shown(trial: Trial) -> None:
    """The secret's value stands in no repr and in no line of the log."""
    seen: list[str] = []
    handler = logging.Handler(logging.DEBUG)
    handler.emit = lambda record: seen.append(record.getMessage())  # type: ignore[method-assign]
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        source = await trial.make()
        secret, value = await found(trial, source)
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    for where, text in (("its repr", repr(source)), ("the secret's repr", repr(secret)), ("the log", "\n".join(seen))):
        require(value not in text, f"the value of a secret stands in {where}")


async def odd_names_are_refused_quietly(trial: Trial) -> None:
    """A provider's name that is empty, a path or no text leads to nothing: None or CredentialError."""
    source = await trial.make()
    for name in ODD:
        try:
            secret = await asked(source, name, ())
        except CredentialError:
            continue
        except Exception as error:
            raise BrokenPromise(
                f"get({name!r:.40}) raised {type(error).__name__}, not CredentialError: {str(error)[:200]}"
            ) from error
        require(secret is None, f"get({name!r:.40}) found a secret")


async def a_failure_is_a_CredentialError(trial: Trial) -> None:  # noqa: N802 - the error's own name
    """A source that cannot tell (sealed, denied, unreachable) raises CredentialError, not None; no secret is in it."""
    told = trial.subject.trials.secret
    if told is None or told.spoil is None:
        raise NotTried("it is not known how to make it fail; give Trials.secret with `spoil`")
    source = await trial.make()
    told.prepare(trial.directory)
    told.spoil(trial.directory)
    try:
        secret = await asked(source, told.provider, told.names)
    except CredentialError as error:
        require(told.value not in f"{error!r} {error.remedy}", "a secret stands in the error that it raises")
        return
    except Exception as error:
        raise BrokenPromise(
            f"it failed with {type(error).__name__}, not CredentialError: {str(error)[:200]}"
        ) from error
    raise BrokenPromise(f"it cannot tell, and get() gave {secret!r}")


async def its_list_names_providers(trial: Trial) -> None:
    """`list()` gives the names of providers, and no values."""
    source = await trial.make()
    with suppress(NotTried):
        await found(trial, source)
    try:
        names = await source.list()
    except CredentialError as error:
        raise NotTried(f"it cannot tell here: {error.message}") from error
    require(all(isinstance(name, str) for name in names), f"list() gave {names!r:.100}")
    require(CANARY not in repr(names), "list() gives values of secrets")


PROMISES = promises(
    "credential_sources",
    what_it_has_not_is_none,
    what_it_has_is_given,
    no_value_is_shown,
    odd_names_are_refused_quietly,
    a_failure_is_a_CredentialError,
    its_list_names_providers,
)
