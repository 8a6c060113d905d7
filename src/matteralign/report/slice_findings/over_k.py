"""CKNNA at several numbers of neighbours (study's figure A1)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pandas as pd

from matteralign.core.hashing import canonical_json
from matteralign.findings.pairwise import matrix_correlation
from matteralign.report.analysis.matrices import complete_models, parse_params
from matteralign.report.figures.captions import count_text
from matteralign.report.figures.findings.curves import over_k_figure
from matteralign.report.slice_findings.results import Drawing, SliceResults

CURVES = ["definition", "params", "model_a", "model_b", "k", "value", "debiased", "floor", "n"]
ORDERS = ["definition", "params", "k_a", "k_b", "models", "pairs", "spearman", "ci_low", "ci_high"]
METRIC = "cknna"
Spec = tuple[str, str, str]


def absent(results: SliceResults) -> str | None:
    """Return why the slice has no such finding."""
    if _groups(results):
        return None
    return "CKNNA against k: no definition of CKNNA is asked for at two values of k"


def _groups(results: SliceResults) -> dict[tuple[str, str], dict[int, Spec]]:
    """Return scores by k, for each definition and its other parameters with two k or more."""
    found: dict[tuple[str, str], dict[int, Spec]] = {}
    for spec in results.of_metric(METRIC):
        options = parse_params(spec[2])
        k = options.pop("k")
        found.setdefault((spec[1], canonical_json(options)), {})[int(k)] = spec
    return {name: dict(sorted(by_k.items())) for name, by_k in found.items() if len(by_k) > 1}


def tables(results: SliceResults) -> dict[str, pd.DataFrame]:
    """Return the curve of every pair, and how alike two values of k order the pairs."""
    curves, orders = [], []
    for (definition, params), by_k in _groups(results).items():
        frames = {k: results.symmetric(spec) for k, spec in by_k.items()}
        curves += [_curve(results, definition, params, k, spec) for k, spec in by_k.items()]
        for a, b in itertools.combinations(by_k, 2):
            kept = list(complete_models(frames[a] + frames[b])[0])
            arrays = [frames[k].loc[kept, kept].to_numpy(float) for k in (a, b)]
            c = matrix_correlation(*arrays, permutations=0)
            orders.append((definition, params, a, b, c.models, c.pairs, c.value, c.low, c.high))
    return {
        "cknna_over_k": pd.concat(curves, ignore_index=True),
        "cknna_over_k_order": pd.DataFrame(orders, columns=ORDERS),
    }


def _curve(results: SliceResults, definition: str, params: str, k: int, spec: Spec) -> pd.DataFrame:
    place = {key: i for i, key in enumerate(results.keys)}
    s = results.scores
    rows = s[(s["metric"] == spec[0]) & (s["definition"] == spec[1]) & (s["params"] == spec[2])]
    rows = rows[
        (rows["status"] == "ok") & rows["model_a"].isin(place) & rows["model_b"].isin(place)
    ]
    swap = rows["model_a"].map(place) > rows["model_b"].map(place)
    first = rows["model_a"].where(~swap, rows["model_b"])
    second = rows["model_b"].where(~swap, rows["model_a"])
    # Both directions of a pair; where they differ their mean is shown, as in the matrix.
    mean = (
        rows.assign(model_a=first, model_b=second, floor=rows["null_mean"])
        .groupby(["model_a", "model_b"], sort=False)[["value", "debiased", "floor", "n"]]
        .mean()
        .reset_index()
    )
    found = mean.assign(definition=definition, params=params, k=k)[CURVES]
    return found.astype({"n": "int64"})


def drawings(results: SliceResults) -> Iterator[Drawing]:
    """Yield one figure with a plot for each definition and scaling."""
    found = tables(results)
    curves, orders = found["cknna_over_k"], found["cknna_over_k_order"]
    if curves.empty:
        return
    counted = count_text(int(curves["n"].min()), int(curves["n"].max()))
    heads = ("CKNNA and the number of neighbours", f"{results.dataset} · {counted}")
    figure = over_k_figure(curves, results.labels, heads)
    low, high = orders["spearman"].min(), orders["spearman"].max()
    told = (
        f"Between any two values of k the order of the pairs has a Spearman ρ of {low:.2f} to "
        f"{high:.2f}, baselines left out"
        if np.isfinite(low)
        else "There are too few pairs for a correlation of their order"
    )
    caption = (
        f"CKNNA of every pair of models on {results.dataset} against the number of neighbours k, "
        f"{counted}. Thick line: median of the pairs of trained models. Dashed: median floor, the "
        "mean score of randomly paired rows, which for mutual neighbours is close to "
        f"k/(n − 1). {told} (tables/cknna_over_k_order)."
    )
    yield Drawing("cknna_over_k", "CKNNA and the number of neighbours", caption, figure)
