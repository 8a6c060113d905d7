"""Once per model: neighbour lists and intrinsic dimensions."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import numpy.typing as npt

from matteralign.align.layout import Layout
from matteralign.align.measure import Measure, Row, by_scaling
from matteralign.align.study import Study
from matteralign.metrics import (
    MetricSpec,
    Neighbors,
    NormalizeMode,
    Scored,
    Summary,
    normalize,
    summarize,
)
from matteralign.store.latents import read_latent
from matteralign.store.neighbors import read_neighbors, write_neighbors
from matteralign.store.structures import read_structures


def summarize_model(study: Study, layout: Layout, key: str, *, threads: int) -> str:
    """Write a model's neighbours and its intrinsic dimensions; return one line about them.

    Parameters
    ----------
    threads
        Accepted for symmetry with the other stages.

    Raises
    ------
    IntegrityError
        If the latents are not those of this slice.
    """
    sample = read_structures(layout.structures)
    latent = read_latent(layout.latent(key), sample_set_id=sample.id)
    common = {
        "slice": layout.slice,
        "dataset": sample.dataset,
        "sample_set_id": sample.id,
        "model": key,
        "latent_sha256": latent.sha256,
    }
    arrays: dict[str, npt.NDArray[Any]] = {}
    scalings: dict[str, Row] = {}
    outcomes: list[tuple[Measure, Scored]] = []
    groups = by_scaling((*study.model_measures, *study.pair_measures))
    for scaling, specs in groups.items():
        per_model = [spec for spec in specs if spec.info.kind == "model"]
        longest = max((spec.integer("k") for spec in specs if wants_lists(spec)), default=1)
        if latent.valid.any():
            summary = summarize(
                normalize(latent.values[latent.valid], scaling),
                k_neighbors=longest,
                id_specs=per_model,
                name=key,
            )
            arrays |= _named(scaling, summary.neighbors)
            scalings[scaling] = _facts(summary)
            outcomes += [(Measure(spec, scaling), scored) for spec, scored in summary.intrinsic]
        else:
            nothing = Scored.not_applicable("the model took no structure of this slice", 0)
            outcomes += [(Measure(spec, scaling), nothing) for spec in per_model]
    rows = [common | measure.outcome(scored) for measure, scored in outcomes]
    sidecar = common | {
        "n_valid": int(latent.valid.sum()),
        "scalings": scalings,
        "intrinsic": rows,
    }
    write_neighbors(layout.neighbors(key), arrays, sidecar)
    return f"summarize {key}: " + ", ".join(_phrase(m.spec, scored) for m, scored in outcomes)


def read_lists(
    layout: Layout, key: str, latent_sha256: str, scaling: NormalizeMode
) -> Neighbors | None:
    """Return a model's neighbour lists under one scaling, or None where it has none.

    Raises
    ------
    IntegrityError
        If the file belongs to other latents or does not match its hash.
    """
    arrays, _ = read_neighbors(layout.neighbors(key), latent_sha256=latent_sha256)
    names = {f.name: f"{scaling}.{f.name}" for f in fields(Neighbors)}
    if not all(stored in arrays for stored in names.values()):
        return None
    return Neighbors(**{name: arrays[stored] for name, stored in names.items()})


def wants_lists(spec: MetricSpec) -> bool:
    """Return whether a metric of pairs reads stored neighbour lists of length k."""
    return spec.info.kind == "pair" and "k" in spec.params


def _named(scaling: str, lists: Neighbors) -> dict[str, npt.NDArray[Any]]:
    return {f"{scaling}.{f.name}": getattr(lists, f.name) for f in fields(Neighbors)}


def _facts(summary: Summary) -> Row:
    """Return the length of the lists, duplicates, and the largest hub.

    The largest hub is the share of structures that have one same structure among their
    inner-product neighbours: near 1, a local score compares vector lengths, not
    neighbourhoods.
    """
    lists = summary.neighbors
    votes = np.bincount(lists.inner_index.ravel(), minlength=1)
    hub = float(votes.max() / max(summary.n - 1, 1)) if lists.inner_index.size else 0.0
    return {"k": lists.k, "duplicates": summary.duplicates, "largest_hub": hub}


def _phrase(spec: MetricSpec, scored: Scored) -> str:
    shown = scored.status if scored.value is None else f"{scored.value:.2f}"
    return f"{spec.metric} dimension {shown}"
