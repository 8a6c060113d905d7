"""What the publishers' servers serve, in the containers that they chose, on the test's server.

A mirror holds every file below the name of its host, so cards and addresses are the real ones.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from ase import Atoms
from ase.build import bulk, molecule

from matteralign.datasets.base.catalogue import get_dataset
from matteralign.datasets.proteins.peptides import peptide
from tests.datasets.chain_files import entries_idx, write_chains
from tests.datasets.lmdb_files import calculated, tar_gz, write
from tests.serving import Server

Records = Sequence[tuple[Atoms, Mapping[str, Any]]]
_STATES = [("H2O", 0, 1), ("NO", 0, 2), ("O2", 0, 3), ("NH3", 1, 2), ("OH", -1, 1), ("C6H6", 0, 1)]


def path_of(address: str) -> str:
    """Return where a mirror has a file."""
    parts = urlsplit(address)
    return f"/{parts.netloc}{parts.path}"


def publish_databases(server: Server, dataset: str, records: Records, work: Path) -> list[str]:
    """Serve records as the archives of a dataset, dealt out among them; return their paths."""
    files = get_dataset(dataset).version.files
    paths = []
    for i, pinned in enumerate(files):
        folder = pinned.name.removesuffix(".tar.gz")
        body = write(work / "written", records[i :: len(files)])
        address = pinned.sources[0].url  # type: ignore[union-attr]
        paths.append(path_of(address))
        server.put(paths[-1], tar_gz({f"{folder}/data0000.aselmdb": body}))
    return paths


def publish_entries(server: Server, entries: Mapping[str, bytes]) -> None:
    """Serve entries of the Protein Data Bank with their lists: one cluster for each."""
    version = get_dataset("rcsb").version
    for entry, content in entries.items():
        body = gzip.compress(content, mtime=0)
        server.put(path_of(f"{version.options['files']}/{entry}.cif.gz"), body)
    lists = {
        "entries.idx": entries_idx([(entry, "", "") for entry in sorted(entries)]),
        "clusters-by-entity-30.txt": "".join(f"{entry}_1\n" for entry in sorted(entries)).encode(),
    }
    for pinned in version.files:
        address = pinned.sources[0].url  # type: ignore[union-attr]
        server.put(path_of(address), lists[pinned.name])


def rattled_crystals(n: int) -> Records:
    """Return rattled crystals of eight substances with energies."""
    kinds = [bulk(e) for e in ("Cu", "Al", "Si", "Fe")] + [
        bulk("NaCl", "rocksalt", a=5.64), bulk("MgO", "rocksalt", a=4.21),
        bulk("GaAs", "zincblende", a=5.65), bulk("CsCl", "cesiumchloride", a=4.12),
    ]  # fmt: skip
    made = []
    for i in range(n):
        atoms = kinds[i % len(kinds)] * (1, 1, 2)
        atoms.rattle(0.08, seed=i)
        made.append((calculated(atoms, -4.0 * len(atoms) - i), {}))
    return made


def rattled_molecules(n: int) -> Records:
    """Return rattled molecules, some charged, some of open shells."""
    made = []
    for i in range(n):
        name, charge, spin = _STATES[i % len(_STATES)]
        atoms = molecule(name)
        atoms.rattle(0.05, seed=i)
        made.append((calculated(atoms, -1000.0 - i), {"charge": charge, "spin": spin}))
    return made


def peptide_entries(n: int, work: Path) -> dict[str, bytes]:
    """Return entries of one helix or strand each."""
    rng, made = np.random.default_rng(0), {}
    for i in range(n):
        path = work / f"{i // 10 + 1}AA{'ABCDEFGHIJ'[i % 10]}.cif"
        write_chains(path, [peptide(int(rng.integers(31, 45)), i, ("helix", "strand")[i % 2])])
        made[path.stem] = path.read_bytes()
    return made
