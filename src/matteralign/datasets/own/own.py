"""A dataset of the user's own: files of a common format, with a mapping of names."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from matteralign.config.datasets import OwnDataset
from matteralign.core.errors import IntegrityError, UserError
from matteralign.datasets.base.attempt import BadRecordError, attempt, listening, whole_file
from matteralign.datasets.base.dataset import Rows, Skipped
from matteralign.store.structures import Structure

Make = Callable[[], Structure]


@dataclass(frozen=True)
class Record:
    """One record of a file.

    Attributes
    ----------
    place
        File and record, for messages; unique in the dataset.
    id
        What the mapping says is its id; None: it has none, or cannot be read so far.
    make
        Parses the record; where `Format.records` was asked for names, it may be `unread`. Any
        exception it raises is the reason for which the record is skipped, see `attempt`.
    warnings
        Warnings given before, while the file of this record was read.
    """

    place: str
    id: str | None
    make: Make
    warnings: tuple[str, ...] = ()


def unread() -> Structure:
    """Stand for the contents of a record that was passed over for its name."""
    raise AssertionError("a record that was listed is read again before it is parsed")


def refused(reason: str) -> Make:
    """Return a parser for a record that cannot be read: it raises `reason` as an error."""

    def make() -> Structure:
        raise BadRecordError(reason)

    return make


class Format(ABC):
    """How one kind of file is read.

    Parameters
    ----------
    config
        What the configuration says.
    """

    def __init__(self, config: OwnDataset) -> None:
        self.config = config
        self.path = Path(config.path)

    @abstractmethod
    def records(self, places: Collection[str] | None = None) -> Iterator[Record]:
        """Yield records in the order of the files, one at a time.

        Parameters
        ----------
        places
            Only these, where given: others are passed over as cheaply as the format allows.
            None: all, for their places and ids.

        Raises
        ------
        IntegrityError
            If a file cannot be read from some place on; the message names it.
        """


# Imported when first used: the command line names datasets without reading molecules.
_FORMATS: Mapping[str, str] = {
    "extxyz": "matteralign.datasets.own.extxyz:ExtXyz",
    "cif-folder": "matteralign.datasets.own.crystals.cif:CifFolder",
    "ase-db": "matteralign.datasets.own.ase_db:AseDatabase",
    "sdf": "matteralign.datasets.own.sdf:Sdf",
    "smiles-csv": "matteralign.datasets.own.smiles_csv:SmilesTable",
    "fasta": "matteralign.datasets.own.fasta:Fasta",
    "structure-folder": "matteralign.datasets.own.proteins:ProteinFolder",
}


def open_format(config: OwnDataset) -> Format:
    """Return the reader of a kind of file.

    Raises
    ------
    UserError
        If the path does not exist or is of the wrong kind.
    """
    path, folder = Path(config.path), config.kind.endswith("-folder")
    if not path.exists():
        raise UserError(f"{path}: {'folder' if folder else 'file'} does not exist")
    if path.is_dir() != folder:
        raise UserError(
            f"{path}: kind {config.kind} wants a {'folder' if folder else 'file'}, this is a "
            f"{'file' if folder else 'folder'}"
        )
    module, _, name = _FORMATS[config.kind].partition(":")
    found: type[Format] = getattr(importlib.import_module(module), name)
    return found(config)


class OwnRows(Rows):
    """Rows of the user's files.

    Names are read in one pass, which finds two records of one id; a record is parsed when it
    is drawn. One that cannot be parsed is skipped, with the reason.
    """

    def __init__(self, form: Format) -> None:
        self._form = form
        self._places: dict[str, str] | None = None

    def ids(self) -> Sequence[str]:
        """Return the id of every record, in the order of the files.

        Raises
        ------
        UserError
            If two records share an id, or there are no records.
        """
        return list(self._index())

    def take(self, ids: Sequence[str]) -> list[Structure | Skipped]:
        """Return these records in this order."""
        index = self._index()
        wanted = {index[identifier]: identifier for identifier in ids}
        found: dict[str, Structure | Skipped] = {}
        for record in self._records(frozenset(wanted)):
            if record.place in wanted:
                read = attempt(record.make, record.place, record.warnings)
                found[wanted[record.place]] = self.settled(record.place, read)
                if len(found) == len(wanted):
                    break
        lost = [identifier for identifier in wanted.values() if identifier not in found]
        if lost:
            raise IntegrityError(
                f"{self._form.path}: {index[lost[0]]} is not there any more; the file changed"
            )
        return [found[identifier] for identifier in ids]

    def _index(self) -> dict[str, str]:
        if self._places is None:
            places: dict[str, str] = {}
            for record in self._records():
                # A record whose id cannot be read keeps its row: it is skipped when drawn.
                name = record.place if record.id is None else record.id
                if name in places:
                    raise UserError(
                        f"{self._form.path}: {places[name]} and {record.place} share the id "
                        f"{name!r}"
                    )
                places[name] = record.place
            if not places:
                raise UserError(f"{self._form.path}: no records of kind {self._form.config.kind}")
            self._places = places
        return self._places

    def _records(self, places: Collection[str] | None = None) -> Iterator[Record]:
        """Yield the format's records, each with what was warned of on the way to it."""
        records = self._form.records(places)
        while True:
            heard: list[str] = []
            with whole_file(self._form.path, self._form.config.kind), listening(heard):
                record = next(records, None)
            if record is None:
                return
            yield replace(record, warnings=(*record.warnings, *heard)) if heard else record
