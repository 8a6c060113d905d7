"""Progress as plain lines on standard error, readable in a log file."""

from __future__ import annotations

import sys
import time


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
        self.name, self.total, self.interval = name, total, interval
        self._start = self._last = time.monotonic()
        self._first: int | None = None

    def __call__(self, done: int) -> None:
        """Report that `done` rows are finished."""
        now = time.monotonic()
        if self._first is None:
            self._first = done
        if done < self.total and now - self._last < self.interval:
            return
        self._last = now
        rate = (done - self._first) / max(now - self._start, 1e-9)
        line = f"{self.name}: {done}/{self.total} structures"
        if rate > 0:
            line += f", {rate:.0f}/s"
            if done < self.total:
                line += f", {(self.total - done) / rate:.0f} s left"
        print(line, file=sys.stderr, flush=True)
