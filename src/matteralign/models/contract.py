"""What every model must keep to, measured on real structures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from matteralign.models.base import Embedded, Wrapper
from matteralign.store.structures import Structure

_TRANSLATION = np.array([3.7, -2.1, 0.9])


@dataclass(frozen=True)
class Check:
    """One clause of the contract.

    Attributes
    ----------
    check
        Its name.
    status
        ``pass``, ``fail`` or ``not_applicable``.
    measured, tolerance
        The number found and its bound; None where the clause is yes or no.
    detail
        One sentence.
    """

    check: str
    status: str
    measured: float | None
    tolerance: float | None
    detail: str


def relative_deviation(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> float:
    """Return the largest ‖a_i − b_i‖ / ‖a_i‖ over the rows, computed in float64."""
    first, second = np.asarray(a, np.float64), np.asarray(b, np.float64)
    norms = np.linalg.norm(first, axis=1)
    return float((np.linalg.norm(first - second, axis=1) / np.where(norms == 0, 1, norms)).max())


def rotated(structure: Structure, rotation: npt.NDArray[np.float64]) -> Structure:
    """Return `structure` turned by a rotation matrix, its cell and backbone with it."""
    cell = None if structure.cell is None else structure.cell @ rotation.T
    backbone = None if structure.backbone is None else structure.backbone @ rotation.T
    positions = structure.positions @ rotation.T
    return replace(structure, positions=positions, cell=cell, backbone=backbone)


def shifted(structure: Structure, by: npt.NDArray[np.float64]) -> Structure:
    """Return `structure` moved by a vector in Å."""
    backbone = None if structure.backbone is None else structure.backbone + by
    return replace(structure, positions=structure.positions + by, backbone=backbone)


def random_rotation(seed: int) -> npt.NDArray[np.float64]:
    """Return a rotation matrix drawn uniformly (QR of a Gaussian matrix, signs fixed)."""
    q, r = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    return q if np.linalg.det(q) > 0 else -q


def check_contract(wrapper: Wrapper, structures: Sequence[Structure]) -> list[dict[str, Any]]:
    """Measure every clause on the structures that the model takes, at most 32.

    Parameters
    ----------
    wrapper
        The loaded model.
    structures
        Real structures; those the model refuses are left out.

    Returns
    -------
    list of dict
        One `Check` each: parameters, rows, dtype, dimension, finite, same input twice,
        batch of one, order, input left alone, energies, rotation, translation, empty
        structure refused.
    """
    taken = [s for s in structures if wrapper.refuse(s) is None][:32]
    if len(taken) < 2:
        return [asdict(Check("structures", "fail", float(len(taken)), 2.0, "too few accepted"))]
    before = [s.digest() for s in taken]
    base = wrapper.embed(taken)
    checks = [_parameters(wrapper), *_shape(wrapper, base, len(taken))]
    again = wrapper.embed(taken)
    checks.append(_bound("same input twice", relative_deviation(base.latents, again.latents), 0.0))
    tolerance = wrapper.card.claims.tolerance
    single = [wrapper.embed([s]) for s in taken]
    alone = np.concatenate([e.latents for e in single])
    checks.append(_bound("batch of one", relative_deviation(base.latents, alone), tolerance))
    reverse = wrapper.embed(taken[::-1]).latents[::-1]
    checks.append(_bound("order", relative_deviation(base.latents, reverse), tolerance))
    checks.append(_energies(taken, base, single))
    checks += _movement(wrapper, taken, base)
    checks.append(_empty(wrapper))
    changed = [s.id for s, digest in zip(taken, before, strict=True) if s.digest() != digest]
    checks.append(_yes("input left alone", not changed, f"changed: {changed or 'none'}"))
    return [asdict(check) for check in checks]


def _yes(name: str, good: bool, detail: str) -> Check:
    return Check(name, "pass" if good else "fail", None, None, detail)


def _bound(name: str, measured: float, tolerance: float, detail: str = "") -> Check:
    status = "pass" if measured <= tolerance else "fail"
    return Check(name, status, measured, tolerance, detail or "largest relative deviation")


def _parameters(wrapper: Wrapper) -> Check:
    card, found = wrapper.card.parameters.measured, wrapper.n_parameters()
    return _yes("parameters", card == found, f"card {card:,}, loaded network {found:,}")


def _shape(wrapper: Wrapper, base: Embedded, rows: int) -> list[Check]:
    expected = (rows, wrapper.card.latent.dim)
    latents = base.latents
    return [
        _yes("rows and dimension", latents.shape == expected, f"{latents.shape} of {expected}"),
        _yes("dtype", latents.dtype == np.float32, str(latents.dtype)),
        _yes("finite", bool(np.isfinite(latents).all()), "every value"),
        _yes("rows differ", len(np.unique(latents, axis=0)) > 1, "not one vector for all"),
    ]


def _energies(taken: Sequence[Structure], base: Embedded, single: Sequence[Embedded]) -> Check:
    name = "energies in a batch"
    if base.energies is None:
        return Check(name, "not_applicable", None, None, "the model predicts no energy")
    alone = np.array([0.0 if e.energies is None else e.energies[0] for e in single])
    atoms = np.array([s.n_atoms for s in taken])
    deviation = float((np.abs(base.energies - alone) / atoms).max())
    return _bound(name, deviation, 1e-4, "largest deviation from a batch of one, eV per atom")


def _movement(wrapper: Wrapper, taken: Sequence[Structure], base: Embedded) -> list[Check]:
    claims, checks = wrapper.card.claims, []
    for name, claim in (("rotation", claims.rotation), ("translation", claims.translation)):
        if claim == "not applicable":
            detail = "the model does not see coordinates"
            checks.append(Check(name, "not_applicable", None, None, detail))
            continue
        moved = [
            rotated(s, random_rotation(7 + i)) if name == "rotation" else shifted(s, _TRANSLATION)
            for i, s in enumerate(taken)
        ]
        expected = base.latents
        if claim == "equivariant":
            rows = [
                wrapper.turned(row[None], random_rotation(7 + i)) for i, row in enumerate(expected)
            ]
            expected = np.concatenate(rows)
        deviation = relative_deviation(expected, wrapper.embed(moved).latents)
        good = (deviation <= claims.tolerance) == (claim != "not invariant")
        detail = f"card claims {claim}; largest relative deviation"
        checks.append(Check(name, "pass" if good else "fail", deviation, claims.tolerance, detail))
    return checks


def _empty(wrapper: Wrapper) -> Check:
    name = "empty structure refused"
    if wrapper.card.accepts.needs == "nothing":
        return Check(name, "not_applicable", None, None, "the model takes anything")
    empty = Structure(
        "empty", np.empty(0, np.uint8), np.empty((0, 3)), smiles="", selfies="", sequence=""
    )
    found = wrapper.refuse(empty)
    return _yes(name, found is not None and found.code == "empty", f"refused as {found}")
