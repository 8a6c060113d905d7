"""Progress of a download as plain lines: it reads the same in a terminal and in a log."""

from __future__ import annotations

import time
from collections.abc import Callable

_EVERY = 3.0  # seconds between two lines


class DownloadLines:
    """What pooch calls a progress bar: it counts bytes and reports a line now and then.

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
        self.total = 0
        self.done = 0
        self._last = time.monotonic()

    def update(self, size: int) -> None:
        """Count `size` more bytes."""
        self.done += size
        if time.monotonic() - self._last >= _EVERY and self.done < self.total:
            self._last = time.monotonic()
            self.report(f"{self.name}: {self.done / 1e6:.0f} of {self.total / 1e6:.0f} MB")

    def reset(self) -> None:
        """Start counting anew."""
        self.done = 0

    def close(self) -> None:
        """Nothing stays open."""
