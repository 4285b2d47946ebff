"""Asking again: only where it can help, never at once, and never so often that it makes an outage worse."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest
from codetether.errors import InvalidRequest, ProviderError, QuotaExhausted, RateLimited, ServerFailed
from codetether.session import retries
from codetether.session.retries import Quota


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def budget(clock: Clock) -> Quota:
    return Quota(clock=clock)


def ask(fails: Callable[[], ProviderError | None], budget: Quota) -> int:
    """The loop of an agent, without the waits: how many requests it sends."""
    attempt = 1
    while (error := fails()) is not None:
        if retries.delay(error, attempt, budget=budget) is None:
            return attempt
        attempt += 1
    retries.succeeded(attempt, budget=budget)
    return attempt


def test_waits_are_drawn_anew_between_half_a_second_and_thirty() -> None:
    error = ServerFailed("down")
    waits = {n: [retries.delay(error, n, budget=Quota(floor=1e9)) or 0.0 for _ in range(300)] for n in (1, 2, 3)}
    assert all(0.5 <= wait <= 30.0 for drawn in waits.values() for wait in drawn)
    assert [max(waits[n]) <= 2 ** (n - 1) for n in (1, 2, 3)] == [True, True, True]
    assert len(set(waits[3])) > 250
    assert max(waits[3]) > 2.5


def test_a_request_is_sent_four_times_at_most(budget: Quota) -> None:
    assert ask(lambda: ServerFailed("down"), budget) == 4


@pytest.mark.parametrize("error", [InvalidRequest("bad"), QuotaExhausted("no money")])
def test_what_cannot_help_is_not_tried(error: ProviderError, budget: Quota) -> None:
    assert (retries.delay(error, 1, budget=budget), error.remedy) == (None, "")


def test_the_providers_word_counts_up_to_two_minutes(budget: Quota) -> None:
    assert retries.delay(RateLimited("slow down", retry_after=77.0), 1, budget=budget) == 77.0
    impatient = RateLimited("slow down", retry_after=121.0)
    assert retries.delay(impatient, 1, budget=budget) is None
    assert impatient.remedy == "the provider wants 121 s of patience, more than the 120 s we wait"


@pytest.mark.parametrize("requests", [15, 100, 1000])
def test_an_outage_costs_a_fifth_more_requests_at_most(requests: int, budget: Quota) -> None:
    for _ in range(500):
        ask(lambda: None, budget)
    sent = sum(ask(lambda: ServerFailed("down"), budget) for _ in range(requests))
    assert requests < sent <= 1.2 * requests


def test_an_outage_of_many_sessions_at_once_costs_no_more(budget: Quota) -> None:
    attempts = [1] * 200
    sent = 200
    while attempts:
        again = [n + 1 for n in attempts if retries.delay(ServerFailed("down"), n, budget=budget) is not None]
        sent += len(again)
        attempts = again
    assert sent == 240


def test_failures_that_pass_never_use_the_quota_up(budget: Quota) -> None:
    for _ in range(200):
        assert ask(iter([ServerFailed("hiccup"), None]).__next__, budget) == 2


def test_an_outage_that_is_over_is_forgotten(budget: Quota, clock: Clock) -> None:
    used = [ask(lambda: ServerFailed("down"), budget) for _ in range(5)]
    clock.now += 90.0
    assert (used, ask(lambda: ServerFailed("down"), budget)) == ([4, 1, 1, 1, 1], 4)


def test_the_library_of_waits_is_loaded_by_the_first_failure_only() -> None:
    code = "import sys; from codetether.session import retries; print('tenacity' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"
