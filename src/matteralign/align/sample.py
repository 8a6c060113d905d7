"""Draw a slice: raw files → `structures.parquet`."""

from __future__ import annotations

from collections.abc import Callable

from matteralign.align.layout import Layout
from matteralign.align.study import Study
from matteralign.core.hashing import sha256_json
from matteralign.datasets.catalogue import get_dataset
from matteralign.datasets.sample import draw
from matteralign.sources.cache import ensure
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
    dataset = source({pinned.name: ensure(pinned, report) for pinned in source.files})
    ids = draw(dataset.ids(), chosen.n, chosen.seed)
    info = {
        "seed": str(chosen.seed),
        "level_of_theory": source.level_of_theory,
        "licence": source.licence,
        "citation": source.citation,
        "identity": sha256_json(study.sample_identity(layout.slice)),
    }
    return write_structures(
        layout.structures,
        dataset.read(ids),
        slice_name=layout.slice,
        dataset=chosen.dataset,
        info=info,
    )
