"""What the project needs of a dataset."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from matteralign.core.errors import IntegrityError
from matteralign.datasets.base.attempt import Attempt
from matteralign.datasets.base.card import DatasetCard, Version
from matteralign.store.structures import Structure


@dataclass(frozen=True)
class Skipped:
    """A record that is not taken.

    Attributes
    ----------
    place
        File and record.
    reason
        Why, in one sentence.
    warnings
        What was warned of while it was read.
    """

    place: str
    reason: str
    warnings: tuple[str, ...] = ()


class Rows(ABC):
    """Rows that a slice is drawn from.

    A dataset first names its rows (`ids`), then reads only those that were drawn (`take`):
    a slice of a thousand does not parse a million.

    Attributes
    ----------
    threads
        Cores that `take` may use. The rows do not depend on it.
    report
        Receives a line now and then, where there is something to wait for.
    """

    threads: int = 1
    report: Callable[[str], None] | None = None

    @cached_property
    def warned(self) -> dict[str, tuple[str, ...]]:
        """What was warned of while rows were taken that could be read, by file and record."""
        return {}

    def settled(self, place: str, read: Attempt[Structure]) -> Structure | Skipped:
        """Return what came of reading a record, and keep what was warned of."""
        if read.value is None:
            return Skipped(place, read.reason or "", read.warnings)
        if read.warnings:
            self.warned[place] = read.warnings
        return read.value

    @abstractmethod
    def ids(self) -> Sequence[str]:
        """Return the name of every row."""

    @abstractmethod
    def take(self, ids: Sequence[str]) -> list[Structure | Skipped]:
        """Return these rows in this order; for a record that is not taken, why."""


class Dataset(Rows):
    """One published source of structures, as its reader sees it.

    Its files are pinned, so what is skipped is the same for everyone. What makes a whole file
    unreadable is an error.

    Parameters
    ----------
    card, version
        What the files are.
    raw
        Path of each file by name; of an archive, the folder of its members.
    """

    def __init__(self, card: DatasetCard, version: Version, raw: Mapping[str, Path]) -> None:
        self.card = card
        self.version = version
        self.raw = raw

    @abstractmethod
    def ids(self) -> Sequence[str]:
        """Return the id of every row, in the order of the files.

        Raises
        ------
        IntegrityError
            If a file is none of this dataset, or an id is there twice.
        """

    @abstractmethod
    def take(self, ids: Sequence[str]) -> list[Structure | Skipped]:
        """Return these rows in this order; for a record that cannot be parsed, why.

        Raises
        ------
        IntegrityError
            If a file cannot be split into records.
        """

    def read(self, ids: Sequence[str]) -> list[Structure]:
        """Return the structures of these rows, in this order.

        Raises
        ------
        IntegrityError
            If a record cannot be parsed; the message names the file and the record.
        """
        found = []
        for item in self.take(ids):
            if isinstance(item, Skipped):
                raise IntegrityError(f"{item.place}: {item.reason}")
            found.append(item)
        return found
