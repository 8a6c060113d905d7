"""What every model must keep to, measured on real structures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from matteralign.models.base.checks import refuse_common
from matteralign.models.base.wrapper import Embedded, Wrapper
from matteralign.models.contract.bad_inputs import check_bad_inputs
from matteralign.models.contract.clauses import (
    Check,
    bound,
    not_applicable,
    relative_deviation,
    yes,
)
from matteralign.models.contract.moves import random_rotation, reordered, rotated, shifted
from matteralign.models.inputs.placement import placed
from matteralign.store.structures import Structure

CONTRACT_VERSION = 2
"""Raised with every clause that is new or stricter: what passed before is then tried again."""

_TRANSLATION = np.array([3.7, -2.1, 0.9])
_FAR = np.array([7.1e5, -4.3e5, 2.9e5])  # Å; readers take coordinates up to 10^6
_LEAST_SHARE = 0.5
_ENERGY = 1e-4  # eV per atom: float32 networks, total energies near -10^4 eV
_REFERENCED = 3  # first and last structures: molecules and crystals
_UNSEEN = {
    "rotation": "the model does not see coordinates",
    "translation": "the model does not see coordinates",
    "permutation": "the model does not see a list of atoms",
}


def check_contract(wrapper: Wrapper, structures: Sequence[Structure]) -> list[dict[str, Any]]:
    """Measure every clause on the structures that the model takes, at most 32.

    Parameters
    ----------
    wrapper
        The loaded model.
    structures
        Structures of the kinds that the model's card accepts.

    Returns
    -------
    list of dict
        One `Check` each: coverage, parameters, rows and dimension, dtype, finite, rows differ,
        same input twice, batch of one, order, energies in a batch and against the package's
        calculator, rotation, translation, permutation, far translation, bad inputs, input
        left alone.
    """
    # As `extract` gives them to the model.
    taken = [placed(s, wrapper.card) for s in structures if wrapper.refuse(s) is None][:32]
    coverage = _coverage(wrapper, structures)
    if len(taken) < 2:
        return [asdict(coverage)]
    before = [s.digest() for s in taken]
    base = wrapper.embed(taken)
    shape = _shape(wrapper, base, len(taken))
    checks = [coverage, _parameters(wrapper), *shape]
    again = wrapper.embed(taken)
    checks.append(bound("same input twice", relative_deviation(base.latents, again.latents), 0.0))
    tolerance = wrapper.card.claims.tolerance
    single = [wrapper.embed([s]) for s in taken]
    alone = np.concatenate([e.latents for e in single])
    checks.append(bound("batch of one", relative_deviation(base.latents, alone), tolerance))
    reverse = wrapper.embed(taken[::-1]).latents[::-1]
    checks.append(bound("order", relative_deviation(base.latents, reverse), tolerance))
    checks += [_energies(taken, base, single), _reference(wrapper, taken, base)]
    checks += [*_movement(wrapper, taken, base), _far(wrapper, taken, base)]
    if all(check.status == "pass" for check in shape):
        checks += check_bad_inputs(wrapper, taken[:3], base.latents[:3])
    else:
        checks.append(yes("bad inputs", False, "not tried before rows, dtype and values hold"))
    changed = [s.id for s, digest in zip(taken, before, strict=True) if s.digest() != digest]
    checks.append(yes("input left alone", not changed, f"changed: {changed or 'none'}"))
    return [asdict(check) for check in checks]


def _coverage(wrapper: Wrapper, structures: Sequence[Structure]) -> Check:
    """At least half of what fits the card's `accepts`, and two structures, must be taken."""
    fitting = [s for s in structures if refuse_common(s, wrapper.card.accepts) is None]
    refused = {s.id: found for s in fitting if (found := wrapper.refuse(s)) is not None}
    taken = len(fitting) - len(refused)
    share = taken / max(len(fitting), 1)
    detail = f"{taken} of {len(fitting)} structures that fit the card; at least half and two"
    for name, refusal in list(refused.items())[:3]:
        detail += f"; {name}: {refusal.reason}"
    good = taken >= 2 and share >= _LEAST_SHARE
    return Check("coverage", "pass" if good else "fail", share, _LEAST_SHARE, detail)


