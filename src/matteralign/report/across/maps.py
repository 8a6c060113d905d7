"""Maps (UMAP) of each model's latents of several slices together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from matteralign.config.analyses import Maps
from matteralign.core.errors import IntegrityError
from matteralign.core.scaling import Scaling
from matteralign.findings.across.maps import (
    LEAST_ROWS,
    exact_neighbors,
    separation,
    trustworthiness,
    umap_map,
)
from matteralign.metrics.embedding.scaling import row_scaled, scalable_rows
from matteralign.report.across.analysis_view import AnalysisView, Findings, Missing, one_per_model
from matteralign.report.figures.across.maps import maps_caption, maps_figure
from matteralign.report.figures.style import labels_of
from matteralign.report.slice_findings.results import Drawing
from matteralign.stages.study.lists import StoredLists
from matteralign.store.latent_rows import open_latent
from matteralign.store.structures import read_structures

COORDINATE_COLUMNS = ["model", "slice", "dataset", "row", "id", "x", "y"]
MAP_COLUMNS = [
    "model", "weights", "n", "masked", "dim", "normalize", "neighbors", "found_by", "min_dist",
    "init", "seed", "umap_version", "trustworthiness", "trustworthiness_low",
    "trustworthiness_high", "trustworthiness_rows",
]  # fmt: skip
SEPARATION_COLUMNS = ["model", "slice", "dataset", "n", "share_latents", "share_map", "chance"]


@dataclass(frozen=True)
class Taken:
    """The rows of one model's latents that a map is of.

    Attributes
    ----------
    values : ndarray of float32, shape (n, d)
        Scaled.
    slice : ndarray of int, shape (n,)
        Place of the slice in the analysis.
    row : ndarray of int, shape (n,)
        Row of its sample set.
    masked
        Rows that were left out.
    """

    values: npt.NDArray[np.float32]
    slice: npt.NDArray[np.int64]
    row: npt.NDArray[np.int64]
    masked: int


def find(view: AnalysisView) -> Findings:
    """Draw a map of every model that the slices have."""
    out = place_all(view)
    maps = out.tables["maps"]
    if len(maps):
        labels = labels_of(one_per_model(view.facts))
        out.drawings.append(
            Drawing(
                "maps",
                "Maps of latents",
                maps_caption(maps, out.tables["separation"], labels),
                maps_figure(out.tables["coordinates"], maps, labels, view.asked.slices),
            )
        )
    return out


def place_all(view: AnalysisView) -> Findings:
    """Return the tables of the maps: coordinates, maps, separation; and what is missing."""
    asked = view.section(Maps)
    out = Findings()
    ids = {name: _ids(view, name) for name in view.slices}
    coordinates, maps, apart = [], [], []
    for key in view.models:
        taken = _take(view, asked, key)
        if taken is None or len(taken.row) < LEAST_ROWS:
            reason = f"fewer than {LEAST_ROWS} rows that the model could process"
            out.missing.append(Missing("", key, "", "map", "not_applicable", reason))
            continue
        view.say(f"analyze {view.layout.analysis}: map of {key}, {len(taken.row):,} rows")
        placed, about, rows = _map(view, asked, key, taken)
        maps.append(about)
        apart += rows
        coordinates.append(_placed(view, key, taken, placed, ids))
    empty = pd.DataFrame(columns=COORDINATE_COLUMNS)
    table = pd.concat(coordinates, ignore_index=True) if coordinates else empty
    out.tables = {
        "coordinates": table[COORDINATE_COLUMNS],
        "maps": pd.DataFrame(maps, columns=MAP_COLUMNS),
        "separation": pd.DataFrame(apart, columns=SEPARATION_COLUMNS),
    }
    return out


def _ids(view: AnalysisView, slice_name: str) -> npt.NDArray[np.str_]:
    sample = read_structures(view.layout.slice(slice_name).structures)
    return np.array([structure.id for structure in sample.structures], dtype=str)


def _take(view: AnalysisView, asked: Maps, key: str) -> Taken | None:
    """Read a model's rows of every slice that has it."""
    parts: list[npt.NDArray[np.float32]] = []
    places: list[npt.NDArray[np.int64]] = []
    rows: list[npt.NDArray[np.int64]] = []
    masked = 0
    for place, of in enumerate(view.slices.values()):
        if key not in of.sidecars:
            continue
        sample = str(of.sidecars[key]["sample_set_id"])
        with open_latent(of.layout.latent(key), sample_set_id=sample) as latent:
            first = len(latent) if asked.rows is None else min(asked.rows, len(latent))
            valid = np.flatnonzero(latent.valid[:first])
            values = np.asarray(latent[valid], np.float32)
            if asked.normalize != "none":
                able = scalable_rows(values, asked.normalize)
                valid, values = valid[able], values[able]
                scaled = row_scaled(values.astype(np.float64), asked.normalize)
                values = np.asarray(scaled, np.float32)
            masked += first - len(valid)
        parts.append(values)
        places.append(np.full(len(valid), place, np.int64))
        rows.append(valid)
    widths = {part.shape[1] for part in parts}
    if len(widths) > 1:
        raise IntegrityError(
            f"latents of {key} have {sorted(widths)} columns in different slices; embed it again"
        )
    if not parts:
        return None
    return Taken(np.concatenate(parts), np.concatenate(places), np.concatenate(rows), masked)


