"""A folder of CIF files of crystals, one crystal each."""

from __future__ import annotations

import io
from collections.abc import Collection, Iterator
from functools import partial
from pathlib import Path

from ase import Atoms
from ase.io.cif import parse_cif

from matteralign.datasets.attempt import BadRecordError, blamed
from matteralign.datasets.contents import read_contents
from matteralign.datasets.formats.fields import Fields, structure_of, wrong_count
from matteralign.datasets.formats.folders import files_of, stem
from matteralign.datasets.formats.text import flaw, printable
from matteralign.datasets.own import Format, Record
from matteralign.store.structures import Structure

_LARGEST = 1 << 24  # bytes of a file
# ASE compares every site with every other, and every image of a site with every other.
_MOST_SITES = 2000
_MOST_OPERATIONS = 192  # of the space groups with the most
_OPERATIONS = (
    "_space_group_symop_operation_xyz",
    "_space_group_symop.operation_xyz",
    "_symmetry_equiv_pos_as_xyz",
)


class CifFolder(Format):
    """Every ``.cif`` and ``.cif.gz`` below the folder; the id is the path without the suffix."""

    def records(self, places: Collection[str] | None = None) -> Iterator[Record]:
        """Yield the crystals in the order of their paths."""
        for path in files_of("cif-folder", self.path):
            name = path.relative_to(self.path).as_posix()
            place = printable(name)
            if places is None or place in places:
                identifier = stem(place, "cif-folder")
                make = partial(_make, path, identifier, place)
                yield Record(place, None if flaw(identifier) else identifier, make)


def _make(path: Path, identifier: str, place: str) -> Structure:
    raw = read_contents(path, _LARGEST)
    with blamed("ASE cannot read it"):
        atoms = _crystal(raw)
    occupancy = atoms.info.get("occupancy")
    if occupancy and any(
        abs(sum(site.values()) - 1) > 1e-3 or len(site) > 1 for site in occupancy.values()
    ):
        raise BadRecordError("sites are occupied in part: no single arrangement of atoms")
    return structure_of(atoms, Fields(identifier), place)


def _crystal(raw: bytes) -> Atoms:
    blocks = [block for block in parse_cif(io.BytesIO(raw)) if block.has_structure()]
    if len(blocks) != 1:
        raise BadRecordError(f"{len(blocks)} crystals in it; a file has one")
    wrong = wrong_count(len(blocks[0].get_symbols()), _MOST_SITES)
    if wrong is not None:
        raise BadRecordError(f"sites as {wrong} from CIF; extended XYZ takes more")
    for tag in _OPERATIONS:
        operations = blocks[0].get(tag)
        if isinstance(operations, list) and len(operations) > _MOST_OPERATIONS:
            raise BadRecordError(
                f"{len(operations):,} symmetry operations; no space group has them"
            )
    return blocks[0].get_atoms()