def _parameters(wrapper: Wrapper) -> Check:
    card, found = wrapper.card.parameters.measured, wrapper.n_parameters()
    return yes("parameters", card == found, f"card {card:,}, loaded network {found:,}")


def _shape(wrapper: Wrapper, base: Embedded, rows: int) -> list[Check]:
    expected = (rows, wrapper.card.latent.dim)
    latents = base.latents
    return [
        yes("rows and dimension", latents.shape == expected, f"{latents.shape} of {expected}"),
        yes("dtype", latents.dtype == np.float32, str(latents.dtype)),
        yes("finite", bool(np.isfinite(latents).all()), "every value"),
        yes("rows differ", len(np.unique(latents, axis=0)) > 1, "not one vector for all"),
    ]


def _energies(taken: Sequence[Structure], base: Embedded, single: Sequence[Embedded]) -> Check:
    name = "energies in a batch"
    if base.energies is None:
        return not_applicable(name, "the model predicts no energy")
    alone = np.array([np.nan if e.energies is None else e.energies[0] for e in single])
    deviation = float((np.abs(base.energies - alone) / _atoms(taken)).max())
    return bound(name, deviation, _ENERGY, "largest deviation from a batch of one, eV per atom")


def _reference(wrapper: Wrapper, taken: Sequence[Structure], base: Embedded) -> Check:
    name = "energies of the package"
    if base.energies is None:
        return not_applicable(name, "the model predicts no energy")
    rows = sorted({*range(len(taken))[:_REFERENCED], *range(len(taken))[-_REFERENCED:]})
    found = {row: wrapper.reference_energy(taken[row]) for row in rows}
    if any(energy is None for energy in found.values()):
        return not_applicable(name, "the wrapper names no calculator of the package")
    atoms = _atoms([taken[row] for row in rows])
    package = np.array(list(found.values()), np.float64)
    deviation = float((np.abs(base.energies[rows] - package) / atoms).max())
    return bound(name, deviation, _ENERGY, "largest deviation from its calculator, eV per atom")


def _atoms(structures: Sequence[Structure]) -> npt.NDArray[np.float64]:
    return np.array([s.n_atoms for s in structures], np.float64)


def _movement(wrapper: Wrapper, taken: Sequence[Structure], base: Embedded) -> list[Check]:
    card, checks = wrapper.card, []
    claims = {
        "rotation": card.claims.rotation,
        "translation": card.claims.translation,
        "permutation": card.permutation,
    }
    for name, claim in claims.items():
        if claim == "not applicable":
            checks.append(not_applicable(name, _UNSEEN[name]))
            continue
        moved = [_moved(s, name, i) for i, s in enumerate(taken)]
        expected = base.latents
        if claim == "equivariant":
            rows = [
                wrapper.turned(row[None], random_rotation(7 + i)) for i, row in enumerate(expected)
            ]
            expected = np.concatenate(rows)
        deviation = relative_deviation(expected, wrapper.embed(moved).latents)
        tolerance = card.claims.tolerance
        clause = bound(name, deviation, tolerance, f"card claims {claim}; largest deviation")
        if claim == "not invariant":  # then it must be seen
            clause = replace(clause, status="pass" if deviation > tolerance else "fail")
        checks.append(clause)
    return checks


def _far(wrapper: Wrapper, taken: Sequence[Structure], base: Embedded) -> Check:
    name, claims = "far translation", wrapper.card.claims
    if claims.translation != "invariant":
        return not_applicable(name, f"the card claims {claims.translation} of translations")
    moved = [placed(shifted(s, _FAR), wrapper.card) for s in taken]
    deviation = relative_deviation(base.latents, wrapper.embed(moved).latents)
    return bound(name, deviation, claims.tolerance, f"moved by {np.linalg.norm(_FAR):,.0f} Å")


def _moved(structure: Structure, how: str, seed: int) -> Structure:
    if how == "rotation":
        return rotated(structure, random_rotation(7 + seed))
    return shifted(structure, _TRANSLATION) if how == "translation" else reordered(structure, seed)
