"""Whether models that have something in common are alike (study's figure C9)."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from matteralign.findings.aspects import (
    ASPECTS,
    CORNER_COLUMNS,
    DIFFERENCE_COLUMNS,
    corner_shares,
    mean_difference,
    relation,
)
from matteralign.report.analysis.imbalance import imbalance_pairs
from matteralign.report.analysis.tables import spec_slug
from matteralign.report.figures.captions import count_text, options_text
from matteralign.report.figures.findings.aspects import aspect_figure
from matteralign.report.slice_findings.results import Drawing, SliceResults

METRIC = "information_imbalance"
Spec = tuple[str, str, str]


def absent(results: SliceResults) -> str | None:
    """Return why the slice has no such finding."""
    if not results.of_metric(METRIC):
        return "what alike models have in common: no information imbalance is asked for"
    if len(results.keys) - len(results.baselines) < 2:
        return "what alike models have in common: fewer than two models beside the baselines"
    return None


def _pairs(results: SliceResults, spec: Spec) -> pd.DataFrame:
    """Return both directions of every pair without a baseline that has both."""
    kept = [key for key in results.keys if key not in results.baselines]
    pairs = imbalance_pairs(results.scores, spec[2], results.keys, spec[1])
    whole = pairs["forward"].notna() & pairs["backward"].notna()
    inside = pairs["model_a"].isin(kept) & pairs["model_b"].isin(kept)
    return pairs[whole & inside].reset_index(drop=True)


def tables(results: SliceResults) -> dict[str, pd.DataFrame]:
    """Return, for each aspect, the share of pairs that have it in common by corner, and by value.

    The second table has the mean imbalance of pairs with the same fact minus that of the others.
    """
    shares, differences = [], []
    for spec in results.of_metric(METRIC):
        pairs = _pairs(results, spec)
        for aspect in ASPECTS:
            related = relation(results.models, aspect)
            named = {"definition": spec[1], "params": spec[2], "aspect": aspect}
            shares.append(corner_shares(pairs, related).assign(**named))
            differences.append(mean_difference(pairs, related).assign(**named))
    first = ["definition", "params"]
    return {
        "imbalance_aspects": pd.concat(shares, ignore_index=True)[[*first, *CORNER_COLUMNS]],
        "imbalance_aspects_difference": pd.concat(differences, ignore_index=True)[
            [*first, *DIFFERENCE_COLUMNS]
        ],
    }


def drawings(results: SliceResults) -> Iterator[Drawing]:
    """Yield the plane once for each score, a plot for each aspect."""
    differences = tables(results)["imbalance_aspects_difference"]
    for spec in results.of_metric(METRIC):
        pairs = _pairs(results, spec)
        if pairs.empty:
            continue
        of = (differences["definition"] == spec[1]) & (differences["params"] == spec[2])
        related = {aspect: relation(results.models, aspect) for aspect in ASPECTS}
        matrix = results.matrix(spec)
        counted = count_text(matrix.n_min, matrix.n_max)
        options = options_text(spec[2])
        heads = (
            "What do alike models have in common?",
            f"{results.dataset} · information imbalance · definition {spec[1]} · {options} · "
            f"{counted}",
        )
        figure = aspect_figure(pairs, related, differences[of].set_index("aspect"), heads)
        caption = (
            f"Plane of information imbalance on {results.dataset} ({options}, {counted}), once for "
            "each fact of the cards. A point is a pair of models and stands on both sides of the "
            "diagonal. Pairs with a random baseline, and those in which a model lacks the fact, "
            "are left out. Above each plot: mean imbalance of pairs with the same fact minus that "
            "of the other pairs, and the two-sided p-value when facts are permuted among models "
            "(not adjusted for the number of plots). tables/imbalance_aspects has the shares by "
            "corner of the plane."
        )
        stem = f"aspects_{spec_slug(*spec)}"
        yield Drawing(stem, "What alike models have in common", caption, figure)
