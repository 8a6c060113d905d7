"""Whether a claim holds, and on which choices that depends (specification curve).

A claim is tested once for each choice of metric, definition, scaling, k, slice and raw or debiased
score (Simonsohn, Simmons & Nelson 2020, Nat. Hum. Behav. 4, 1208). Each such specification gives a
number with an interval that leaves out one model at a time, and the number that the claim is about
is on one side of a border.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

HOLDS, FAILS, DEPENDS, UNTESTED = (
    "holds",
    "does not hold",
    "depends on a choice",
    "not testable here",
)
UNDECIDED = "undecided"
"""Of one specification: its interval contains the border."""

CHOICES = ("slice", "metric", "definition", "scaling", "k", "column")
SPECIFICATION_COLUMNS = [
    "claim",
    *CHOICES,
    "params",
    "dataset",
    "n",
    "models",
    "statistic",
    "value",
    "ci_low",
    "ci_high",
    "border",
    "outcome",
    "reason",
]


def outcome(value: float, low: float, high: float, border: float) -> str:
    """Return on which side of the border an interval lies; claims are about values above it."""
    if not np.isfinite([value, low, high]).all():
        return UNTESTED
    if low > border:
        return HOLDS
    return FAILS if high < border else UNDECIDED


def verdict(specifications: pd.DataFrame) -> tuple[str, str]:
    """Return what all specifications of one claim say together, and why.

    Parameters
    ----------
    specifications
        Rows of one claim, with `SPECIFICATION_COLUMNS`.

    Returns
    -------
    verdict : str
        ``holds`` or ``does not hold`` where every specification says so; ``depends on a choice``
        where they differ; ``not testable here`` where none could be computed, or no interval
        decides.
    why : str
        Counts; the choices on which the outcome depends; or the reason why nothing was tested.
    """
    tested = specifications[specifications["outcome"] != UNTESTED]
    if tested.empty:
        reasons = dict.fromkeys(r for r in specifications["reason"] if r)
        return UNTESTED, "; ".join(reasons) or "no specification could be computed"
    counts = {name: int((tested["outcome"] == name).sum()) for name in (HOLDS, FAILS, UNDECIDED)}
    told = ", ".join(f"{name} in {count}" for name, count in counts.items() if count)
    text = f"{told} of {len(tested)} specifications"
    if counts[UNDECIDED] == len(tested):
        return UNTESTED, f"{text}: every interval contains the border"
    for name in (HOLDS, FAILS):
        if counts[name] == len(tested):
            return name, text
    which = deciding(tested)
    return DEPENDS, f"{text}; it depends most on {which}" if which else text


def deciding(specifications: pd.DataFrame, choices: Sequence[str] = CHOICES) -> str:
    """Name the choices that tell the outcomes apart best; "": none of them does.

    A choice is measured by how many outcomes are right when each of its values is given the
    commonest outcome of its specifications, against giving all of them the commonest of all.
    """
    overall = int(specifications["outcome"].value_counts().max())
    gains = {}
    for choice in choices:
        if specifications[choice].nunique(dropna=False) < 2:
            continue
        groups = specifications.groupby(choice, dropna=False)["outcome"]
        gains[choice] = sum(int(group.value_counts().max()) for _, group in groups) - overall
    best = max(gains.values(), default=0)
    if best <= 0:
        return ""
    which = [choice for choice, gain in gains.items() if gain == best]
    return which[0] if len(which) == 1 else f"{', '.join(which)}, which cannot be told apart here"


def summary(specifications: pd.DataFrame, claims: pd.DataFrame) -> pd.DataFrame:
    """Return one row per claim: what it says, the verdict, and the span of its values.

    Parameters
    ----------
    claims
        Index: name of the claim. Columns: says, statistic, border.
    """
    rows = []
    for name, about in claims.iterrows():
        own = specifications[specifications["claim"] == name]
        found, why = verdict(own)
        known = own[own["outcome"] != UNTESTED]
        first = known.iloc[0] if len(known) else None
        rows.append(
            {
                "claim": name,
                "says": about["says"],
                "statistic": about["statistic"],
                "border": about["border"],
                "verdict": found,
                "why": why,
                "specifications": len(known),
                "value": np.nan if first is None else float(first["value"]),
                "ci_low": np.nan if first is None else float(first["ci_low"]),
                "ci_high": np.nan if first is None else float(first["ci_high"]),
                "n": 0 if first is None else int(first["n"]),
                "models": 0 if first is None else int(first["models"]),
                "least": float(known["value"].min()) if len(known) else np.nan,
                "most": float(known["value"].max()) if len(known) else np.nan,
            }
        )
    return pd.DataFrame(rows)
