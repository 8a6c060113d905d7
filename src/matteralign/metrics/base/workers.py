"""Threads for the loops of the engine, which leave the interpreter lock."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

Result = TypeVar("Result")


class Workers:
    """A pool of threads, or the calling thread where one is enough.

    Handing over a task costs as much as a small tile.

    Parameters
    ----------
    threads : int
        At least 1.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None

    def map(self, function: Callable[..., Result], *items: Iterable[Any]) -> list[Result]:
        """Return what `function` makes of each item, in order."""
        if self._pool is None:
            return list(map(function, *items))
        return list(self._pool.map(function, *items))

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=kind is not None)
