"""Draw a slice: raw files → `structures.parquet`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict

from matteralign.core.errors import IntegrityError, UserError
from matteralign.core.files import write_json
from matteralign.core.hashing import canonical_json
from matteralign.datasets.drawing.draw import Walk, draw_structures
from matteralign.sources.wanted import JOBS
from matteralign.stages.study.layout import Layout
from matteralign.stages.study.standing import Standing, contents_digest
from matteralign.stages.study.study import Study
from matteralign.store.structures import read_structures, write_structures

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
        If a raw file cannot be fetched or is damaged.
    """
    chosen = study.slice(layout.slice)
    source = study.dataset(chosen.dataset)
    contents = contents_digest(source.record(report, JOBS))
    kept = _kept(study, layout, contents)
    if kept is not None:
        report(f"{layout.slice}: the structures that are there are those of this draw; kept")
        return kept
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
        "drawn": canonical_json(study.sample_identity(layout.slice)),
        "contents": contents,
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


def _kept(study: Study, layout: Layout, contents: str) -> str | None:
    """Return the id of the existing sample set if it belongs to this draw."""
    if not all(path.exists() for path in (layout.structures, layout.skipped, layout.warnings)):
        return None
    try:
        if Standing(study, layout).of_sample() is not None:
            return None
        sample = read_structures(layout.structures)
    except IntegrityError:
        return None
    return sample.id if sample.info.get("contents") == contents else None


def _tell_warnings(
    walk: Walk, layout: Layout, kinds: Counter[str], report: Callable[[str], None]
) -> None:
    """Write the warnings, each text once with its number of records."""
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
