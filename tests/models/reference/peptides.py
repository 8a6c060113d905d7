"""Protein chains of ideal geometry, for tests in every environment.

Bond lengths and angles are those of Engh and Huber (1991); torsions are drawn about the
helix or the strand, and about a flat peptide bond: at exactly 180° the sign of a torsion is
a matter of rounding.
"""

from __future__ import annotations

import numpy as np

from matteralign.store.structures import Structure

_TWENTY = "ACDEFGHIKLMNPQRSTVWY"
_REGIONS = {"helix": (-63.0, -42.0, 178.0), "strand": (-120.0, 135.0, 178.0)}


def _place(a, b, c, length, angle, torsion):
    """Return the atom bonded to c at `length`, with angle b-c-d and torsion a-b-c-d."""
    angle, torsion = np.radians(angle), np.radians(torsion)
    along = (c - b) / np.linalg.norm(c - b)
    normal = np.cross(b - a, along)
    normal /= np.linalg.norm(normal)
    frame = np.stack([along, np.cross(normal, along), normal], axis=1)
    turn = np.sin(angle)
    return c + length * (
        frame @ np.array([-np.cos(angle), turn * np.cos(torsion), turn * np.sin(torsion)])
    )


def backbone(torsions):
    """Return N, CA, C and O of a chain, shape (L, 4, 3), from (phi, psi, omega) in degrees."""
    n, ca = np.zeros(3), np.array([1.458, 0.0, 0.0])
    bend = np.radians(111.0)
    c = ca + 1.525 * np.array([-np.cos(bend), np.sin(bend), 0.0])
    made = []
    for i, (_, psi, omega) in enumerate(torsions):
        o = _place(n, ca, c, 1.231, 120.1, psi + 180.0)
        made.append([n, ca, c, o])
        if i + 1 < len(torsions):
            n_next = _place(n, ca, c, 1.329, 117.2, psi)
            ca_next = _place(ca, c, n_next, 1.458, 121.7, omega)
            c = _place(c, n_next, ca_next, 1.525, 111.0, torsions[i + 1][0])
            n, ca = n_next, ca_next
    return np.array(made)


def peptide(length, seed=0, region="helix", gap=(), sequence=None):
    """Return a chain; residues in `gap` have no coordinates."""
    rng = np.random.default_rng(seed)
    atoms = backbone(rng.normal(_REGIONS[region], (8.0, 8.0, 5.0), (length, 3)))
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


def chains():
    """Return chains of several lengths, three with gaps, one shorter than the others' graphs."""
    return [
        peptide(40, 1),
        peptide(75, 2, "strand", gap=range(20, 26)),
        peptide(24, 3, gap=(0, 1, 11)),
        peptide(60, 4),
        peptide(52, 5, "strand", gap=(51,)),
    ]
