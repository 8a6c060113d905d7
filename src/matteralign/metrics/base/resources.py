"""What a computation may use of the machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from matteralign.metrics.base.errors import MetricInputError

if TYPE_CHECKING:
    from matteralign.metrics.tiles.backend import Backend

Progress = Callable[[float], None]
"""Told the share of the work done, from 0 to 1."""

DEFAULT_MEMORY_BYTES = 4 * 1024**3
"""Default bound on what a call holds beside its arguments and its result."""


@dataclass(frozen=True)
class Resources:
    """Memory, threads and device of a computation, and whom it tells how far it is.

    Attributes
    ----------
    memory_bytes : int
        Bound, in bytes, on what is held beside the arguments and the result.
    threads : int
        Threads of the compiled loops and matrix products.
    backend : Backend, optional
        What makes the tiles, see `tiles.backend.open_backend`; the CPU by default.
    progress : callable, optional
        Told the share of the work done.

    Raises
    ------
    MetricInputError
        A bound or a number of threads below 1.
    """

    memory_bytes: int = DEFAULT_MEMORY_BYTES
    threads: int = 1
    backend: Backend | None = None
    progress: Progress | None = None

    def __post_init__(self) -> None:
        for what in ("memory_bytes", "threads"):
            number = getattr(self, what)
            if number < 1:
                raise MetricInputError(f"{what} must be positive, got {number}")

    def tell(self, share: float) -> None:
        """Report that `share` (0 to 1) of the work is done."""
        if self.progress is not None:
            self.progress(share)

    def silent(self) -> Resources:
        """Return the same without progress, for a step that is not counted."""
        return replace(self, progress=None)

    def part(self, done: float, share: float) -> Resources:
        """Return the same for one part of the work, whose progress is told as that of the whole.

        Parameters
        ----------
        done : float
            Share of the work before this part.
        share : float
            Share of the work that is this part.
        """
        if self.progress is None:
            return self
        return replace(self, progress=lambda inside: self.tell(done + share * inside))


DEFAULTS = Resources()
"""Where a caller names nothing."""
