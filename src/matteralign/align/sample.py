"""Draw a slice: raw files → `structures.parquet`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict

from matteralign.align.layout import Layout
from matteralign.align.study import Study
from matteralign.core.errors import UserError
from matteralign.core.files import write_json
from matteralign.core.hashing import sha256_json
from matteralign.datasets.draw import Walk, draw_structures
from matteralign.store.structures import write_structures

_SHOWN = 10


def sample_slice(
    study: Study, layout: Layout, report: Callable[[str], None], threads: int = 1
) -> str:
    """Write the sample set of a slice and return its ``sample_set_id``.

    Parameters
    ----------
    report
        Receives lines for the log.
    threads
        Cores to parse with; the sample set does not depend on it.

    Raises
    ------
    UserError
        If the dataset has fewer rows than asked for.
    FetchError, IntegrityError
        If a raw file cannot be had or is damaged.
    """
    chosen = study.slice(layout.slice)
    source = study.dataset(chosen.dataset)
    try:
        rows = source.open(report)
        rows.threads, rows.report = threads, report
        structures, walk = draw_structures(rows, chosen, report)
    except UserError as error:
        raise UserError(f"slice {layout.slice!r}: {error}") from error
    kinds = Counter(text for texts in walk.warned.values() for text in texts)
    info = {
        "seed": str(chosen.seed),
        **source.facts,
        "skipped": str(len(walk.skipped)),
        "warned": str(len(walk.warned)),
        "warnings": json.dumps(kinds.most_common(_SHOWN), ensure_ascii=False),
        "identity": sha256_json(study.sample_identity(layout.slice)),
    }
    report(f"{layout.slice}: {len(structures):,} structures drawn, {walk.read:,} rows read")
    write_json(layout.skipped, [asdict(record) for record in walk.skipped])
    for record in walk.skipped[:_SHOWN]:
        report(f"skipped {record.place}: {record.reason}")
    if len(walk.skipped) > _SHOWN:
        report(f"skipped {len(walk.skipped):,} records in all, see {layout.skipped}")
    _tell_warnings(walk, layout, kinds, report)
    return write_structures(
        layout.structures,
        structures,
        slice_name=layout.slice,
        dataset=chosen.dataset,
        info=info,
    )


def _tell_warnings(
    walk: Walk, layout: Layout, kinds: Counter[str], report: Callable[[str], None]
) -> None:
    """Write what was warned of, and say each text once with the number of its records."""
    write_json(
        layout.warnings,
        [{"place": place, "warnings": list(texts)} for place, texts in walk.warned.items()],
    )
    for text, count in kinds.most_common(_SHOWN):
        first = next(place for place, texts in walk.warned.items() if text in texts)
        where = first if count == 1 else f"{count:,} records, the first {first}"
        report(f"warning ({where}): {text}")
    if len(kinds) > _SHOWN:
        report(f"{len(kinds):,} different warnings in all, see {layout.warnings}")
