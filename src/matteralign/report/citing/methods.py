"""A paragraph on how the scores of a slice were made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matteralign import __version__
from matteralign.core.scaling import SCALINGS
from matteralign.metrics.base.registry import METRICS
from matteralign.report.analysis.matrices import parse_params
from matteralign.report.analysis.tables import ModelFacts

Spec = tuple[str, str, str]


def methods(
    *,
    slice_name: str,
    dataset: str,
    n: int,
    seed: int | None,
    sample_set_id: str,
    facts: Sequence[ModelFacts],
    specs: Sequence[Spec],
    taken: Mapping[str, tuple[int, int]],
    statistics: bool,
) -> str:
    """Return plain text for the methods section of a paper.

    Parameters
    ----------
    n, seed, sample_set_id
        The sample set.
    facts
        Models of the panel.
    specs
        (metric, definition, params) of every pair and model metric.
    taken
        Fewest and most structures behind a score, by metric; a metric without a score is absent.
    statistics
        Whether floors and intervals were computed.
    """
    untrained = [fact.name for fact in facts if fact.weights == "untrained"]
    baselines = [fact.name for fact in facts if fact.baseline]
    drawn = "a fixed list" if seed is None else f"drawn with seed {seed}"
    told = [
        f"We compared {len(facts)} models on {n:,} structures of {dataset} ({drawn}; slice "
        f"{slice_name}, sample set {sample_set_id[:12]}) with matteralign {__version__}.",
    ]
    if baselines:
        told.append(f"The panel includes the random baseline ({', '.join(baselines)}).")
    if untrained:
        told.append(
            f"These models ran on untrained weights, so their scores say nothing about the "
            f"published models: {', '.join(untrained)}."
        )
    told.append(
        "Latents are outputs of the last hidden layer, averaged over atoms, tokens or residues."
    )
    told += [_metric(name, specs, taken.get(name)) for name in dict.fromkeys(s[0] for s in specs)]
    if statistics:
        told.append(
            "Floors are the mean scores under random pairing of structures, and debiased scores "
            "have them removed. The 95 % intervals leave out one block of structures at a time. "
            "p-values are adjusted for the number of pairs (Benjamini and Hochberg)."
        )
    return " ".join(told)


def _metric(name: str, specs: Sequence[Spec], taken: tuple[int, int] | None) -> str:
    info = METRICS[name]
    kinds: dict[tuple[str, str, str], list[str]] = {}
    for metric, definition, params in specs:
        if metric == name:
            options = parse_params(params)
            scaling = str(options.pop("normalize", "none"))
            k = str(options.pop("k", ""))
            rest = ", ".join(f"{key} = {value}" for key, value in sorted(options.items()))
            kinds.setdefault((definition, scaling, rest), []).append(k)
    parts = []
    for (definition, scaling, rest), ks in kinds.items():
        words = info.definitions[definition].words
        named = f"definition {definition}" + (f" ({words})" if words else "")
        shown = ", ".join(k for k in ks if k)
        parts.append(
            ", ".join(
                filter(None, [named, f"k = {shown}" if shown else "", rest, SCALINGS[scaling]])  # type: ignore[index]
            )
        )
    counted = ""
    if taken is not None:
        low, high = taken
        counted = f"; n = {low:,}" if low == high else f"; n = {low:,} to {high:,} by pair"
    return f"{info.display_name} (version {info.version}{counted}): {'; '.join(parts)}."
