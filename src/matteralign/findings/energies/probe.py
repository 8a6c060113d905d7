"""How much of the energy that composition does not explain can be read from a latent.

A ridge regression predicts the energy, less what a linear function of the composition explains,
from the latents. Structures of one composition are never on both sides of a fold: a latent that
only knows the composition would else be paid for remembering it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import GroupKFold

from matteralign.findings.energies.regression import CompositionSpace
from matteralign.stats.blocks import block_of
from matteralign.stats.jackknife import interval

Floats = npt.NDArray[np.float64]
FOLDS = 5
PENALTIES = tuple(float(p) for p in np.logspace(-4, 6, 21))
"""Ridge penalties, per training row, of latents whose columns have variance 1."""
LEAST = 50
"""Fewer structures say nothing about hundreds of columns."""


@dataclass(frozen=True)
class Probe:
    """What a ridge regression finds in a latent.

    Attributes
    ----------
    r2
        1 − squared error / squared error of the mean of the training rows, over all held-out
        rows. At most 1; below 0 it predicts worse than the mean.
    low, high
        95 % interval: the same predictions of other structures; fits are not made again.
    p
        One-sided: how often energies that are permuted among structures are predicted as well,
        ``(1 + b)/(1 + m)``.
    r2_permuted
        Mean of R² under permutation.
    n, compositions
        Number of structures, and of compositions among them.
    mae
        Mean absolute error of the held-out predictions in eV.
    status, reason
        ``ok``, or ``not_applicable`` with the reason.
    """

    r2: float = math.nan
    low: float = math.nan
    high: float = math.nan
    p: float = math.nan
    r2_permuted: float = math.nan
    n: int = 0
    compositions: int = 0
    mae: float = math.nan
    status: str = "ok"
    reason: str = ""


def compositions(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the number of each composition, shape (n,), in lowest terms: C2H4 is CH2.

    Parameters
    ----------
    counts
        Atoms of each element, shape (n, e).
    """
    divisor = np.maximum(np.gcd.reduce(counts, axis=1), 1)
    _, number = np.unique(counts // divisor[:, None], axis=0, return_inverse=True)
    return np.asarray(number, dtype=np.int64).ravel()


def probe(
    latents: npt.NDArray[np.floating],
    counts: npt.NDArray[np.int64],
    energies: Floats,
    *,
    permutations: int = 99,
    seed: int = 0,
) -> Probe:
    """Predict the composition-corrected energy from latents.

    The linear function of the composition is fitted to all structures, as in the energy
    regression of the study. The penalty is chosen on the training rows of each fold by
    generalized cross-validation (Golub, Heath & Wahba 1979, Technometrics 21, 215), for permuted
    energies too. The p-value is of Phipson & Smyth (2010, Stat. Appl. Genet. Mol. Biol. 9, 39).

    Parameters
    ----------
    latents
        Shape (n, d), finite.
    counts
        Atoms of each element, shape (n, e).
    energies
        Shape (n,), eV, finite.
    """
    groups = compositions(counts)
    nothing = Probe(n=len(energies), compositions=int(groups.max(initial=-1)) + 1)
    reason = ""
    if nothing.n < LEAST:
        reason = f"{nothing.n} structures with an energy and a latent; {LEAST} are needed"
    elif nothing.compositions < FOLDS:
        reason = f"{nothing.compositions} compositions; {FOLDS} folds need one each"
    target = CompositionSpace(counts).residuals(energies) if not reason else energies
    if not reason and not target.any():
        reason = "composition explains every energy"
    if reason:
        return replace(nothing, status="not_applicable", reason=reason)
    rng = np.random.default_rng(seed)
    columns = [target, *(rng.permutation(target) for _ in range(permutations))]
    targets = np.stack(columns, axis=1)
    predicted, plain = np.empty_like(targets), np.empty_like(targets)
    rows = np.asarray(latents, dtype=np.float64)
    for train, test in GroupKFold(FOLDS).split(rows, groups=groups):
        predicted[test] = _ridge(rows[train], targets[train], rows[test])
        plain[test] = targets[train].mean(axis=0)
    missed, spread = (targets - predicted) ** 2, (targets - plain) ** 2
    found = 1 - missed.sum(axis=0) / spread.sum(axis=0)
    blocks = block_of(len(target))
    without = [
        float(1 - missed[blocks != b, 0].sum() / spread[blocks != b, 0].sum())
        for b in np.unique(blocks)
    ]
    low, high = interval(float(found[0]), without) or (math.nan, math.nan)
    p = mean = math.nan
    if permutations:
        p = (1 + int((found[1:] >= found[0]).sum())) / (1 + permutations)
        mean = float(found[1:].mean())
    mae = float(np.abs(targets[:, 0] - predicted[:, 0]).mean())
    return replace(
        nothing,
        r2=float(found[0]),
        low=low,
        high=min(high, 1.0),
        p=p,
        r2_permuted=mean,
        mae=mae,
    )


def _ridge(train: Floats, targets: Floats, test: Floats) -> Floats:
    """Return predictions of each column of targets, each with the penalty that suits it."""
    centre, scale = train.mean(axis=0), train.std(axis=0)
    # A column that hardly varies against its size holds rounding.
    kept = scale > 1e-6 * np.maximum(np.abs(centre), np.abs(train).max(axis=0))
    middle = targets.mean(axis=0)
    if not kept.any():
        return np.broadcast_to(middle, (len(test), len(middle)))
    left, sizes, right = np.linalg.svd(
        (train[:, kept] - centre[kept]) / scale[kept], full_matrices=False
    )
    part = left.T @ (targets - middle)
    total = ((targets - middle) ** 2).sum(axis=0)
    best = np.full(targets.shape[1], np.inf)
    weights = np.zeros_like(part)
    for penalty in PENALTIES:
        share = sizes**2 / (sizes**2 + penalty * len(train))
        # Squared residuals: what lies outside the latents' span, and what the penalty takes.
        outside = total - ((1 - (1 - share) ** 2)[:, None] * part**2).sum(axis=0)
        free = len(train) - 1 - share.sum()
        score = outside / free**2 if free > 0 else np.full_like(best, np.inf)
        better = score < best
        best[better] = score[better]
        weights[:, better] = ((share / np.maximum(sizes, 1e-300))[:, None] * part)[:, better]
    unit = (test[:, kept] - centre[kept]) / scale[kept]
    return np.asarray(middle + (unit @ right.T) @ weights, dtype=np.float64)
