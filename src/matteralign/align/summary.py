"""Once per model: neighbour lists and intrinsic dimensions."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from matteralign.align.layout import Layout
from matteralign.align.records import outcome
from matteralign.align.study import Study
from matteralign.metrics import MetricSpec, Scored, normalize, summarize
from matteralign.store.latents import read_latent
from matteralign.store.neighbors import write_neighbors
from matteralign.store.structures import read_structures


def neighbors_needed(study: Study) -> int:
    """Return how many neighbours the configured pair metrics want kept."""
    wanted = [int(spec.params["k"]) for spec in study.pair_specs if "k" in spec.params]
    return max(wanted, default=1)


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
    mode = study.config.metrics.normalize
    common = {
        "slice": layout.slice,
        "dataset": sample.dataset,
        "sample_set_id": sample.id,
        "model": key,
        "latent_sha256": latent.sha256,
    }
    sidecar = common | {"normalize": mode, "n_valid": int(latent.valid.sum())}
    if latent.valid.any():
        summary = summarize(
            normalize(latent.values[latent.valid], mode),
            k_neighbors=neighbors_needed(study),
            id_specs=study.model_specs,
            name=key,
        )
        found = summary.neighbors
        arrays: dict[str, npt.NDArray[Any]] = {
            "euclid_index": found.euclid_index,
            "euclid_distance": found.euclid_distance,
            "inner_index": found.inner_index,
        }
        intrinsic = summary.intrinsic
        sidecar |= {"k": found.k, "duplicates": summary.duplicates}
    else:
        reason = "the model took no structure of this slice"
        arrays = {}
        intrinsic = tuple((s, Scored.not_applicable(reason, 0)) for s in study.model_specs)
        sidecar |= {"k": 0, "duplicates": 0}
    rows = [common | outcome(spec, mode, scored) for spec, scored in intrinsic]
    write_neighbors(layout.neighbors(key), arrays, sidecar | {"intrinsic": rows})
    return f"summarize {key}: " + ", ".join(_phrase(spec, scored) for spec, scored in intrinsic)


def _phrase(spec: MetricSpec, scored: Scored) -> str:
    shown = scored.status if scored.value is None else f"{scored.value:.2f}"
    return f"{spec.metric} dimension {shown}"
