"""A folder of mmCIF and PDB files: one row for each protein chain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from functools import partial
from pathlib import Path

from matteralign.datasets.base.attempt import BadRecordError, attempt
from matteralign.datasets.base.consistency import too_close
from matteralign.datasets.base.text import printable
from matteralign.datasets.own.fields import wrong_count
from matteralign.datasets.own.folders import files_of, stem
from matteralign.datasets.own.own import Format, Make, Record, refused
from matteralign.datasets.proteins.atoms import Entry
from matteralign.datasets.proteins.chains import Chain, chains_of, contents
from matteralign.datasets.proteins.mmcif import read_block, read_entry
from matteralign.datasets.proteins.pdb import read_pdb
from matteralign.store.structures import Structure

_KIND = "structure-folder"
_PDB = (".pdb", ".pdb.gz", ".ent", ".ent.gz")
_LARGEST = 1 << 27  # bytes of a file: about 1.4 million atoms
_OF = ": chain "  # between a file's name and the chain's


class ProteinFolder(Format):
    """Every ``.cif``, ``.mmcif``, ``.pdb`` and ``.ent`` below the folder, gzipped or not.

    The id is the file's path without its suffix and the chain, ``1abc_A``; of files that differ
    in their suffixes alone it keeps them, ``1abc.pdb_A``. A file has to be read for it. A file
    that cannot be read, or has no protein chain, is one row, which is skipped; so is a chain
    that contradicts itself.
    """

    def records(self, places: Collection[str] | None = None) -> Iterator[Record]:
        """Yield the chains in the order of the files' paths."""
        wanted = None
        if places is not None:
            wanted = {*places, *(place.rpartition(_OF)[0] for place in places)}
        files = {
            printable(path.relative_to(self.path).as_posix()): path
            for path in files_of(_KIND, self.path)
        }
        shared = Counter(stem(name, _KIND) for name in files)
        for name, path in files.items():
            if wanted is not None and name not in wanted:
                continue
            plain = stem(name, _KIND)
            read = attempt(partial(_chains, path, name if shared[plain] > 1 else plain), name)
            if read.reason is not None:
                yield Record(name, None, refused(read.reason), read.warnings)
            for chain in read.value or ():
                identifier = chain.made.id if isinstance(chain.made, Structure) else None
                warned = (*read.warnings, *chain.warnings)
                yield Record(f"{name}{_OF}{chain.name}", identifier, _making(chain), warned)


def _chains(path: Path, begins: str) -> Sequence[Chain]:
    entry = _entry(path)
    found = chains_of(entry, path, begins)
    if not found:
        raise BadRecordError(f"no protein chain with coordinates in it: {contents(entry)}")
    return found


def _entry(path: Path) -> Entry:
    if path.name.lower().endswith(_PDB):
        return read_pdb(path, _LARGEST)
    return read_entry(read_block(path, _LARGEST), path)


def _making(chain: Chain) -> Make:
    made = chain.made
    if isinstance(made, str):
        return refused(made)
    wrong = wrong_count(made.n_atoms) or too_close(made.positions)
    return refused(wrong) if wrong is not None else lambda: made
