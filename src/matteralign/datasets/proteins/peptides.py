"""Protein chains of ideal geometry, from torsion angles alone."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from matteralign.store.structures import Structure

Array = npt.NDArray[np.float64]

# Engh and Huber, Acta Cryst. A 1991, 47, 392: lengths in Å, angles in degrees.
_N_CA, _CA_C, _C_N, _C_O = 1.458, 1.525, 1.329, 1.231
_AT_N, _AT_CA, _AT_C, _AT_O = 121.7, 111.0, 117.2, 120.1
_TWENTY = "ACDEFGHIKLMNPQRSTVWY"
# φ, ψ and ω. A peptide bond of exactly 180° has a torsion whose sign is a matter of rounding,
# and exact repeats have equal distances: networks that see either cannot be told from noise.
_REGIONS = {"helix": (-63.0, -42.0, 178.0), "strand": (-120.0, 135.0, 178.0)}
_SPREAD = (8.0, 8.0, 5.0)


def backbone(torsions: npt.NDArray[Any]) -> Array:
    """Return N, CA, C and O of a chain in Å, shape (L, 4, 3).

    Parameters
    ----------
    torsions
        φ, ψ and ω of each residue in degrees, shape (L, 3). The first φ and the last ω place
        no atom.
    """
    n, ca = np.zeros(3), np.array([_N_CA, 0.0, 0.0])
    bend = np.radians(_AT_CA)
    c = ca + _CA_C * np.array([-np.cos(bend), np.sin(bend), 0.0])
    made = []
    for residue, (_, psi, omega) in enumerate(torsions):
        made.append([n, ca, c, place((n, ca, c), _C_O, _AT_O, psi + 180.0)])
        if residue + 1 < len(torsions):
            following = place((n, ca, c), _C_N, _AT_C, psi)
            next_ca = place((ca, c, following), _N_CA, _AT_N, omega)
            c = place((c, following, next_ca), _CA_C, _AT_CA, torsions[residue + 1][0])
            n, ca = following, next_ca
    return np.array(made)


def place(before: tuple[Array, Array, Array], length: float, angle: float, torsion: float) -> Array:
    """Return the atom bonded to the last of three.

    Parameters
    ----------
    before
        Positions a, b and c.
    length
        From c to the atom, in Å.
    angle, torsion
        b-c-atom and a-b-c-atom in degrees.
    """
    a, b, c = before
    bend, turn = np.radians(angle), np.radians(torsion)
    along = (c - b) / np.linalg.norm(c - b)
    normal = np.cross(b - a, along)
    normal /= np.linalg.norm(normal)
    frame = np.stack([along, np.cross(normal, along), normal], axis=1)
    local = np.array([-np.cos(bend), np.sin(bend) * np.cos(turn), np.sin(bend) * np.sin(turn)])
    moved: Array = c + length * (frame @ local)
    return moved


def peptide(
    length: int,
    seed: int = 0,
    region: Literal["helix", "strand"] = "helix",
    gap: Collection[int] = (),
    sequence: str | None = None,
) -> Structure:
    """Return a chain with torsions drawn about those of a helix or a strand.

    Parameters
    ----------
    gap
        Residues without coordinates.
    sequence
        One letter for each residue; drawn from the twenty where it is left out.
    """
    rng = np.random.default_rng(seed)
    atoms = backbone(rng.normal(_REGIONS[region], _SPREAD, (length, 3)))
    atoms[list(gap)] = np.nan
    kept = np.isfinite(atoms).all(axis=2)
    numbers = np.broadcast_to(np.array([7, 6, 6, 8], np.uint8), (length, 4))
    return Structure(
        id=f"{region}{length}-{seed}",
        numbers=numbers[kept],
        positions=atoms[kept],
        sequence=sequence or "".join(rng.choice(list(_TWENTY), length)),
        backbone=atoms,
    )
