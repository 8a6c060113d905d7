"""Join the rows of a slice into its table of scores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from matteralign.align.layout import Layout
from matteralign.align.measure import Row
from matteralign.align.study import Study
from matteralign.core.errors import IntegrityError
from matteralign.store.structures import read_structures
from matteralign.store.tidy import SCORES, read_rows, write_rows

_KEY = ("model_a", "model_b", "metric", "definition", "params")


def merge_rows(study: Study, layout: Layout) -> int:
    """Write ``scores.parquet`` and return its number of rows.

    Raises
    ------
    IntegrityError
        If a row file holds another sample set, a score twice, not exactly the scores that
        the panel and the metrics ask for, or two rows used different latents of one model.
    """
    sample = read_structures(layout.structures)
    keys = [card.key for card in study.panel(layout.slice)]
    rows: list[Row] = []
    for key in keys:
        part = read_rows(layout.row(key), SCORES)
        for row in part:
            if row["sample_set_id"] != sample.id:
                raise IntegrityError(
                    f"{layout.row(key)}: scores of another sample set; compute this row again"
                )
        rows += part
    counts = Counter(tuple(row[name] for name in _KEY) for row in rows)
    twice = [key for key, count in counts.items() if count > 1]
    if twice:
        raise IntegrityError(f"{layout.root}/scores: score {twice[0]} is there twice")
    differing = sorted(_expected(study, keys) ^ set(counts))
    if differing:
        kind = "is missing" if differing[0] not in counts else "is not asked for"
        raise IntegrityError(
            f"{layout.root}/scores: score {differing[0]} {kind} ({len(differing)} such); "
            "a row is stale, compute it again"
        )
    _refuse_mixed_latents(layout, rows)
    write_rows(layout.scores, rows, SCORES)
    return len(rows)


def _expected(study: Study, keys: Sequence[str]) -> set[tuple[str, ...]]:
    metrics = [(m.spec.metric, m.spec.definition, m.params) for m in study.pair_measures]
    return {(a, b, *metric) for a in keys for b in keys if a != b for metric in metrics}


def _refuse_mixed_latents(layout: Layout, rows: Sequence[Row]) -> None:
    used: dict[str, str] = {}
    for row in rows:
        for side in ("a", "b"):
            model, digest = row[f"model_{side}"], row[f"latent_sha256_{side}"]
            if used.setdefault(model, digest) != digest:
                raise IntegrityError(
                    f"{layout.root}/scores: rows used different latents of {model!r} (seen at "
                    f"{row['model_a']} and {row['model_b']}); compute the rows again"
                )
