"""Progress of a download as plain lines: it reads the same in a terminal and in a log."""

from __future__ import annotations

import time
from collections.abc import Callable

from rich.filesize import decimal

_EVERY = 3.0  # seconds between two lines


class Progress:
    """Counts bytes and reports a line now and then.

    Parameters
    ----------
    name
        What is downloaded.
    report
        Receives each line.
    """

    def __init__(self, name: str, report: Callable[[str], None]) -> None:
        self.name = name
        self.report = report
        self.total: int | None = None
        self.done = 0
        self.received = 0
        self._started = self._last = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._started

    def at(self, done: int) -> None:
        """Go on from `done` bytes that are there already."""
        self.done = done

    def update(self, size: int) -> None:
        """Count `size` more bytes."""
        self.done += size
        self.received += size
        now = time.monotonic()
        if now - self._last < _EVERY or self.done == self.total:
            return
        self._last = now
        rate = self.received / self.seconds
        line = f"{self.name}: {decimal(self.done)}"
        if self.total is not None:
            line += f" of {decimal(self.total)}, {decimal(round(rate))}/s, "
            line += f"{told_time((self.total - self.done) / rate)} left"
        self.report(line)


def told_time(seconds: float) -> str:
    """Return a duration as a person reads it.

    Examples
    --------
    >>> told_time(95)
    '2 min'
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
