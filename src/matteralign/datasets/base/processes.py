"""Parse many records in several processes, in their order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import chain, islice
from multiprocessing import get_context
from typing import Any, TypeVar

from matteralign.core.errors import UserError

R = TypeVar("R")
_CHUNK = 2048  # records sent at once; what fits in one is not worth a process


def parsed(
    function: Callable[..., R], records: Iterable[tuple[Any, ...]], processes: int
) -> Iterator[R]:
    """Yield ``function(*record)`` for each record, in their order.

    Parameters
    ----------
    function
        One that processes can import. What it returns must not depend on other records.
    processes
        How many; 1: this one. Few chunks are in memory at a time.

    Raises
    ------
    UserError
        If a process was killed.
    """
    rest = iter(records)
    first = list(islice(rest, _CHUNK))
    if processes < 2 or len(first) < _CHUNK:
        yield from (function(*record) for record in chain(first, rest))
        return
    waiting: deque[Future[list[R]]] = deque()
    # Not forked: libraries have started threads of their own by now.
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        try:
            while first:
                waiting.append(pool.submit(_each, function, first))
                if len(waiting) > 2 * processes:
                    yield from waiting.popleft().result()
                first = list(islice(rest, _CHUNK))
            while waiting:
                yield from waiting.popleft().result()
        except BrokenProcessPool as error:
            raise UserError(
                "a process that parsed records was killed, probably for want of memory; use one "
                "thread"
            ) from error


def _each(function: Callable[..., R], records: list[tuple[Any, ...]]) -> list[R]:
    return [function(*record) for record in records]
