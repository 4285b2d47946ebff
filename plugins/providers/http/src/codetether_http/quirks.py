"""The peculiarities of a server, as its provider's options say them."""

from __future__ import annotations

from typing import Any, TypeVar

from attrs import AttrsInstance, fields_dict
from codetether import Provider, SettingsError

Q = TypeVar("Q", bound=AttrsInstance)


def quirks_from(provider: Provider, quirks: type[Q]) -> Q:
    """The options that are fields of the attrs class `quirks`. Raises SettingsError for one of a wrong type."""
    known: dict[str, Any] = {name: provider.options[name] for name in fields_dict(quirks) if name in provider.options}
    try:
        return quirks(**known)
    except (TypeError, ValueError) as error:
        reason = error.args[0] if error.args else "wrong type"
        raise SettingsError(str(reason), path=("providers", provider.name, "options")) from None
