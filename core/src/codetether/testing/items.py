"""A pytest item for each promise and record of a plugin."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytest

from codetether.errors import CodetetherError
from codetether.testing.examine import Case, cases, judge
from codetether.testing.network import no_network
from codetether.testing.pytest_plugin import no_network_anywhere
from codetether.testing.subjects import installed_subjects


class PromiseItem(pytest.Item):
    """One promise, tried on one record."""

    def __init__(self, *, case: Case, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.case = case

    def runtest(self) -> None:
        """Fails where the promise is broken; skipped where it cannot be tried."""
        everywhere = no_network_anywhere(self.config)
        fence: AbstractContextManager[list[str]] = no_network(self.nodeid) if everywhere else nullcontext([])
        with fence as tried:
            verdict = asyncio.run(judge(self.case))
        if verdict.judged == "broken":
            raise PromiseBroken(verdict.why)
        if tried:
            raise PromiseBroken(f"it tried to reach {tried[0]}, and real requests are forbidden here")
        if verdict.judged != "kept":
            pytest.skip(f"{verdict.judged}: {verdict.why}")

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """What the plugin's author should know, and no traceback through the kit."""
        if isinstance(excinfo.value, PromiseBroken):
            promise = self.case.promise
            head = f"{self.case.subject.name} breaks a promise of {promise.kind}: {promise.name}"
            return f"{head}.\n\n{promise.text}\n\n{excinfo.value}\n\nIn the documentation: {promise.page}"
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Any, int | None, str]:
        """Where it comes from, as far as there is such a place."""
        return self.case.subject.info.module or "codetether", None, self.name


class PromiseBroken(Exception):
    """The reason of a verdict."""


class Promises(pytest.Collector):
    """The promises of one plugin."""

    def collect(self) -> Iterable[pytest.Item]:
        """Nothing: the items are made with the collector."""
        return ()


def promise_items(session: pytest.Session, names: Iterable[str]) -> Iterator[pytest.Item]:
    """An item for each promise and record of the named plugins. Raises UsageError for a name that nobody has."""
    wanted = list(names)
    try:
        subjects = installed_subjects([] if "all" in wanted else wanted)
    except CodetetherError as error:
        raise pytest.UsageError(str(error)) from error
    for subject in subjects:
        parent = Promises.from_parent(session, name=subject.name, nodeid=f"codetether::{subject.name}")
        for case in cases(subject):
            title = case.id.replace("::", ":")
            yield PromiseItem.from_parent(parent, name=title, case=case)