def _map(
    view: AnalysisView, asked: Maps, key: str, taken: Taken
) -> tuple[npt.NDArray[np.float32], dict[str, Any], list[dict[str, Any]]]:
    n = len(taken.row)
    k = min(asked.neighbors, n - 1)
    lists = _stored(view, asked, key, taken, k)
    index, distance = lists or exact_neighbors(
        taken.values, k, threads=view.threads, memory_bytes=view.study.memory_bytes
    )
    placed = umap_map(taken.values, index, distance, min_dist=asked.min_dist, seed=asked.seed)
    trust = trustworthiness(taken.values, placed, k, seed=asked.seed)
    weights = set(view.facts.loc[view.facts["model"] == key, "weights"])
    about = {
        "model": key,
        "weights": "untrained" if "untrained" in weights else sorted(weights)[0],
        "n": n,
        "masked": taken.masked,
        "dim": taken.values.shape[1],
        "normalize": asked.normalize,
        "neighbors": k,
        "found_by": "lists of the slice" if lists else "exact search",
        "min_dist": asked.min_dist,
        "init": "pca" if taken.values.shape[1] > 1 else "random",
        "seed": asked.seed,
        "umap_version": version("umap-learn"),
        "trustworthiness": trust.value,
        "trustworthiness_low": trust.low,
        "trustworthiness_high": trust.high,
        "trustworthiness_rows": trust.rows,
    }
    names = list(view.slices)
    present, group = np.unique(taken.slice, return_inverse=True)
    rows = [
        {
            "model": key,
            "slice": names[place],
            "dataset": view.dataset(names[place]),
            "n": found.rows,
            "share_latents": found.latents,
            "share_map": found.map,
            "chance": found.chance,
        }
        for place, found in zip(present, separation(group, index, placed), strict=True)
    ]
    return placed, about, rows


def _stored(
    view: AnalysisView, asked: Maps, key: str, taken: Taken, k: int
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float64]] | None:
    """Return the lists that the slice has of these rows, if it is one slice and they are long."""
    if len(view.slices) > 1:
        return None
    (of,) = view.slices.values()
    whole = len(taken.row) + taken.masked == int(of.sidecars[key]["n_rows"])
    if not whole or not of.layout.neighbors_sidecar(key).exists():
        return None
    latents = {key: str(of.sidecars[key]["sha256"])}
    # Divided by one number or not, an array has the same neighbours and the same map.
    scalings: tuple[Scaling, ...] = (asked.normalize,)
    scalings = ("none", "max") if asked.normalize == "none" else scalings
    try:
        lists = [StoredLists(of.layout, latents, scaling).get(key) for scaling in scalings]
    except IntegrityError:
        return None  # of other latents or versions; searched again
    found = next((has for has in lists if has and has.euclid_index.shape[1] >= k), None)
    if found is None:
        return None
    # Rows of the sample set become those that are there.
    place = np.full(found.n, -1, np.int32)
    place[taken.row] = np.arange(len(taken.row), dtype=np.int32)
    index = found.euclid_index[taken.row, :k]
    if (index < 0).any():
        return None
    return place[index], found.euclid_distance[taken.row, :k]


def _placed(
    view: AnalysisView,
    key: str,
    taken: Taken,
    placed: npt.NDArray[np.float32],
    ids: dict[str, npt.NDArray[np.str_]],
) -> pd.DataFrame:
    names: Sequence[str] = list(view.slices)
    datasets = [view.dataset(name) for name in names]
    identifiers = [
        ids[names[place]][row] for place, row in zip(taken.slice, taken.row, strict=True)
    ]
    return pd.DataFrame(
        {
            "model": key,
            "slice": np.array(names)[taken.slice],
            "dataset": np.array(datasets)[taken.slice],
            "row": taken.row,
            "id": identifiers,
            "x": placed[:, 0],
            "y": placed[:, 1],
        }
    )
