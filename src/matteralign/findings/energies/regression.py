"""Energies of models against those of DFT, each freed from what composition alone explains.

Models learnt energies of different levels of theory, with different energies of the free atoms.
A linear function of the composition takes both away (equations 1 to 4 of arXiv 2512.03750):
``E ≈ w·c + b`` with the counts c of the elements is fitted to the DFT energies and, separately,
to each model's energies of the same structures. What is left, ``ΔE = E − fit``, is compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from matteralign.stats.blocks import LEAST_ROWS, block_of
from matteralign.stats.jackknife import interval

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.bool_]

# Eigenvalues and 1 - leverage below this are what rounding left of zero. The smallest that
# counts of atoms can make of a few hundred thousand structures are far above it.
_ZERO = 1e-9
# A residual this small against the energies is what rounding left of zero.
_ROUNDING = 128 * np.finfo(float).eps
# Coefficients by structure from which on it is told that a fit makes errors too small.
_TOO_MANY = 0.05


@dataclass(frozen=True)
class CompositionSpace:
    """All linear functions of the composition, on some structures.

    Attributes
    ----------
    counts : ndarray of int, shape (n, e)
        Atoms of each element in each structure.
    """

    counts: npt.NDArray[np.int64]

    @cached_property
    def basis(self) -> Floats:
        """Orthonormal columns that span the counts and a constant, shape (n, rank)."""
        ones = np.ones((len(self.counts), 1))
        # The span stays the same; constant columns vanish, and the others need no constant.
        centred = self.counts - self.counts.mean(axis=0)
        left, sizes, _ = np.linalg.svd(centred, full_matrices=False)
        least = max(centred.shape, default=0) * np.finfo(float).eps * sizes.max(initial=0.0)
        return np.hstack([ones / np.sqrt(max(len(ones), 1)), left[:, sizes > least]])

    @property
    def n(self) -> int:
        """Number of structures."""
        return len(self.counts)

    @property
    def coefficients(self) -> int:
        """Number of coefficients of the function: one for each element that occurs, and b."""
        return int(np.count_nonzero(self.counts.any(axis=0))) + 1

    @property
    def rank(self) -> int:
        """How many of the coefficients the structures tell apart."""
        return int(self.basis.shape[1])

    @cached_property
    def leverage(self) -> Floats:
        """Share of each structure's energy that its own energy decides in the fit, shape (n,)."""
        share: Floats = (self.basis**2).sum(axis=1)
        return np.minimum(share, 1.0)

    @cached_property
    def fixed(self) -> Rows:
        """Structures whose residual is 0 whatever their energy: nothing else is like them."""
        return self.leverage > 1.0 - _ZERO

    def residuals(self, energies: Floats) -> Floats:
        """Return what a least-squares fit leaves of energies, shape (n,) or (n, m), eV.

        Where the counts do not decide the coefficients, every least-squares solution, that of
        least norm among them, leaves the same.
        """
        left = energies - energies.mean(axis=0)  # total energies are large, what is left is small
        for _ in range(2):
            left = left - self.basis @ (self.basis.T @ left)
        left[self.fixed] = 0.0
        rounded = np.abs(left).max(axis=0) <= _ROUNDING * np.abs(energies).max(axis=0)
        return np.where(rounded, 0.0, left)

    def without(self, out: Rows, residuals: Floats) -> Floats:
        """Return the residuals of a fit to the structures that are not left `out`.

        Parameters
        ----------
        out : ndarray of bool, shape (n,)
        residuals : ndarray, shape (n, m)
            Of the fit to all, from `residuals`.
        """
        kept = self.basis[~out]
        values, vectors = np.linalg.eigh(kept.T @ kept)
        known = vectors[:, values > _ZERO]
        span = kept @ (known / np.sqrt(values[values > _ZERO]))
        left = residuals[~out]
        for _ in range(2):
            left = left - span @ (span.T @ left)
        return left


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval; None where there is none.

    Attributes
    ----------
    replicates
        The number without each block of structures in turn.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    replicates: tuple[float, ...] = ()


_NONE = Estimate(None)


