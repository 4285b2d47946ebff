"""Plugins that behave badly in the process that they share with others, whatever they are asked."""

from __future__ import annotations

import asyncio
import locale
import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

from codetether import AuditEntry

from tests.kit.broken.audit_sinks import Log, sink
from tests.kit.broken.tools import Probe, with_

ENDED = threading.Event()


class CustomExit(BaseException):
    """No Exception, and nothing that Python knows."""


def when_called(act: Callable[[], Any]) -> Any:
    """A plugin whose tool does this."""

    class Rude(Probe):
        async def said(self, arguments: Any, ctx: Any) -> str:
            made = act()
            if asyncio.iscoroutine(made):
                await made
            return "done"

    return with_(Rude)


def _changed(call: Callable[[], Any]) -> Any:
    return when_called(lambda: call() and None)


def _switch_locale() -> None:
    locale.setlocale(locale.LC_ALL, "C" if "UTF-8" in locale.setlocale(locale.LC_ALL) else "C.UTF-8")


def _held() -> None:
    time.sleep(0.6)


def _hung() -> None:
    threading.Event().wait(60)


def _raised(error: BaseException) -> None:
    raise error


async def _left() -> None:
    asyncio.get_running_loop().abandoned = asyncio.create_task(asyncio.sleep(60))  # type: ignore[attr-defined]


def _poll() -> None:
    ENDED.wait(3)


class Closing(Log):
    """A sink that does not end as it should."""

    async def __aenter__(self) -> Closing:
        return self

    async def __aexit__(self, *why: Any) -> None:
        await asyncio.sleep(60)


class Failing(Closing):
    async def __aexit__(self, *why: Any) -> None:
        raise OSError("the line is gone")


class Blocking(Closing):
    async def __aexit__(self, *why: Any) -> None:
        time.sleep(60)


class Deaf(Log):
    async def record(self, entry: AuditEntry) -> None:
        await asyncio.sleep(60)


ILL: dict[str, Any] = {
    "it changed the working directory from": _changed(lambda: os.chdir("/")),
    "it changed the mask for modes of new files from": _changed(lambda: os.umask(0)),
    "it changed the locale from": _changed(_switch_locale),
    "it changed the handlers of signals": _changed(lambda: signal.signal(signal.SIGUSR1, signal.SIG_IGN)),
    "it changed the handlers of the root logger": _changed(lambda: logging.root.addHandler(logging.NullHandler())),
    "it printed 'done\\n'; standard output is the program's own": _changed(lambda: print("done")),
    "it held the event loop for more than 0.3 s, in _held": _changed(_held),
    "it held the event loop for more than 0.3 s, in _hung": _changed(_hung),
    "it raised CustomExit": _changed(lambda: _raised(CustomExit())),
    "it raised CancelledError": _changed(lambda: _raised(asyncio.CancelledError())),
    "a thread of it is left after everything was closed, in _poll": _changed(threading.Thread(target=_poll).start),
    "the task sleep is left after everything was closed": when_called(_left),
    "it was not over after": sink(Deaf),
    "closing log: took longer than": sink(Closing),
    "closing log: OSError: the line is gone": sink(Failing),
    "it held the event loop for more than 0.3 s, in Blocking.__aexit__": sink(Blocking),
}
"""What the kit says of each."""
