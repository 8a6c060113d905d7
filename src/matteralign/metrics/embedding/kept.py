"""A cache of values that are expensive to compute and too large to keep all of them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Any, TypeVar, cast

Made = TypeVar("Made")


class Kept:
    """The things asked for last; each is made once, however many threads ask for it.

    Parameters
    ----------
    room : int
        How many are kept.
    """

    def __init__(self, room: int) -> None:
        self._room = max(1, room)
        self._there: OrderedDict[Hashable, Any] = OrderedDict()
        self._making: dict[Hashable, Lock] = {}
        self._lock = Lock()

    def get(self, key: Hashable, make: Callable[[], Made]) -> Made:
        """Return what `key` stands for; `make` it where it is not kept."""
        with self._lock:
            if key in self._there:
                return cast(Made, self._found(key))
            making = self._making.setdefault(key, Lock())
        with making:
            with self._lock:
                if key in self._there:
                    return cast(Made, self._found(key))
            made = make()
            with self._lock:
                while len(self._there) >= self._room:
                    self._there.popitem(last=False)
                self._there[key] = made
                self._making.pop(key, None)
            return made

    def _found(self, key: Hashable) -> Any:
        self._there.move_to_end(key)
        return self._there[key]