@dataclass(frozen=True)
class EnergyRegression:
    """How far a model's energies are from those of DFT, composition aside.

    Attributes
    ----------
    n : int
        Structures with both energies.
    elements, rank, coefficients : int
        Elements that occur; coefficients of the fit, and how many of them the structures decide.
    fixed : int
        Structures whose residual is 0 by construction.
    mae, mae_per_atom : Estimate
        Mean of ``|ΔE_DFT − ΔE_model|`` in eV per structure, and of the same divided by the
        structure's number of atoms in eV per atom.
    left_out, left_out_per_atom : float or None
        The same where each structure is left out of the fit that it is compared with; fixed
        structures have no such difference. None where all are fixed.
    slope : Estimate
        Of ΔE_model on ΔE_DFT.
    correlation, r2 : float or None
        Pearson's between the two, and ``1 − Σ(ΔE_DFT − ΔE_model)² / ΣΔE_DFT²``.
    composition_mae, composition_mae_per_atom : float or None
        Mean of ``|ΔE_DFT|``: the error of a model that knows the composition and nothing else.
    composition_r2, composition_r2_dft : float or None
        Share of the variance of the model's, and of the DFT energies, that composition explains.
    rows, predicted : ndarray, shape (n,)
        The structures, and the model's energies in eV.
    deviation, dft_deviation : ndarray, shape (n,)
        ΔE of the model and of DFT in eV.
    status, reason, note : str
        ``ok`` or ``not_applicable``, why, and what to know before a number is used.
    """

    status: str = "ok"
    reason: str = ""
    note: str = ""
    n: int = 0
    elements: int = 0
    rank: int = 0
    coefficients: int = 0
    fixed: int = 0
    mae: Estimate = _NONE
    mae_per_atom: Estimate = _NONE
    left_out: float | None = None
    left_out_per_atom: float | None = None
    slope: Estimate = _NONE
    correlation: float | None = None
    r2: float | None = None
    composition_mae: float | None = None
    composition_mae_per_atom: float | None = None
    composition_r2: float | None = None
    composition_r2_dft: float | None = None
    rows: npt.NDArray[np.intp] = field(default_factory=lambda: np.empty(0, np.intp))
    predicted: Floats = field(default_factory=lambda: np.empty(0))
    deviation: Floats = field(default_factory=lambda: np.empty(0))
    dft_deviation: Floats = field(default_factory=lambda: np.empty(0))


def energy_regressions(
    counts: npt.NDArray[np.int64], dft: Floats, predicted: Mapping[str, Floats]
) -> dict[str, EnergyRegression]:
    """Compare the energies of models with those of DFT (equations 1 to 4 of arXiv 2512.03750).

    Intervals are those of the delete-a-group jackknife over the blocks of structures that
    scores use, with both fits made again without each block.

    Parameters
    ----------
    counts : ndarray of int, shape (n, e)
        Atoms of each element in each structure of the slice.
    dft : ndarray, shape (n,)
        DFT energies in eV; NaN where a structure has none.
    predicted
        Energies of each model in eV, shape (n,); NaN where it has none.

    Returns
    -------
    dict
        By model, in the order given.

    Raises
    ------
    ValueError
        If the shapes do not fit together.
    """
    groups: dict[bytes, list[str]] = {}
    known: dict[str, Rows] = {}
    for key, energies in predicted.items():
        if energies.shape != dft.shape or len(counts) != len(dft):
            raise ValueError(f"{key}: {len(energies)} energies of {len(dft)} structures")
        known[key] = np.isfinite(energies) & np.isfinite(dft) & counts.any(axis=1)
        groups.setdefault(np.packbits(known[key]).tobytes(), []).append(key)
    found: dict[str, EnergyRegression] = {}
    for keys in groups.values():  # those of the same structures share a fit
        rows = known[keys[0]]
        together = np.column_stack([predicted[key][rows] for key in keys])
        found |= zip(keys, _compared(counts, dft, rows, together), strict=True)
    return {key: found[key] for key in predicted}


def _compared(
    counts: npt.NDArray[np.int64], dft: Floats, rows: Rows, predicted: Floats
) -> list[EnergyRegression]:
    n, models = int(rows.sum()), predicted.shape[1]
    if n == 0:
        why = EnergyRegression("not_applicable", "no structure has both energies")
        return [why] * models
    space = CompositionSpace(counts[rows])
    common = EnergyRegression(
        n=n,
        elements=space.coefficients - 1,
        rank=space.rank,
        coefficients=space.coefficients,
        fixed=int(space.fixed.sum()),
        note=_note(space),
    )
    if space.fixed.all():
        reason = (
            f"a linear function of the composition fits any energies of these {n:,} structures: "
            "every residual is 0 by construction"
        )
        return [replace(common, status="not_applicable", reason=reason, note="")] * models
    atoms = counts[rows].sum(axis=1).astype(float)
    reference = space.residuals(dft[rows])
    left = space.residuals(predicted)
    blocks = block_of(len(dft))[rows] if n >= LEAST_ROWS else np.zeros(n, np.int16)
    replicates = _replicates(space, atoms, reference, left, blocks)
    spread, dft_spread = _spread(predicted), _spread(dft[rows])
    free = ~space.fixed
    alone = (left - reference[:, None])[free] / (1.0 - space.leverage[free])[:, None]
    made = []
    for j in range(models):
        mae, per_atom, slope = _statistics(atoms, reference, left[:, j])
        made.append(
            replace(
                common,
                mae=_estimate(mae, replicates[:, 0, j], least=0.0),
                mae_per_atom=_estimate(per_atom, replicates[:, 1, j], least=0.0),
                left_out=float(np.abs(alone[:, j]).mean()),
                left_out_per_atom=float((np.abs(alone[:, j]) / atoms[free]).mean()),
                slope=_estimate(slope, replicates[:, 2, j]),
                correlation=_correlation(reference, left[:, j]),
                r2=_explained(reference - left[:, j], float((reference**2).sum())),
                composition_mae=float(np.abs(reference).mean()),
                composition_mae_per_atom=float((np.abs(reference) / atoms).mean()),
                composition_r2=_explained(left[:, j], float(spread[j])),
                composition_r2_dft=_explained(reference, float(dft_spread)),
                rows=np.flatnonzero(rows),
                predicted=predicted[:, j],
                deviation=left[:, j],
                dft_deviation=reference,
            )
        )
    return made


