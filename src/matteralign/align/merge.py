"""Join the rows of a slice into its table of scores."""

from __future__ import annotations

from collections import Counter
from typing import Any

from matteralign.align.layout import Layout
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
        If a row file holds another sample set, a score twice, or not exactly the ordered
        pairs of the panel.
    """
    sample = read_structures(layout.structures)
    keys = [card.key for card in study.panel(layout.slice)]
    rows: list[dict[str, Any]] = []
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
    expected = len(keys) * (len(keys) - 1) * len(study.pair_specs)
    if len(rows) != expected:
        raise IntegrityError(
            f"{layout.root}/scores: {len(rows)} scores, the panel asks for {expected}; "
            "a row is stale, compute it again"
        )
    write_rows(layout.scores, rows, SCORES)
    return len(rows)
