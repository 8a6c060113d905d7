"""What the project needs of a dataset."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from matteralign.registry.pinned import PinnedFile
from matteralign.store.structures import Structure


class Dataset(ABC):
    """One source of structures.

    A dataset first names its rows (`ids`), then reads only those that were drawn (`read`):
    a slice of a thousand does not parse a million.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    files: ClassVar[tuple[PinnedFile, ...]]
    licence: ClassVar[str]
    citation: ClassVar[str]
    level_of_theory: ClassVar[str]
    version: ClassVar[int]

    def __init__(self, raw: dict[str, Path]) -> None:
        self.raw = raw

    @abstractmethod
    def ids(self) -> Sequence[str]:
        """Return the id of every row, in the order of the files."""

    @abstractmethod
    def read(self, ids: Sequence[str]) -> list[Structure]:
        """Return the structures of these rows, in this order.

        Raises
        ------
        IntegrityError
            If a record cannot be parsed; the message names the file and the record.
        """
