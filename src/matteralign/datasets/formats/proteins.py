"""A folder of mmCIF and PDB files: one row for each protein chain."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from matteralign.core.errors import IntegrityError
from matteralign.datasets.chains import read_chains
from matteralign.datasets.formats.pdb import pdb_chains
from matteralign.datasets.own import BadRecordError, Format, Make, Record
from matteralign.store.structures import Structure

_MMCIF = (".cif", ".cif.gz", ".mmcif", ".mmcif.gz")
_PDB = (".pdb", ".ent")


class ProteinFolder(Format):
    """Every ``.cif``, ``.cif.gz``, ``.pdb`` and ``.ent`` below the folder.

    The id is that of entry and chain, ``1ABC_A``; a file has to be read for it. A file that
    cannot be read is one row, which is skipped.
    """

    def records(self, places: Collection[str] | None = None) -> Iterator[Record]:
        """Yield the chains in the order of the files' paths."""
        for path in sorted(self.path.rglob("*")):
            if not path.name.lower().endswith((*_MMCIF, *_PDB)):
                continue
            name = path.relative_to(self.path).as_posix()
            if places is not None and not any(
                p == name or p.startswith(f"{name}:") for p in places
            ):
                continue
            try:
                chains = _chains(path)
            except IntegrityError as error:
                yield Record(name, None, _failing(str(error)))
                continue
            for chain in chains:
                yield Record(f"{name}: {chain.id}", chain.id, _giving(chain))


def _chains(path: Path) -> Sequence[Structure]:
    return pdb_chains(path) if path.name.lower().endswith(_PDB) else read_chains(path)


def _giving(chain: Structure) -> Make:
    return lambda: chain


def _failing(reason: str) -> Make:
    def make() -> Structure:
        raise BadRecordError(reason)

    return make
