"""Whether a metric answers to a growing disturbance as it should: further each time.

A model's latents of a sample are compared with its latents of the same sample disturbed. The more
it is disturbed the less alike the two must be, until nothing is left in common.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from matteralign.metrics.base.registry import METRICS

TOLERANCE = 0.05
"""Largest step the wrong way, as a share of the whole answer, that counts as noise."""
FEWEST_LEVELS = 3

MONOTONE, NOT_MONOTONE, NO_ANSWER, UNKNOWN = (
    "monotone",
    "not monotone",
    "no answer",
    "not applicable",
)

VERDICT_COLUMNS = [
    "model",
    "change",
    "metric",
    "definition",
    "params",
    "expected",
    "levels",
    "first",
    "last",
    "wrong_steps",
    "largest_wrong_step",
    "verdict",
    "reason",
]
_BY = ["model", "change", "metric", "definition", "params"]


def shuffled(
    latents: npt.NDArray[np.float32], share: float, seed: int = 0
) -> npt.NDArray[np.float32]:
    """Return latents, shape (n, d), of which a share of the rows was put into another order.

    The rows of a smaller share are among those of a larger one of the same seed. The chosen rows
    are moved round by one place in a random order, so none of them stays where it was.

    Raises
    ------
    ValueError
        If the share is not between 0 and 1.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"a share of rows lies between 0 and 1, not {share}")
    chosen = np.random.default_rng(seed).permutation(len(latents))
    chosen = chosen[: round(share * len(latents))]
    moved = latents.copy()
    moved[chosen] = latents[np.roll(chosen, 1)]
    return moved


def verdicts(scores: pd.DataFrame) -> pd.DataFrame:
    """Say of each model, change and metric whether its values go one way as the change grows.

    A step the wrong way counts when it is larger than `TOLERANCE` of the distance between the
    first value and the one furthest from it. The first is of no change at all.

    Parameters
    ----------
    scores
        Columns model, change, level, metric, definition, params, value and reason; one row for
        each level, the lowest of which is 0: no change.

    Returns
    -------
    DataFrame
        `VERDICT_COLUMNS`. ``expected`` is ``falls`` or ``rises``; ``largest_wrong_step`` is a
        share of the whole answer; ``reason`` says why there is no verdict.
    """
    rows = []
    for names, group in scores.groupby(_BY, sort=False):
        named = dict(zip(_BY, map(str, names), strict=True))
        falls = METRICS[named["metric"]].larger_is_closer
        ordered = group.sort_values("level")
        values = ordered["value"].to_numpy(float)
        told = _verdict(-values if falls else values, ordered["reason"].astype(str).tolist())
        expected = "falls" if falls else "rises"
        rows.append((*named.values(), expected, len(values), values[0], values[-1], *told))
    return pd.DataFrame(rows, columns=VERDICT_COLUMNS)


def _verdict(rising: npt.NDArray[np.float64], reasons: Sequence[str]) -> tuple[object, ...]:
    missing = np.flatnonzero(~np.isfinite(rising))
    if len(missing):
        why = reasons[int(missing[0])] or "a level has no value"
        return (pd.NA, np.nan, UNKNOWN, why)
    if len(rising) < FEWEST_LEVELS:
        return (pd.NA, np.nan, UNKNOWN, f"fewer than {FEWEST_LEVELS} levels")
    answer = float(rising.max() - rising[0])
    if answer <= 1e-6:
        return (0, np.nan, NO_ANSWER, "the value does not move in the expected direction")
    wrong = np.clip(-np.diff(rising), 0, None) / answer
    count = int((wrong > TOLERANCE).sum())
    verdict = NOT_MONOTONE if count else MONOTONE
    return (count, float(wrong.max()), verdict, "")
