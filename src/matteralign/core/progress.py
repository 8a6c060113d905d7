"""A line now and then about long work: when it is due, and how fast the work goes."""

from __future__ import annotations

import time
from collections.abc import Callable


class Pace:
    """Watches how much is done, at most one line in so many seconds.

    Parameters
    ----------
    every
        Seconds between two lines.
    clock
        Seconds that only grow.
    """

    def __init__(self, every: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._every, self._clock = every, clock
        self._start = self._last = clock()
        self._first: float | None = None
        self._done = 0.0

    @property
    def seconds(self) -> float:
        """Seconds since the beginning."""
        return self._clock() - self._start

    @property
    def rate(self) -> float:
        """What is done in a second; 0 before anything is."""
        gained = self._done - (self._first or 0.0)
        return gained / max(self.seconds, 1e-9)

    def begin(self, done: float) -> None:
        """Go on from what was done before: the rate counts from there."""
        self._first = done

    def due(self, done: float, *, last: bool = False) -> bool:
        """Take note of what is done; return whether it is time for a line.

        Without `begin`, the rate counts from what was done at the first call.
        """
        if self._first is None:
            self.begin(done)
        self._done = done
        now = self._clock()
        if not last and now - self._last < self._every:
            return False
        self._last = now
        return True


def spoken(seconds: float) -> str:
    """Write a time as a person says it.

    >>> spoken(42), spoken(150), spoken(7500)
    ('42 s', '2.5 min', '2.1 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
