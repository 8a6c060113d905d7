"""Draw a slice: raw files → `structures.parquet`."""

from __future__ import annotations

from collections.abc import Callable

from matteralign.align.layout import Layout
from matteralign.align.study import Study
from matteralign.core.errors import UserError
from matteralign.core.hashing import sha256_json
from matteralign.datasets.catalogue import get_dataset, open_dataset
from matteralign.datasets.draw import draw_structures
from matteralign.store.structures import write_structures


def sample_slice(study: Study, layout: Layout, report: Callable[[str], None]) -> str:
    """Write the sample set of a slice and return its ``sample_set_id``.

    Raises
    ------
    UserError
        If the dataset has fewer rows than asked for.
    FetchError, IntegrityError
        If a raw file cannot be had or is damaged.
    """
    chosen = study.slice(layout.slice)
    source = get_dataset(chosen.dataset)
    dataset = open_dataset(source, report)
    try:
        structures, _ = draw_structures(dataset, chosen, report)
    except UserError as error:
        raise UserError(f"slice {layout.slice!r}: {error}") from error
    info = {
        "seed": str(chosen.seed),
        "level_of_theory": source.card.level_of_theory,
        "licence": source.card.licence,
        "citation": source.card.citation,
        "identity": sha256_json(study.sample_identity(layout.slice)),
    }
    return write_structures(
        layout.structures,
        structures,
        slice_name=layout.slice,
        dataset=chosen.dataset,
        info=info,
    )
