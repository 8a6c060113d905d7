"""Draw a slice: raw files → `structures.parquet`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

from matteralign.align.layout import Layout
from matteralign.align.study import Study
from matteralign.core.errors import UserError
from matteralign.core.files import write_json
from matteralign.core.hashing import sha256_json
from matteralign.datasets.draw import draw_structures
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
    info = {
        "seed": str(chosen.seed),
        **source.facts,
        "skipped": str(len(walk.skipped)),
        "identity": sha256_json(study.sample_identity(layout.slice)),
    }
    report(f"{layout.slice}: {len(structures):,} structures drawn, {walk.read:,} rows read")
    write_json(layout.skipped, [asdict(record) for record in walk.skipped])
    for record in walk.skipped[:_SHOWN]:
        report(f"skipped {record.place}: {record.reason}")
    if len(walk.skipped) > _SHOWN:
        report(f"skipped {len(walk.skipped):,} records in all, see {layout.skipped}")
    return write_structures(
        layout.structures,
        structures,
        slice_name=layout.slice,
        dataset=chosen.dataset,
        info=info,
    )
