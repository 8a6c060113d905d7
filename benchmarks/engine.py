"""The engine under test, as the harness calls it."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import fields
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.data import NpyRows
from benchmarks.foreign.meter import timed
from benchmarks.machine import describe
from matteralign.config.schema import StudyConfig
from matteralign.metrics import (
    METRICS,
    MetricSpec,
    Neighbors,
    compare,
    summarize,
)

Wanted = tuple[str, str, dict[str, Any]]
# More than the engine takes in double precision unasked, so that what is timed is warm.
WARM_ROWS = 4500


def accepted(function: Callable[..., Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that this revision's function has, so that older ones can be timed."""
    known = inspect.signature(function).parameters
    return {key: value for key, value in options.items() if key in known}


def reads_rows() -> bool:
    """Return whether `compare` takes objects that are read by slices of rows."""
    return "valid" in inspect.signature(compare).parameters


def missing(metric: str) -> str:
    """Return why the engine has no such metric, empty when it has."""
    return "" if metric in METRICS else f"the engine of this revision has no {metric}"


def spec(wanted: Wanted) -> MetricSpec:
    """Return the spec of (metric, definition, params)."""
    metric, definition, params = wanted
    return MetricSpec(metric, definition, params)


def default_specs(kind: str) -> list[MetricSpec]:
    """Return what a study computes when it says nothing; `kind` is ``pair`` or ``model``."""
    requests = getattr(StudyConfig().metrics, kind)
    return list(dict.fromkeys(MetricSpec(r.metric, r.definition or "", r.params) for r in requests))


def longest_k() -> int:
    """Return the neighbours per row that the default pair metrics read."""
    return max(s.integer("k") for s in default_specs("pair") if "k" in s.params)


def load(folder: str, names: list[str]) -> dict[str, Any]:
    """Return arrays held in memory by name."""
    return {name: np.load(Path(folder, f"{name}.npy")) for name in names}


def readers(folder: str, names: list[str]) -> dict[str, Any]:
    """Return rows on disk by name; arrays where this revision cannot read rows."""
    if not reads_rows():
        return load(folder, names)
    return {name: NpyRows(Path(folder, f"{name}.npy")) for name in names}


def all_pairs(embeddings: Mapping[str, Any], specs: list[MetricSpec], **options: Any) -> list[Any]:
    """Return every PairScore of all pairs of `embeddings`."""
    pairs = list(combinations(embeddings, 2))
    return list(compare(embeddings, pairs, specs, **accepted(compare, options)))


def lists(x: Any, k: int, **options: Any) -> Any:
    """Return the Summary of one embedding: neighbour lists, and dimensions where asked for."""
    return summarize(x, k_neighbors=k, **accepted(summarize, options))


def lists_of_scalings(x: Any, k: int, modes: list[str], **options: Any) -> Any:
    """Return the lists of one embedding by distance and by inner product under each scaling."""
    from matteralign.metrics import summarize_scalings

    specs = [MetricSpec("cknna", "text", {"k": k})]
    specs += [MetricSpec("information_imbalance", "rank", {"k": k})]
    return summarize_scalings(x, dict.fromkeys(modes, specs), **options)


def save_neighbors(path: Path, found: Neighbors) -> None:
    """Write neighbour lists; the file appears when complete."""
    partial = path.with_suffix(".partial.npz")
    values = {f.name: getattr(found, f.name) for f in fields(found)}
    np.savez(partial, **{k: v for k, v in values.items() if isinstance(v, np.ndarray)})
    partial.replace(path)


def load_neighbors(path: Path) -> Neighbors:
    """Read what `save_neighbors` wrote."""
    with np.load(path) as stored:
        return Neighbors(**{name: stored[name] for name in stored.files})


def warm(embeddings: Mapping[str, Any], call: Callable[[dict[str, Any]], Any]) -> None:
    """Run `call` on a few rows, so that compiling is not timed."""
    call({name: np.asarray(x[:WARM_ROWS]) for name, x in embeddings.items()})


def pairs_task(
    folder: str, names: list[str], wanted: list[Wanted], repeats: int, threads: int
) -> dict[str, Any]:
    """Time all pairs of `names` from the arrays on, neighbour lists included.

    Returns
    -------
    dict
        ``samples`` without and ``calibrated`` with statistics, ``values`` as (a, b, value).
    """
    embeddings, specs = load(folder, names), [spec(w) for w in wanted]

    def call(given: dict[str, Any], statistics: bool) -> list[Any]:
        return all_pairs(given, specs, threads=threads, statistics=statistics)

    warm(embeddings, lambda m: call(m, True))
    warm(embeddings, lambda m: call(m, False))
    measured = [timed(lambda: call(embeddings, False)) for _ in range(repeats)]
    calibrated = timed(lambda: call(embeddings, True))[1]
    return {
        "samples": [s for _, s in measured],
        "calibrated": [calibrated],
        "values": [[s.a, s.b, s.scored.value] for s in measured[-1][0]],
        "machine": describe(),
    }


def dimension_task(folder: str, names: list[str], k: int, repeats: int) -> dict[str, Any]:
    """Time the MLE dimension of every model."""
    from matteralign.metrics import mle_intrinsic_dimension

    embeddings = load(folder, names)
    warm(embeddings, lambda m: mle_intrinsic_dimension(m[names[0]], k))
    measured = [
        (name, timed(lambda x=x: mle_intrinsic_dimension(x, k)))
        for _ in range(repeats)
        for name, x in embeddings.items()
    ]
    return {
        "samples": [sample for _, (_, sample) in measured],
        "values": [[name, value] for name, (value, _) in measured[: len(names)]],
        "machine": describe(),
    }


def device_memory() -> str:
    """Return the name and the most memory of the GPU this process used, empty without one."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return ""
    peak = torch.cuda.max_memory_allocated() / 1e9
    return f"; {torch.cuda.get_device_name()}, at most {peak:.2f} GB there"
