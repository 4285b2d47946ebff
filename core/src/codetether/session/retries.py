"""Whether a failed request is worth asking again, and after how many seconds."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache

from attrs import field

from codetether.errors import ProviderError
from codetether.values import define

ATTEMPTS = 4
"""Requests in all for one answer."""
SHORTEST, LONGEST = 0.5, 30.0
"""Seconds between which a wait without a word of the provider's is drawn."""
PATIENCE = 120.0
"""Seconds that a provider may ask us to wait."""


@define
class Quota:
    """How many retries an outage may cost: a fifth of the requests that it fails, and never fewer than three.

    A success gives back what it used, and one retry more is allowed for each half minute that passes, so that an
    outage which is over is soon forgotten.

    Attributes:
        clock: seconds, never backwards.
    """

    share: float = 0.2
    floor: float = 3.0
    forgets: float = 30.0
    clock: Callable[[], float] = time.monotonic
    _failed: float = field(default=0.0, init=False)
    _spent: float = field(default=0.0, init=False)
    _seen: float | None = field(default=None, init=False)

    def failed(self) -> None:
        """A request failed at its first attempt."""
        self._age()
        self._failed += 1

    def take(self) -> bool:
        """Takes one retry; False where the quota is used up."""
        self._age()
        if self._spent + 1 > max(self.floor, self.share * self._failed) + 1e-9:
            return False
        self._spent += 1
        return True

    def succeeded(self, *, retried: bool) -> None:
        """A request was answered: a retry that helped costs nothing, and every answer shows that the outage ends."""
        self._age()
        self._spent = max(0.0, self._spent - (1 if retried else self.share))
        self._failed = max(0.0, self._failed - 1)

    def _age(self) -> None:
        now = self.clock()
        passed = 0.0 if self._seen is None else (now - self._seen) / self.forgets
        self._seen = now
        self._spent = max(0.0, self._spent - passed)
        self._failed = max(0.0, self._failed - passed / self.share)


@cache
def quota() -> Quota:
    """The quota of this process."""
    return Quota()


def delay(error: ProviderError, attempt: int, *, budget: Quota | None = None) -> float | None:
    """Seconds to wait before asking again; None where that cannot help, and the error's remedy then says why.

    Args:
        attempt: how many were made, so 1 after the first.
        budget: that of the process, unless given.
    """
    budget = budget or quota()
    if not error.retryable:
        return None
    if attempt == 1:
        budget.failed()
    asked = error.retry_after or 0.0
    if attempt >= ATTEMPTS:
        why = f"asked {ATTEMPTS} times; ask again later"
    elif asked > PATIENCE:
        why = f"the provider wants {asked:.0f} s of patience, more than the {PATIENCE:.0f} s we wait"
    elif not budget.take():
        why = "too many requests fail at the moment to ask each of them again; ask again later"
    else:
        return max(asked, _jittered(attempt))
    error.remedy = f"{error.remedy}; {why}" if error.remedy else why
    return None


def succeeded(attempt: int, *, budget: Quota | None = None) -> None:
    """The attempt of this number (from 1) was answered."""
    (budget or quota()).succeeded(retried=attempt > 1)


def _jittered(attempt: int) -> float:
    """Full jitter: anything up to a limit that doubles with each attempt."""
    import tenacity

    state = tenacity.RetryCallState(tenacity.AsyncRetrying(), None, (), {})
    state.attempt_number = attempt
    return tenacity.wait_random_exponential(multiplier=1, min=SHORTEST, max=LONGEST)(state)
