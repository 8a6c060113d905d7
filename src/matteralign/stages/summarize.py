"""Once per model: neighbour lists and intrinsic dimensions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from matteralign.core.errors import IntegrityError
from matteralign.core.hashing import sha256_file
from matteralign.metrics.base.registry import LISTS_VERSION
from matteralign.metrics.base.specs import MetricSpec, Scored
from matteralign.stages.study.layout import Layout
from matteralign.stages.study.lists import arrays_of, leading_of, read_summary
from matteralign.stages.study.measure import Measure, Row, by_scaling
from matteralign.stages.study.standing import differences
from matteralign.stages.study.study import Study
from matteralign.store.latent_rows import LatentRows, open_latent
from matteralign.store.neighbors import write_neighbors
from matteralign.store.structures import read_structures

if TYPE_CHECKING:
    from matteralign.metrics.summary import Summary

INTERVAL = ("ci_low", "ci_high")
"""What calibrates an intrinsic dimension."""


def summarize_model(study: Study, layout: Layout, key: str, *, threads: int) -> str:
    """Write a model's neighbours and its intrinsic dimensions; return one line about them.

    Parameters
    ----------
    threads
        Threads of the engine.

    Raises
    ------
    IntegrityError
        If the latents are not those of this slice.
    """
    sample = read_structures(layout.structures)
    with open_latent(layout.latent(key), sample_set_id=sample.id) as latent:
        if _kept(study, layout, key, latent.sha256):
            return f"summarize {key}: what is there is of these latents and metrics; kept"
        identity = {
            "slice": layout.slice,
            "dataset": sample.dataset,
            "sample_set_id": sample.id,
            "model": key,
            "latent_sha256": latent.sha256,
        }
        return _summarize(study, layout, latent, identity, threads)


def _kept(study: Study, layout: Layout, key: str, latent_sha256: str) -> bool:
    """Return whether a model's neighbours are there, whole and for these metrics."""
    path = layout.neighbors(key)
    try:
        sidecar = read_summary(layout, key, latent_sha256=latent_sha256)
        whole = path.exists() and sha256_file(path) == sidecar["sha256"]
    except IntegrityError:
        return False
    return whole and not differences(sidecar.get("made_for"), study.summary_identity(layout.slice))


def _summarize(
    study: Study, layout: Layout, latent: LatentRows, identity: Row, threads: int
) -> str:
    key = str(identity["model"])
    arrays: dict[str, npt.NDArray[Any]] = {}
    scalings: dict[str, Row] = {}
    outcomes: list[tuple[Measure, Scored]] = []
    groups = by_scaling((*study.model_measures(layout.slice), *study.pair_measures(layout.slice)))
    if latent.valid.any():
        from matteralign.metrics import summarize_scalings

        summaries = summarize_scalings(
            latent,
            groups,
            valid=latent.valid,
            memory_bytes=study.memory_bytes,
            threads=threads,
            statistics=study.config.metrics.statistics,
            sweep=study.config.metrics.sweep,
            device=study.config.metrics.device,
            name=key,
        )
        for scaling, summary in summaries.items():
            k = max(spec.neighbors_read("inner") for spec in groups[scaling])
            arrays |= arrays_of(summary.neighbors, scaling)
            scalings[scaling] = _facts(summary, k or 1)
            outcomes += [(Measure(spec, scaling), scored) for spec, scored in summary.intrinsic]
    else:
        nothing = Scored.not_applicable("the model took no structure of this slice", 0)
        for scaling, specs in groups.items():
            per_model = [spec for spec in specs if spec.info.kind == "model"]
            outcomes += [(Measure(spec, scaling), nothing) for spec in per_model]
    sidecar = identity | {
        "lists_version": LISTS_VERSION,
        "made_for": study.summary_identity(layout.slice),
        "n_valid": int(latent.valid.sum()),
        "scalings": scalings,
        "intrinsic": [identity | measure.row(s, INTERVAL) for measure, s in outcomes],
    }
    write_neighbors(layout.neighbors(key), arrays, sidecar)
    return f"summarize {key}: " + ", ".join(_phrase(m.spec, scored) for m, scored in outcomes)


def _facts(summary: Summary, k: int) -> Row:
    """Return the length of the lists, rows left out, duplicates, the largest hub, and samples.

    The largest hub is the share of structures that have one same structure among their `k`
    inner-product neighbours: near 1, a local score compares vector lengths, not
    neighbourhoods.
    """
    nearest = summary.neighbors.inner_index[:, :k]
    # Rows that the model did not take hold -1.
    votes = np.bincount(nearest[nearest >= 0], minlength=1)
    hub = float(votes.max() / max(summary.n - 1, 1))
    return {
        "k": max(0, min(k, summary.n - 1)),
        "unscaled": summary.unscaled,
        "duplicates": summary.duplicates,
        "largest_hub": hub,
        "leading": leading_of(summary.neighbors),
    }


def _phrase(spec: MetricSpec, scored: Scored) -> str:
    shown = scored.status if scored.value is None else f"{scored.value:.2f}"
    return f"{spec.metric} dimension {shown}"
