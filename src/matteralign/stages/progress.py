"""A line now and then about a long pass: the share done, the time taken and left."""

from __future__ import annotations

import time
from collections.abc import Callable

EVERY_SECONDS = 20.0


class Progress:
    """Reports a growing share, at most one line in 20 s.

    Parameters
    ----------
    what
        What is at work, the start of every line.
    report
        Called with a line.
    clock
        Seconds that only grow.
    """

    def __init__(
        self, what: str, report: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._what = what
        self._report = report
        self._clock = clock
        self._start = self._last = clock()
        self._first: float | None = None

    def __call__(self, share: float) -> None:
        """Take note that `share` (0 to 1) of the work is done."""
        now = self._clock()
        if self._first is None:
            # A pass that was taken up starts above zero: its rate counts from there.
            self._first = share
        if now - self._last < EVERY_SECONDS:
            return
        self._last = now
        elapsed, gained = now - self._start, share - self._first
        left = "" if gained <= 0 else f", about {spoken(elapsed * (1 - share) / gained)} left"
        self._report(f"{self._what}: {share:.0%} done in {spoken(elapsed)}{left}")


def spoken(seconds: float) -> str:
    """Write a time as a person says it.

    >>> spoken(42), spoken(150), spoken(7500)
    ('42 s', '2.5 min', '2.1 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
