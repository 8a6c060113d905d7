"""Progress as plain lines on standard error, readable in a log file."""

from __future__ import annotations

import sys

from matteralign.core.progress import Pace, spoken


class ProgressLines:
    """Print how far a model is, about every `interval` seconds and at the end.

    Parameters
    ----------
    name
        What is counted for, shown first on every line.
    total
        Number of rows.
    interval
        Seconds between lines.
    """

    def __init__(self, name: str, total: int, interval: float = 2.0) -> None:
        self.name, self.total = name, total
        self._pace = Pace(interval)

    def __call__(self, done: int) -> None:
        """Report that `done` rows are finished."""
        if not self._pace.due(done, last=done >= self.total):
            return
        rate = self._pace.rate
        line = f"{self.name}: {done}/{self.total} structures"
        if rate > 0:
            line += f", {rate:.0f}/s"
            if done < self.total:
                line += f", {spoken((self.total - done) / rate)} left"
        print(line, file=sys.stderr, flush=True)
