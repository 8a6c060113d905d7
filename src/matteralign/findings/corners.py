"""In which corner of the imbalance plane pairs of models lie."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from matteralign.findings.pairwise import over_models
from matteralign.stats.jackknife import LEVEL, standard_error

CORNERS = ("equivalent", "one contains the other", "orthogonal")
CORNER_COLUMNS = [
    "slice", "dataset", "border", "corner", "pairs", "models", "count",
    "share", "share_low", "share_high",
    "common_pairs", "difference", "difference_low", "difference_high",
]  # fmt: skip


def corner_of(
    forward: npt.NDArray[np.float64], backward: npt.NDArray[np.float64], border: float
) -> npt.NDArray[np.str_]:
    """Return the corner of each pair from its two imbalances, shape (m,).

    Both below the border: equivalent; neither: orthogonal; else one contains the other.
    """
    below = (forward < border).astype(int) + (backward < border)
    found: npt.NDArray[np.str_] = np.array(CORNERS)[2 - below]
    return found


def share_over_models(
    inside: npt.NDArray[np.bool_], model_a: npt.NDArray[np.str_], model_b: npt.NDArray[np.str_]
) -> tuple[float, float, float]:
    """Return the share of pairs that are inside, with its 95 % interval; pairs share models.

    Wilson's interval (1927) with an effective number of pairs, p (1 - p) / variance, where the
    variance is that of leaving out one model at a time. Where all pairs agree there is no
    variance; then as many pairs count as are disjoint, half the number of models.

    Parameters
    ----------
    inside
        Shape (m,).
    model_a, model_b
        The models of each pair, shape (m,).

    Returns
    -------
    (float, float, float)
        The share and the ends of the interval; these are NaN with fewer than four models.
    """
    share = float(inside.mean())
    models = np.unique([model_a, model_b])
    kept = [(model_a != model) & (model_b != model) for model in models]
    if len(models) < 4 or not all(k.any() for k in kept):
        return share, math.nan, math.nan
    error = standard_error([float(inside[k].mean()) for k in kept])
    disjoint = len(models) / 2.0
    spread = share * (1.0 - share)
    pairs = spread / error**2 if error and spread > 0 else disjoint
    # Never as if there were more pairs than there are, nor fewer than are disjoint.
    pairs = min(max(pairs, disjoint), float(len(inside)))
    z = float(special.stdtrit(len(models) - 1, 0.5 + LEVEL / 2.0))
    centre = (share + z * z / (2 * pairs)) / (1 + z * z / pairs)
    half = z / (1 + z * z / pairs) * math.sqrt(spread / pairs + z * z / (4 * pairs**2))
    # Rounding must not leave the share outside its interval.
    return share, min(max(centre - half, 0.0), share), max(min(centre + half, 1.0), share)


def corner_table(points: pd.DataFrame, border: float) -> pd.DataFrame:
    """Return the share of pairs in each corner, by slice, and how it differs from the first slice.

    Parameters
    ----------
    points
        One row per slice and pair, in the order of the slices: slice, dataset, model_a,
        model_b, forward, backward; without baselines.

    Returns
    -------
    DataFrame
        `CORNER_COLUMNS`. difference: of the shares among the pairs that both slices have, this
        slice minus the first; its interval leaves out one model at a time.
    """
    rows = []
    groups = dict(tuple(points.groupby("slice", sort=False)))
    first = next(iter(groups.values()), None)
    for name, group in groups.items():
        a, b = (group[side].to_numpy(str) for side in ("model_a", "model_b"))
        corners = _corners(group, border)
        for corner in CORNERS:
            inside = corners == corner
            share = share_over_models(inside, a, b)
            difference: tuple[float, ...] = (math.nan, math.nan, math.nan)
            common = 0
            if first is not None and group is not first:
                common, difference = _difference(first, group, corner, border)
            rows.append(
                (name, group["dataset"].iloc[0], border, corner, len(group), len({*a, *b}),
                 int(inside.sum()), *share, common, *difference)
            )  # fmt: skip
    return pd.DataFrame(rows, columns=CORNER_COLUMNS)


def _corners(group: pd.DataFrame, border: float) -> npt.NDArray[np.str_]:
    forward, backward = (group[name].to_numpy(float) for name in ("forward", "backward"))
    return corner_of(forward, backward, border)


def _difference(
    first: pd.DataFrame, other: pd.DataFrame, corner: str, border: float
) -> tuple[int, tuple[float, float, float]]:
    pair = ["model_a", "model_b"]
    sides = [rows[pair].assign(inside=_corners(rows, border) == corner) for rows in (first, other)]
    both = sides[0].merge(sides[1], on=pair, suffixes=("_1", "_2"))
    if both.empty:
        return 0, (math.nan, math.nan, math.nan)
    change = both["inside_2"].to_numpy(float) - both["inside_1"].to_numpy(float)
    a, b = (both[side].to_numpy(str) for side in pair)
    value, low, high = over_models(lambda kept: float(change[kept].mean()), a, b)
    return len(both), (value, max(low, -1.0), min(high, 1.0))
