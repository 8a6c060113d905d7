"""The table of scores: rows from the ledger, p-values adjusted, nothing missing or mixed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import permutations
from typing import Any

from matteralign.core.errors import IntegrityError
from matteralign.stages.study.measure import Measure, Row
from matteralign.stats.multiple import benjamini_hochberg, holm

_KEY = ("model_a", "model_b", "metric", "definition", "params")


def ordered_pairs(keys: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield every ordered pair of models; a model's pairs follow those of all before it."""
    for position, key in enumerate(keys):
        for partner in keys[:position]:
            yield partner, key
            yield key, partner


def adjust(rows: Sequence[Row], measures: Iterable[Measure]) -> None:
    """Fill the columns of adjusted p-values, in place.

    The family of a test is its metric, definition and parameters within the table: ordered
    pairs where the two directions are two questions, else unordered ones. There the two
    p-values are the same, or nearly (CKNNA `huh2024`), and the larger counts. Rows without a
    p-value take no part.
    """
    directional = {_measure_key(m): m.spec.info.directional for m in measures}
    families: dict[tuple[str, str, str], dict[Collection[str], list[Row]]] = {}
    for row in rows:
        row |= {"p_adjusted": None, "p_holm": None}
        if row["null_p"] is None:
            continue
        family = row["metric"], row["definition"], row["params"]
        pair = row["model_a"], row["model_b"]
        test = pair if directional[family] else frozenset(pair)
        families.setdefault(family, {}).setdefault(test, []).append(row)
    for tests in families.values():
        p = [max(row["null_p"] for row in same) for same in tests.values()]
        adjusted = zip(
            tests.values(), benjamini_hochberg(p).tolist(), holm(p).tolist(), strict=True
        )
        for same, false_discovery, family_wise in adjusted:
            for row in same:
                row |= {"p_adjusted": false_discovery, "p_holm": family_wise}


def check_scores(
    rows: Iterable[Mapping[Any, Any]],
    where: object,
    *,
    sample_set_id: str,
    latents: Mapping[str, str],
    measures: Iterable[Measure],
) -> None:
    """Refuse a table that is not that of these latents and measures.

    Parameters
    ----------
    rows
        Rows with the columns of the scores.
    where
        The file, for messages.
    latents
        Hash of the latents of every model of the panel.

    Raises
    ------
    IntegrityError
        If a row is of another sample set, of other latents or of another version of its metric,
        a score is there twice, or the scores are not exactly those that the panel and the
        measures ask for.
    """
    asked = {_measure_key(measure): measure for measure in measures}
    counts: Counter[tuple[str, ...]] = Counter()
    for row in rows:
        counts[tuple(row[name] for name in _KEY)] += 1
        if row["sample_set_id"] != sample_set_id:
            raise IntegrityError(f"{where}: scores of another sample set; score this slice again")
        for side in ("a", "b"):
            model, digest = row[f"model_{side}"], row[f"latent_sha256_{side}"]
            if latents.get(model, digest) != digest:
                raise IntegrityError(
                    f"{where}: scores of different latents of {model!r} (seen at "
                    f"{row['model_a']} and {row['model_b']}); score this slice again"
                )
        _require_version(row, asked, where, "score this slice again")
    twice = [key for key, count in counts.items() if count > 1]
    if twice:
        raise IntegrityError(f"{where}: score {twice[0]} is there twice")
    wanted = {(a, b, *key) for a, b in permutations(latents, 2) for key in asked}
    differing = sorted(wanted ^ set(counts))
    if differing:
        a, b, *score = differing[0]
        kind = "is missing" if differing[0] in wanted else "is not asked for"
        raise IntegrityError(
            f"{where}: {' '.join(score)} of {a} and {b} {kind} ({len(differing)} such scores); "
            "score this slice again"
        )


def check_dimensions(
    rows: Iterable[Mapping[Any, Any]], where: object, *, measures: Iterable[Measure]
) -> None:
    """Refuse intrinsic dimensions of one model that are not those of these measures.

    Raises
    ------
    IntegrityError
        If they are not exactly those asked for, once each, by today's version of each metric.
    """
    asked = {_measure_key(measure): measure for measure in measures}
    again = "summarize this model again"
    found: Counter[tuple[str, str, str]] = Counter()
    for row in rows:
        found[row["metric"], row["definition"], row["params"]] += 1
        _require_version(row, asked, where, again)
    differing = sorted(key for key in {*found, *asked} if found[key] != (key in asked))
    if differing:
        kind = "is not asked for, or there twice" if found[differing[0]] else "is missing"
        raise IntegrityError(f"{where}: dimension {' '.join(differing[0])} {kind}; {again}")


def _require_version(
    row: Mapping[Any, Any], asked: Mapping[tuple[str, str, str], Measure], where: object, again: str
) -> None:
    measure = asked.get((row["metric"], row["definition"], row["params"]))
    if measure is not None and row["metric_version"] != measure.spec.info.version:
        raise IntegrityError(
            f"{where}: {row['metric']} by version {row['metric_version']} of the metric, today's "
            f"is {measure.spec.info.version}; {again}"
        )


def _measure_key(measure: Measure) -> tuple[str, str, str]:
    return measure.spec.metric, measure.spec.definition, measure.params
