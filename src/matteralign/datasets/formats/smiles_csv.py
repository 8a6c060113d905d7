"""A table of SMILES: comma-separated, the first line names the columns."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator
from functools import partial

from rdkit import Chem

from matteralign.core.errors import IntegrityError, UserError
from matteralign.core.suggest import unknown
from matteralign.datasets.formats.fields import read_fields, readable, record_id
from matteralign.datasets.formats.molecules import structure_of_molecule
from matteralign.datasets.own import BadRecordError, Format, Record
from matteralign.store.structures import Structure


class SmilesTable(Format):
    """Molecules without coordinates, unless they are asked for."""

    def records(self, places: Collection[str] | None = None) -> Iterator[Record]:
        """Yield the rows in their order, each with the line it ends on."""
        with open(self.path, encoding="utf-8-sig", errors="surrogateescape", newline="") as lines:
            table = csv.reader(lines)
            try:
                head = next(table, [])
                self._check(head)
                for cells in table:
                    place = f"{self.path.name}, line {table.line_num}"
                    if cells and (places is None or place in places):
                        values = dict(zip(head, cells, strict=False))
                        identifier = record_id(values, self.config)
                        make = partial(self._make, head, cells, place)
                        yield Record(place, identifier, make)
            except csv.Error as error:
                where = f"{self.path}, line {table.line_num}"
                raise IntegrityError(f"{where}: not readable as CSV: {error}") from error

    def _check(self, head: list[str]) -> None:
        for field, name in self.config.columns:
            if name is not None and name not in head:
                raise UserError(f"{self.path}: columns.{field}: {unknown('column', name, head)}")

    def _make(self, head: list[str], cells: list[str], place: str) -> Structure:
        if len(cells) != len(head):
            raise BadRecordError(f"{len(cells)} cells, the first line names {len(head)} columns")
        fields = read_fields(dict(zip(head, cells, strict=True)), self.config, place)
        if fields.smiles is None:
            raise BadRecordError("it has no SMILES")
        return structure_of_molecule(
            Chem.MolFromSmiles(readable(fields.smiles)),
            fields,
            place,
            embed=self.config.embed_3d,
            charge_given=self.config.columns.charge is not None,
        )
