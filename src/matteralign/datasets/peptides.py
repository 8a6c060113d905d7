"""Protein backbones of ideal geometry, from torsion angles alone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

# Engh and Huber, Acta Cryst. A 1991, 47, 392: lengths in Å, angles in degrees.
_N_CA, _CA_C, _C_N, _C_O = 1.458, 1.525, 1.329, 1.231
_ANGLE_N, _ANGLE_CA, _ANGLE_C, _ANGLE_O = 121.7, 111.2, 116.2, 120.8
_OMEGA = 180.0

Array = npt.NDArray[np.float64]


def ideal_backbone(length: int, phi: float, psi: float) -> Array:
    """Return N, CA, C and O of a chain with the same torsions at every residue.

    Parameters
    ----------
    length
        Number of residues, at least 1.
    phi, psi
        In degrees; −57 and −47 give an α-helix, −120 and 130 a strand.

    Returns
    -------
    ndarray
        Shape (length, 4, 3), in Å.
    """
    angle = np.radians(_ANGLE_CA)
    chain = [
        np.zeros(3),
        np.array([_N_CA, 0.0, 0.0]),
        np.array([_N_CA - _CA_C * np.cos(angle), _CA_C * np.sin(angle), 0.0]),
    ]
    for _ in range(length):  # one residue more than asked for: its N places the last O
        chain.append(place(chain[-3:], _C_N, _ANGLE_C, psi))
        chain.append(place(chain[-3:], _N_CA, _ANGLE_N, _OMEGA))
        chain.append(place(chain[-3:], _CA_C, _ANGLE_CA, phi))
    trace = np.array(chain).reshape(-1, 3, 3)
    here, following = trace[:length], trace[1:, 0]
    oxygen = [
        place([n, ca, c], _C_O, _ANGLE_O, _torsion(n, ca, c, after) + 180.0)
        for (n, ca, c), after in zip(here, following, strict=True)
    ]
    return np.concatenate([here, np.array(oxygen)[:, None]], axis=1)


def place(before: list[Array], length: float, angle: float, torsion: float) -> Array:
    """Return the next atom from three, its bond length, bond angle and torsion (degrees)."""
    a, b, c = before
    bend, turn = np.radians(angle), np.radians(torsion)
    axis = (c - b) / np.linalg.norm(c - b)
    normal = np.cross(b - a, axis)
    normal /= np.linalg.norm(normal)
    local = length * np.array(
        [-np.cos(bend), np.sin(bend) * np.cos(turn), np.sin(bend) * np.sin(turn)]
    )
    moved: Array = c + np.column_stack([axis, np.cross(normal, axis), normal]) @ local
    return moved


def _torsion(a: Array, b: Array, c: Array, d: Array) -> float:
    axis = (c - b) / np.linalg.norm(c - b)
    first = (a - b) - ((a - b) @ axis) * axis
    second = (d - c) - ((d - c) @ axis) * axis
    return float(np.degrees(np.arctan2(np.cross(axis, first) @ second, first @ second)))
