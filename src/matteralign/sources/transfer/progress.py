"""Progress of a download as plain lines: it reads the same in a terminal and in a log."""

from __future__ import annotations

from collections.abc import Callable

from rich.filesize import decimal

from matteralign.core.progress import Pace, spoken

_EVERY = 3.0  # seconds between two lines


class Progress:
    """Counts bytes and reports a line now and then.

    Parameters
    ----------
    name
        What is downloaded.
    report
        Receives each line.
    start, total
        Bytes that are there already, and of the whole file where that is known.
    """

    def __init__(
        self, name: str, report: Callable[[str], None], start: int, total: int | None
    ) -> None:
        self.name, self.report, self.total = name, report, total
        self.done = self._start = start
        self._pace = Pace(_EVERY)
        self._pace.begin(start)

    @property
    def received(self) -> int:
        """Bytes that came."""
        return self.done - self._start

    @property
    def seconds(self) -> float:
        """Seconds since the beginning."""
        return self._pace.seconds

    def update(self, size: int) -> None:
        """Count `size` more bytes."""
        self.done += size
        if self.done == self.total or not self._pace.due(self.done):
            return
        rate = self._pace.rate
        line = f"{self.name}: {decimal(self.done)}"
        if self.total is not None:
            line += f" of {decimal(self.total)}, {decimal(round(rate))}/s, "
            line += f"{spoken((self.total - self.done) / rate)} left"
        self.report(line)
