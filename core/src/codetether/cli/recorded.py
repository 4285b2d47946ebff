"""A change that the user makes at the command line, between its intent and its outcome in the audit trail."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TypeVar

from codetether.cli.terminal import YELLOW, Screen
from codetether.errors import SettingsError
from codetether.models.record import JSON
from codetether.settings.file import read_settings_file
from codetether.settings.settings import MANAGED_FILE, Settings, load_settings

T = TypeVar("T")


def recorded(category: str, action: str, detail: Mapping[str, JSON], effect: Callable[[], T]) -> T:
    """What the effect gives. Raises AuditFailed where a required sink does not have the intent: then nothing is done.

    Settings that cannot be read keep nobody from mending them: the change is made, and said to be unrecorded; but
    not where the site demands the audit.
    """
    screen = Screen()
    try:
        settings = load_settings(Path.cwd())
        return asyncio.run(_recorded(screen, settings, category, action, detail, effect))
    except _Unreadable as error:
        why = error.error
    except SettingsError as error:
        why = error
    if why.file == MANAGED_FILE or _demanded():
        raise why
    screen.say(f"note: this change is not in the audit trail: {why.message}", YELLOW)
    return effect()


class _Unreadable(Exception):
    """The settings cannot be used, and nothing was done yet."""

    def __init__(self, error: SettingsError) -> None:
        super().__init__(str(error))
        self.error = error


async def _recorded(
    screen: Screen, settings: Settings, category: str, action: str, detail: Mapping[str, JSON], effect: Callable[[], T]
) -> T:
    from codetether.runtime import Runtime

    def notice(source: str, text: str) -> None:
        if source == "audit":
            screen.notice(source, text)

    async with AsyncExitStack() as stack:
        try:
            opening = Runtime.open(settings, directory=Path.cwd(), on_notice=notice)
            runtime = await stack.enter_async_context(opening)
        except SettingsError as error:
            raise _Unreadable(error) from error
        async with runtime.audit.around(category, action, detail=detail) as told:
            done = effect()
            if isinstance(done, int) and not isinstance(done, bool) and done != 0:
                told["error"] = f"exit code {done}"
        return done


def _demanded() -> bool:
    file = read_settings_file(MANAGED_FILE)
    audit = file.values.get("audit") if file else None
    return isinstance(audit, Mapping) and bool(audit.get("required"))
