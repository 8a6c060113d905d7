"""SDF, record by record; names are those of the data fields, ``_Name`` the title line."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import partial

from rdkit import Chem
from rdkit.rdBase import BlockLogs

from matteralign.datasets.formats.fields import read_fields, record_id
from matteralign.datasets.formats.molecules import structure_of_molecule
from matteralign.datasets.own import BadRecordError, Format, Record
from matteralign.store.structures import Structure

_END = "$$$$"


class Sdf(Format):
    """Molecules with coordinates where a record has three dimensions, else without."""

    def records(self, places: Collection[str] | None = None) -> Iterator[Record]:
        """Yield the molecules in their order."""
        for number, text in enumerate(self._texts()):
            place = f"{self.path.name}, record {number}"
            if places is None or place in places:
                identifier = record_id(_fields(text), self.config) if places is None else None
                yield Record(place, identifier, partial(self._make, text, place))

    def _texts(self) -> Iterator[str]:
        lines: list[str] = []
        with open(self.path, encoding="utf-8", errors="replace") as source:
            for line in source:
                if line.rstrip() == _END:
                    yield "".join(lines)
                    lines = []
                else:
                    lines.append(line)
        if any(line.strip() for line in lines):
            yield "".join(lines)

    def _make(self, text: str, place: str) -> Structure:
        supplier = Chem.SDMolSupplier()
        with BlockLogs():
            supplier.SetData(f"{text}{_END}\n", removeHs=False)
            molecule = supplier[0] if len(supplier) else None
        if molecule is None:
            raise BadRecordError("RDKit cannot read it")
        fields = read_fields(_fields(text), self.config, place)
        return structure_of_molecule(
            molecule,
            fields,
            place,
            embed=self.config.embed_3d,
            charge_given=self.config.columns.charge is not None,
        )


def _fields(text: str) -> dict[str, str]:
    """Return the data fields of a record: ``> <name>``, lines, an empty line."""
    lines = text.splitlines()
    found = {"_Name": lines[0].strip() if lines else ""}
    name: str | None = None
    for line in lines:
        if line.startswith(">") and "<" in line and ">" in line[line.index("<") :]:
            start = line.index("<") + 1
            name = line[start : line.index(">", start)]
            found[name] = ""
        elif name is not None and line.strip():
            found[name] = f"{found[name]}\n{line}".strip()
        else:
            name = None
    return found
