"""A folder of mmCIF and PDB files: one row for each protein chain."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from functools import partial
from pathlib import Path

from matteralign.datasets.attempt import attempt
from matteralign.datasets.chains import read_chains
from matteralign.datasets.formats.fields import wrong_count
from matteralign.datasets.formats.folders import files_of
from matteralign.datasets.formats.pdb import pdb_chains
from matteralign.datasets.formats.text import printable
from matteralign.datasets.own import Format, Make, Record, refused
from matteralign.store.structures import Structure

_PDB = (".pdb", ".pdb.gz", ".ent", ".ent.gz")
_LARGEST = 1 << 27  # bytes of a file: about 1.4 million atoms
_OF = ": "  # between a file's name and the chain's


class ProteinFolder(Format):
    """Every ``.cif``, ``.mmcif``, ``.pdb`` and ``.ent`` below the folder, gzipped or not.

    The id is that of entry and chain, ``1ABC_A``; a file has to be read for it. A file that
    cannot be read, or has no protein chain, is one row, which is skipped.
    """

    def records(self, places: Collection[str] | None = None) -> Iterator[Record]:
        """Yield the chains in the order of the files' paths."""
        wanted = None
        if places is not None:
            wanted = {*places, *(place.rpartition(_OF)[0] for place in places)}
        for path in files_of("structure-folder", self.path):
            name = printable(path.relative_to(self.path).as_posix())
            if wanted is not None and name not in wanted:
                continue
            read = attempt(partial(_chains, path), name)
            if not read.value:
                reason = read.reason or "no protein chain with coordinates in it"
                yield Record(name, None, refused(reason), read.warnings)
            for chain in read.value or ():
                wrong = wrong_count(chain.n_atoms)
                make = _giving(chain) if wrong is None else refused(wrong)
                yield Record(f"{name}{_OF}{chain.id}", chain.id, make, read.warnings)


def _chains(path: Path) -> Sequence[Structure]:
    read = pdb_chains if path.name.lower().endswith(_PDB) else read_chains
    return read(path, _LARGEST)


def _giving(chain: Structure) -> Make:
    return lambda: chain
