"""A line now and then about a long pass: the share done, the time taken and left."""

from __future__ import annotations

import time
from collections.abc import Callable

from matteralign.core.progress import Pace, spoken

EVERY_SECONDS = 20.0


class Progress:
    """Reports a growing share.

    Parameters
    ----------
    what
        Name of the work, at the start of every line.
    report
        Called with a line.
    clock
        Seconds that only grow.
    """

    def __init__(
        self, what: str, report: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._what, self._report = what, report
        self._pace = Pace(EVERY_SECONDS, clock)

    def __call__(self, share: float) -> None:
        """Take note that `share` (0 to 1) of the work is done."""
        if not self._pace.due(share):
            return
        rate = self._pace.rate
        left = f", about {spoken((1 - share) / rate)} left" if rate > 0 else ""
        self._report(f"{self._what}: {share:.0%} done in {spoken(self._pace.seconds)}{left}")
