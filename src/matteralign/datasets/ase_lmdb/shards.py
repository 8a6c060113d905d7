"""Ids of millions of rows in several files, made one by one: a list of them would fill memory."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import overload


@dataclass(frozen=True)
class Shard:
    """One file: what its ids begin with, and the numbers of its rows."""

    prefix: str
    rows: Sequence[int]


class ShardedIds(Sequence[str]):
    """The ids ``prefix:row`` of all shards, one shard after the other."""

    def __init__(self, shards: Sequence[Shard]) -> None:
        self._shards = shards
        self._starts = [0, *accumulate(len(shard.rows) for shard in shards)]

    def __len__(self) -> int:
        return self._starts[-1]

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> list[str]: ...

    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        place = index + len(self) if index < 0 else index
        if not 0 <= place < len(self):
            raise IndexError(index)
        number = bisect_right(self._starts, place) - 1
        shard = self._shards[number]
        return f"{shard.prefix}:{shard.rows[place - self._starts[number]]}"

    def __iter__(self) -> Iterator[str]:
        for shard in self._shards:
            for row in shard.rows:
                yield f"{shard.prefix}:{row}"