def _replicates(
    space: CompositionSpace,
    atoms: Floats,
    reference: Floats,
    left: Floats,
    blocks: npt.NDArray[np.int16],
) -> Floats:
    """Return the statistics without each block, shape (blocks, 3, models)."""
    present = np.unique(blocks)
    both = np.column_stack([reference, left])
    made = np.full((len(present), 3, left.shape[1]), np.nan)
    for place, block in enumerate(present):
        out = blocks == block
        if out.all():
            continue
        refitted = space.without(out, both)
        for j in range(left.shape[1]):
            made[place, :, j] = _statistics(atoms[~out], refitted[:, 0], refitted[:, j + 1])
    return made


def _statistics(atoms: Floats, reference: Floats, left: Floats) -> tuple[float, float, float]:
    """Return the MAE in eV, in eV per atom, and the slope, NaN where DFT has no deviation."""
    error = np.abs(reference - left)
    own = float(reference @ reference)
    slope = float(reference @ left) / own if own > 0.0 else np.nan
    return float(error.mean()), float((error / atoms).mean()), slope


def _estimate(value: float, replicates: Floats, least: float = -np.inf) -> Estimate:
    if not np.isfinite(value):
        return _NONE
    kept = tuple(map(float, replicates))
    found = interval(value, kept)
    if found is None:
        return Estimate(value, replicates=kept)
    return Estimate(value, max(found[0], least), found[1], kept)


def _correlation(reference: Floats, left: Floats) -> float | None:
    size = float(np.sqrt((reference @ reference) * (left @ left)))
    return float(reference @ left) / size if size > 0.0 else None


def _explained(left: Floats, total: float) -> float | None:
    return 1.0 - float(left @ left) / total if total > 0.0 else None


def _spread(energies: Floats) -> Floats:
    return np.asarray(((energies - energies.mean(axis=0)) ** 2).sum(axis=0))


def _note(space: CompositionSpace) -> str:
    told: list[str] = []
    fixed = int(space.fixed.sum())
    if fixed:
        told.append(
            f"{fixed:,} of {space.n:,} structures have a residual of 0 by construction (an element "
            "or a composition that no other has), so the MAE is too small"
        )
    if space.rank < space.coefficients:
        told.append(
            f"the structures decide {space.rank} of {space.coefficients} coefficients of the fit; "
            "its residuals are the same for every solution"
        )
    if space.rank > _TOO_MANY * space.n:
        told.append(
            f"the fit has {space.rank} coefficients for {space.n:,} structures, so the MAE is too "
            "small; mae_left_out is of fits without the structure itself"
        )
    return "; ".join(told)


def element_counts(
    numbers: Sequence[npt.NDArray[np.uint8]],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Count the atoms of each element that occurs.

    Parameters
    ----------
    numbers
        Atomic numbers of each structure.

    Returns
    -------
    elements : ndarray of int, shape (e,)
        Their atomic numbers, ascending.
    counts : ndarray of int, shape (n, e)
    """
    sizes = np.fromiter(map(len, numbers), np.int64, len(numbers))
    every = np.concatenate([*numbers, np.empty(0, np.uint8)]).astype(np.int64)
    elements, place = np.unique(every, return_inverse=True)
    cell = np.repeat(np.arange(len(numbers)), sizes) * len(elements) + place
    counts = np.bincount(cell, minlength=len(numbers) * len(elements))
    return elements, counts.reshape(len(numbers), len(elements)).astype(np.int64)
