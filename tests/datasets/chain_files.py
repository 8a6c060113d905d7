"""mmCIF files of protein chains, written by biotite."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import biotite.structure as bs
import numpy as np
from biotite.structure.io import pdbx

from matteralign.datasets.proteins.chains import BACKBONE
from matteralign.datasets.proteins.residues import LETTERS
from matteralign.store.structures import Structure

_COMPONENTS = {letter: comp for comp, letter in LETTERS.items()}


def entries_idx(rows: Sequence[tuple[str, str, str]]) -> bytes:
    """Return the archive's table of entries; rows are id, resolution, method."""
    head = (
        "IDCODE, HEADER, ACCESSION DATE, COMPOUND, SOURCE, AUTHOR LIST, RESOLUTION, "
        "EXPERIMENT TYPE (IF NOT X-RAY)\n------- ------- --------------- --------- -------\n"
    )
    lines = [
        "\t".join([entry, "HEAD", "01/01/01", "COMPOUND", "SOURCE", "Doe, J.", resolution, method])
        for entry, resolution, method in rows
    ]
    return (head + "\n".join(lines) + "\n").encode()


def write_chains(
    path: Path,
    chains: Sequence[Structure],
    *,
    entities: Sequence[int] | None = None,
    method: str = "X-RAY DIFFRACTION",
    resolution: float | None = 2.0,
) -> Any:
    """Write chains A, B, … of full backbones and return their atoms; `entities` number them."""
    parts = []
    for letter, chain in zip("ABCDEFGH", chains, strict=False):
        assert chain.sequence is not None
        assert chain.backbone is not None
        length = len(chain.sequence)
        atoms = bs.AtomArray(4 * length)
        atoms.coord = chain.backbone.reshape(-1, 3)
        atoms.atom_name = np.array([*BACKBONE] * length)
        atoms.element = np.array([*"NCCO"] * length)
        atoms.res_name = np.repeat([_COMPONENTS[residue] for residue in chain.sequence], 4)
        atoms.res_id = np.repeat(np.arange(1, length + 1), 4)
        atoms.chain_id = np.array([letter] * 4 * length)
        parts.append(atoms)
    whole = bs.concatenate(parts)
    file = pdbx.CIFFile()
    pdbx.set_structure(file, whole, data_block=path.name.split(".")[0])
    block = file.block
    names = [*"ABCDEFGH"[: len(chains)]]
    numbers = list(entities or range(1, len(chains) + 1))
    block["struct_asym"] = pdbx.CIFCategory(
        {"id": names, "entity_id": [str(number) for number in numbers]}
    )
    block["exptl"] = pdbx.CIFCategory({"method": method})
    if resolution is not None:
        block["refine"] = pdbx.CIFCategory({"ls_d_res_high": str(resolution)})
    file.write(str(path))
    return whole
