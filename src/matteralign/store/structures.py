"""`structures.parquet`: the same columns for every dataset, one row per structure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from matteralign.core.errors import IntegrityError
from matteralign.core.files import atomic_path

if TYPE_CHECKING:
    import pyarrow as pa

SCHEMA_VERSION = "3"


@cache
def schema() -> pa.Schema:
    """Return the columns of the file."""
    import pyarrow as pa  # slow to import, and many who name a structure read no file

    fields = [
        pa.field("id", pa.string(), nullable=False, metadata={"doc": "unique in the dataset"}),
        pa.field("smiles", pa.string(), metadata={"doc": "RDKit canonical SMILES"}),
        pa.field("selfies", pa.string(), metadata={"doc": "SELFIES of `smiles`"}),
        pa.field("numbers", pa.list_(pa.uint8()), metadata={"doc": "atomic numbers, n"}),
        pa.field(
            "positions",
            pa.list_(pa.float64()),
            metadata={
                "doc": "Cartesian coordinates, 3n, x y z atom by atom",
                "unit": "angstrom",
            },
        ),
        pa.field(
            "cell",
            # Not of fixed length: older releases of pyarrow, which some environments need,
            # cannot read such lists where some are null.
            pa.list_(pa.float64()),
            metadata={
                "doc": "cell vectors a b c as rows, 9 numbers, or null",
                "unit": "angstrom",
            },
        ),
        pa.field("pbc", pa.list_(pa.bool_(), 3), metadata={"doc": "periodic along a b c"}),
        pa.field(
            "sequence",
            pa.string(),
            metadata={"doc": "amino acids of the whole chain, one letter each, X where unknown"},
        ),
        pa.field(
            "backbone",
            pa.list_(pa.float64()),
            metadata={
                "doc": "N, CA, C and O of each residue of `sequence`, 12 numbers each, NaN "
                "where not resolved",
                "unit": "angstrom",
            },
        ),
        pa.field("charge", pa.int32(), metadata={"doc": "total charge", "unit": "e"}),
        pa.field("spin", pa.int32(), metadata={"doc": "spin multiplicity 2S+1"}),
        pa.field("energy", pa.float64(), metadata={"doc": "DFT total energy", "unit": "eV"}),
        pa.field("has_forces", pa.bool_(), metadata={"doc": "the record has DFT forces"}),
        pa.field("split", pa.string(), metadata={"doc": "the dataset's own split"}),
        pa.field("source", pa.string(), metadata={"doc": "file and record the row came from"}),
    ]
    return pa.schema(fields)


@dataclass(frozen=True, eq=False)
class Structure:
    """One molecule, crystal or protein, as every wrapper receives it.

    Attributes
    ----------
    id
        Unique in its dataset.
    numbers
        Atomic numbers, shape (n,), uint8.
    positions
        Cartesian coordinates in Å, shape (n, 3), float64; (0, 3) where the record has none.
    cell
        Cell vectors in Å as rows, shape (3, 3), or None.
    pbc
        Periodicity along the three cell vectors, shape (3,), bool.
    sequence
        Amino acids of a protein chain, one letter each, unresolved residues included; X where
        the residue is none of the twenty and has no parent among them.
    backbone
        N, CA, C and O of each residue of `sequence` in Å, shape (L, 4, 3), float64; NaN where
        an atom was not resolved.
    charge, spin
        Total charge in e; spin multiplicity 2S + 1.
    energy
        DFT total energy in eV, or None.
    has_forces
        Whether the record has DFT forces as well; they are not kept.
    """

    id: str
    numbers: npt.NDArray[np.uint8]
    positions: npt.NDArray[np.float64]
    cell: npt.NDArray[np.float64] | None = None
    pbc: npt.NDArray[np.bool_] | None = None
    smiles: str | None = None
    selfies: str | None = None
    sequence: str | None = None
    backbone: npt.NDArray[np.float64] | None = None
    charge: int = 0
    spin: int = 1
    energy: float | None = None
    has_forces: bool = False
    split: str | None = None
    source: str | None = None

    @property
    def n_atoms(self) -> int:
        """Number of atoms."""
        return len(self.numbers)

    @property
    def periodic(self) -> bool:
        """Whether any direction is periodic."""
        return self.pbc is not None and bool(self.pbc.any())

    def digest(self) -> str:
        """Return the hex SHA-256 of everything a model can see of this structure.

        The energy and the provenance columns are left out: they do not change a latent.
        Coordinates enter as exact little-endian float64.
        """
        digest = hashlib.sha256()
        for text in (self.id, self.smiles, self.selfies):
            digest.update(repr(text).encode() + b"\0")
        digest.update(np.asarray(self.numbers, "<u1").tobytes() + b"\0")
        digest.update(np.asarray(self.positions, "<f8").tobytes() + b"\0")
        cell = b"none" if self.cell is None else np.asarray(self.cell, "<f8").tobytes()
        pbc = np.zeros(3, bool) if self.pbc is None else self.pbc
        digest.update(cell + b"\0" + np.asarray(pbc, "?").tobytes())
        digest.update(f"{self.charge} {self.spin}".encode())
        if self.sequence is not None or self.backbone is not None:
            digest.update(repr(self.sequence).encode() + b"\0")
            backbone = np.empty(0) if self.backbone is None else self.backbone
            digest.update(np.asarray(backbone, "<f8").tobytes())
        return digest.hexdigest()


def sample_set_id(structures: Iterable[Structure]) -> str:
    """Return the hash of the ordered ids and their contents: the identity of a sample set."""
    digest = hashlib.sha256()
    for structure in structures:
        digest.update(structure.digest().encode())
    return digest.hexdigest()


@dataclass(frozen=True)
class SampleSet:
    """The structures of a slice in their order, and what they are.

    Attributes
    ----------
    structures
        One per row.
    id
        The ``sample_set_id``.
    slice, dataset
        Names from the configuration.
    info
        Seed, source hash and what else the sampling stage recorded (strings).
    """

    structures: Sequence[Structure]
    id: str
    slice: str
    dataset: str
    info: dict[str, str]

    def __len__(self) -> int:
        return len(self.structures)


@dataclass(frozen=True)
class SampleHeader:
    """What a file of structures says of itself; its rows are not looked at.

    Attributes
    ----------
    sample_set_id, slice, dataset, info
        As of `SampleSet`.
    """

    sample_set_id: str
    slice: str
    dataset: str
    info: dict[str, str]


def read_header(path: str | Path) -> SampleHeader:
    """Read what a file of structures says of itself.

    Raises
    ------
    IntegrityError
        If the file is missing, damaged or does not say what it is.
    """
    from matteralign.store.parquet import read_metadata

    meta = read_metadata(path, "`sample` for this slice")
    try:
        return SampleHeader(
            meta["matteralign.sample_set_id"],
            meta["matteralign.slice"],
            meta["matteralign.dataset"],
            _info(meta),
        )
    except KeyError as error:
        raise IntegrityError(
            f"{path}: does not say its {error.args[0]}; sample this slice again"
        ) from error


def write_structures(
    path: str | Path,
    structures: Sequence[Structure],
    *,
    slice_name: str,
    dataset: str,
    info: dict[str, str] | None = None,
) -> str:
    """Write a sample set atomically and return its ``sample_set_id``.

    Raises
    ------
    IntegrityError
        If two rows share an id.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    seen: dict[str, int] = {}
    for row, structure in enumerate(structures):
        if structure.id in seen:
            raise IntegrityError(
                f"{path}: rows {seen[structure.id]} and {row} share the id {structure.id!r}"
            )
        seen[structure.id] = row
    identity = sample_set_id(structures)
    metadata = {
        "matteralign.schema": SCHEMA_VERSION,
        "matteralign.slice": slice_name,
        "matteralign.dataset": dataset,
        "matteralign.sample_set_id": identity,
    } | {f"matteralign.info.{k}": v for k, v in (info or {}).items()}
    table = pa.Table.from_pylist([_row(s) for s in structures], schema=schema())
    table = table.replace_schema_metadata(metadata)
    with atomic_path(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")
    return identity


def read_structures(path: str | Path) -> SampleSet:
    """Read a sample set and check that its content gives the id it carries.

    Raises
    ------
    IntegrityError
        If the file is missing, has another schema, or its rows do not hash to its id.
    """
    from matteralign.store.parquet import read_parquet

    table = read_parquet(path, "`sample` for this slice")
    if not table.schema.equals(schema(), check_metadata=False):
        raise IntegrityError(f"{path}: columns differ from structures schema {SCHEMA_VERSION}")
    meta = {k.decode(): v.decode() for k, v in (table.schema.metadata or {}).items()}
    structures = [_structure(row) for row in table.to_pylist()]
    identity = sample_set_id(structures)
    if meta.get("matteralign.sample_set_id") != identity:
        raise IntegrityError(
            f"{path}: rows hash to {identity[:12]}…, the file says "
            f"{meta.get('matteralign.sample_set_id', 'nothing')[:12]}…; sample this slice again"
        )
    return SampleSet(
        structures, identity, meta["matteralign.slice"], meta["matteralign.dataset"], _info(meta)
    )


def first_rows_id(path: str | Path, rows: int) -> str | None:
    """Return the ``sample_set_id`` of the first `rows` rows of a file; None: it has fewer.

    Only these rows are looked at, so of a long file little is read.

    Raises
    ------
    IntegrityError
        If the file is missing, damaged or has another schema.
    """
    from matteralign.store.parquet import read_parquet

    table = read_parquet(path, "`sample` for this slice")
    if not table.schema.equals(schema(), check_metadata=False):
        raise IntegrityError(f"{path}: columns differ from structures schema {SCHEMA_VERSION}")
    if table.num_rows < rows:
        return None
    return sample_set_id(_structure(row) for row in table.slice(0, rows).to_pylist())


@dataclass(frozen=True, eq=False)
class Compositions:
    """What energies are compared by: which atoms each structure has, and its DFT energy.

    Attributes
    ----------
    ids
        One per row.
    numbers
        Atomic numbers of each structure.
    energies
        DFT total energies in eV, shape (n,); NaN where the record has none.
    """

    ids: Sequence[str]
    numbers: Sequence[npt.NDArray[np.uint8]]
    energies: npt.NDArray[np.float64]


def read_compositions(path: str | Path) -> Compositions:
    """Read the atoms and energies of a sample set, and nothing that would be slow to read.

    Raises
    ------
    IntegrityError
        If the file is missing, damaged or has other columns.
    """
    from matteralign.store.parquet import read_parquet

    wanted = ["id", "numbers", "energy"]
    table = read_parquet(path, "`sample` for this slice", columns=wanted)
    if table.schema.names != wanted:
        raise IntegrityError(f"{path}: columns differ from structures schema {SCHEMA_VERSION}")
    lists = table["numbers"].combine_chunks()
    every = lists.values.to_numpy().astype(np.uint8)
    ends = lists.offsets.to_numpy()
    numbers = [every[a:b] for a, b in pairwise(ends)]
    return Compositions(
        table["id"].to_pylist(), numbers, table["energy"].to_numpy().astype(np.float64)
    )


def _info(meta: Mapping[str, str]) -> dict[str, str]:
    prefix = "matteralign.info."
    return {k.removeprefix(prefix): v for k, v in meta.items() if k.startswith(prefix)}


def _row(s: Structure) -> dict[str, Any]:
    return {
        "id": s.id,
        "smiles": s.smiles,
        "selfies": s.selfies,
        "numbers": s.numbers,
        "positions": np.ravel(s.positions),
        "cell": None if s.cell is None else np.ravel(s.cell),
        "pbc": [False] * 3 if s.pbc is None else s.pbc.tolist(),
        "sequence": s.sequence,
        "backbone": None if s.backbone is None else np.ravel(s.backbone),
        "charge": s.charge,
        "spin": s.spin,
        "energy": s.energy,
        "has_forces": s.has_forces,
        "split": s.split,
        "source": s.source,
    }


def _structure(row: dict[str, Any]) -> Structure:
    cell, backbone = row["cell"], row["backbone"]
    return Structure(
        id=row["id"],
        numbers=np.asarray(row["numbers"], np.uint8),
        positions=np.asarray(row["positions"], np.float64).reshape(-1, 3),
        cell=None if cell is None else np.asarray(cell, np.float64).reshape(3, 3),
        pbc=np.asarray(row["pbc"], bool),
        smiles=row["smiles"],
        selfies=row["selfies"],
        sequence=row["sequence"],
        backbone=None if backbone is None else np.asarray(backbone, np.float64).reshape(-1, 4, 3),
        charge=row["charge"],
        spin=row["spin"],
        energy=row["energy"],
        has_forces=bool(row["has_forces"]),
        split=row["split"],
        source=row["source"],
    )
