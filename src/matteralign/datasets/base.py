"""What the project needs of a dataset."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path

from matteralign.datasets.card import DatasetCard, Version
from matteralign.store.structures import Structure


class Dataset(ABC):
    """One source of structures, as its reader sees it.

    A dataset first names its rows (`ids`), then reads only those that were drawn (`read`):
    a slice of a thousand does not parse a million.

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
    def read(self, ids: Sequence[str]) -> list[Structure]:
        """Return the structures of these rows, in this order.

        Raises
        ------
        IntegrityError
            If a record cannot be parsed; the message names the file and the record.
        """
