"""A dataset of the user's own as the rest of the project sees a dataset."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matteralign.config.datasets import OwnDataset
from matteralign.core.hashing import sha256_file
from matteralign.datasets.base.dataset import Rows
from matteralign.datasets.base.offers import Offers
from matteralign.datasets.own.folders import SUFFIXES, files_of
from matteralign.datasets.own.own import OwnRows, open_format
from matteralign.sources.wanted import Wanted

_GIVES: Mapping[str, frozenset[str]] = {
    "extxyz": frozenset({"atoms", "positions"}),
    "ase-db": frozenset({"atoms", "positions"}),
    "cif-folder": frozenset({"atoms", "positions"}),
    "sdf": frozenset({"atoms", "positions", "smiles", "selfies"}),
    "smiles-csv": frozenset({"atoms", "smiles", "selfies"}),
    "fasta": frozenset({"sequence"}),
    "structure-folder": frozenset({"atoms", "positions", "sequence", "backbone"}),
}
_PERIODIC: Mapping[str, bool | None] = {"extxyz": None, "ase-db": None, "cif-folder": True}
# Raised whenever the same files would give other rows: slices are then drawn again.
_REVISIONS: Mapping[str, int] = {
    "extxyz": 4,
    "ase-db": 4,
    "cif-folder": 4,
    "sdf": 3,
    "smiles-csv": 3,
    "fasta": 3,
    "structure-folder": 4,
}


@dataclass(frozen=True)
class OwnSource:
    """Files on this machine under a name of the configuration."""

    name: str
    config: OwnDataset

    @property
    def facts(self) -> dict[str, str]:
        """What is recorded of the data with every slice."""
        return {
            "level_of_theory": self.config.level_of_theory,
            "licence": self.config.licence,
            "citation": self.config.citation,
        }

    @property
    def later(self) -> str | None:
        """What is fetched only when rows are drawn: nothing."""
        return None

    def wanted(self) -> list[Wanted]:
        """Return what is to be fetched: nothing."""
        return []

    def offers(self) -> Offers:
        """Return what rows have, as far as kind and mapping say."""
        gives = _GIVES[self.config.kind]
        if self.config.columns.smiles is not None:
            gives |= {"smiles", "selfies"}
        if self.config.embed_3d:
            gives |= {"positions"}
        return Offers(gives, periodic=_PERIODIC.get(self.config.kind, False))

    def identity(self) -> dict[str, Any]:
        """Return what decides the rows beside the draw and the contents of the files."""
        own = self.config.decisive()
        return {"dataset": self.name, "reader": _REVISIONS[self.config.kind], "own": own}

    def inputs(self) -> list[Path]:
        """Return the files that exist, in the order of their paths."""
        path = Path(self.config.path)
        if self.config.kind not in SUFFIXES or not path.is_dir():
            return [path] if path.is_file() else []
        return files_of(self.config.kind, path)

    def listing(self) -> str | None:
        """Return None: every file is an input, so no hash of a listing is needed."""
        return None

    def open(self, report: Callable[[str], None]) -> Rows:
        """Return the reader.

        Raises
        ------
        UserError
            If the files do not exist.
        """
        return OwnRows(open_format(self.config))

    def record(self, report: Callable[[str], None], jobs: int) -> dict[str, object]:
        """Return the record of what is there: hash and size of each file.

        Raises
        ------
        UserError
            If the files do not exist.
        """
        open_format(self.config)
        files = {
            path.as_posix(): {"sha256": sha256_file(path), "size": path.stat().st_size}
            for path in self.inputs()
        }
        return {"dataset": self.name, "licence": self.config.licence, "files": files}
