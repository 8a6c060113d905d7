"""A folder of CIF files of crystals, one crystal each."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterator
from functools import partial
from pathlib import Path

from ase.io import read

from matteralign.core.errors import told
from matteralign.datasets.formats.fields import Fields, structure_of
from matteralign.datasets.own import BadRecordError, Format, Record
from matteralign.store.structures import Structure

_DAMAGE = (
    ValueError, KeyError, IndexError, TypeError, AssertionError, AttributeError, OSError,
    RuntimeError, NotImplementedError, StopIteration,
)  # fmt: skip


class CifFolder(Format):
    """Every ``.cif`` below the folder; the id is the path without the suffix."""

    def records(self, places: Collection[str] | None = None) -> Iterator[Record]:
        """Yield the crystals in the order of their paths."""
        for path in sorted(self.path.rglob("*.cif")):
            name = path.relative_to(self.path).as_posix()
            if places is None or name in places:
                identifier = name.removesuffix(".cif")
                yield Record(name, identifier, partial(_make, path, identifier, name))


def _make(path: Path, identifier: str, place: str) -> Structure:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of tags that are not read
            atoms = read(path, format="cif", index=0)
    except _DAMAGE as error:
        raise BadRecordError(f"ASE cannot read it: {told(error)}") from error
    occupancy = atoms.info.get("occupancy")
    if occupancy and any(
        abs(sum(site.values()) - 1) > 1e-3 or len(site) > 1 for site in occupancy.values()
    ):
        raise BadRecordError("sites are occupied in part: no single arrangement of atoms")
    return structure_of(atoms, Fields(identifier, None, 0, 1, None, None), place)
