"""A table of SMILES: comma-separated, the first line names the columns."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator
from dataclasses import replace
from functools import partial

from matteralign.core.errors import IntegrityError, UserError
from matteralign.core.suggest import unknown
from matteralign.datasets.base.attempt import BadRecordError
from matteralign.datasets.base.text import open_text, printable
from matteralign.datasets.own.fields import read_fields, readable, record_id
from matteralign.datasets.own.molecules import structure_of_molecule
from matteralign.datasets.own.own import Format, Record
from matteralign.store.structures import Structure


class SmilesTable(Format):
    """Molecules without coordinates, unless they are asked for."""

    def records(self, places: Collection[str] | None = None) -> Iterator[Record]:
        """Yield the rows in their order, each with the line it ends on."""
        with open_text(self.path, newline="") as lines:
            # Strict: a quote that is never closed would swallow all rows after it.
            table = csv.reader(lines, strict=True)
            try:
                head = next(table, [])
                self._check(head)
                for cells in table:
                    place = f"{self.path.name}, line {table.line_num}"
                    if cells and (places is None or place in places):
                        make = partial(self._make, head, cells, place)
                        yield Record(place, self._id(head, cells), make)
            except csv.Error as error:
                where = f"{self.path}, line {table.line_num}"
                raise IntegrityError(f"{where}: not readable as CSV: {error}") from error

    def _id(self, head: list[str], cells: list[str]) -> str | None:
        # With a cell too many or too few nobody knows which is which.
        if len(cells) != len(head):
            return None
        return record_id(dict(zip(head, cells, strict=True)), self.config)

    def _check(self, head: list[str]) -> None:
        if not head:
            raise UserError(f"{self.path}: its first line is empty; it must name the columns")
        for field, name in self.config.columns:
            if name is None:
                continue
            if name not in head:
                there = map(printable, head)
                raise UserError(f"{self.path}: columns.{field}: {unknown('column', name, there)}")
            if head.count(name) > 1:
                raise UserError(
                    f"{self.path}: columns.{field}: {head.count(name)} columns are named {name!r}"
                )

    def _make(self, head: list[str], cells: list[str], place: str) -> Structure:
        if len(cells) != len(head):
            raise BadRecordError(f"{len(cells)} cells, the first line names {len(head)} columns")
        fields = read_fields(dict(zip(head, cells, strict=True)), self.config, place)
        if fields.smiles is None:
            raise BadRecordError("it has no SMILES")
        molecule = readable(fields.smiles)
        return structure_of_molecule(molecule, replace(fields, smiles=None), place, self.config)
