"""The front door of the metric engine as the stages call it, on the engine of today.

`compare` and `summarize` here take what the stages have: rows on disk, masks, the scaling.
An engine that takes the same makes this module superfluous.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from matteralign import metrics
from matteralign.metrics import MetricSpec, Neighbors, NormalizeMode, PairScore, Summary
from matteralign.metrics.blocks import DEFAULT_MEMORY_BYTES

Mask = npt.NDArray[np.bool_]


class Resumable(Protocol):
    """Where an unfinished pass is kept."""

    def load(self) -> dict[str, npt.NDArray[Any]] | None:
        """Return what was saved last, or None."""

    def save(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Keep the state of a pass."""


def compare(
    members: Mapping[str, Any],
    pairs: Sequence[tuple[str, str]],
    specs: Sequence[MetricSpec],
    *,
    valid: Mapping[str, Mask] | None = None,
    neighbors: Mapping[str, Neighbors] | None = None,
    normalize: NormalizeMode = "none",
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
    threads: int = 1,
    statistics: bool = True,
    sweep: bool = False,
    progress: Callable[[float], None] | None = None,
    checkpoint: Resumable | None = None,
) -> Iterator[PairScore]:
    """Score pairs group by group of the same common rows, scaled and cut out beforehand."""
    masks = valid or {name: np.ones(len(x), dtype=bool) for name, x in members.items()}
    groups: dict[bytes, list[tuple[str, str]]] = {}
    for a, b in pairs:
        groups.setdefault((masks[a] & masks[b]).tobytes(), []).append((a, b))
    for done, (mask, chosen) in enumerate(groups.items(), 1):
        common = np.frombuffer(mask, dtype=bool)
        names = dict.fromkeys(name for pair in chosen for name in pair)
        yield from metrics.compare(
            {name: _scaled(members[name], masks[name], common, normalize) for name in names},
            chosen,
            specs,
            neighbors={
                name: neighbors[name]
                for name in names
                if neighbors and name in neighbors and np.array_equal(masks[name], common)
            },
            memory_bytes=memory_bytes,
            threads=threads,
        )
        if progress is not None:
            progress(done / len(groups))


def summarize(
    x: Any,
    *,
    k_neighbors: int,
    id_specs: Sequence[MetricSpec] = (),
    valid: Mask | None = None,
    normalize: NormalizeMode = "none",
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
    threads: int = 1,
    sweep: bool = False,
    name: str = "x",
) -> Summary:
    """Summarize the rows that a model took, scaled and cut out beforehand."""
    mask = np.ones(len(x), dtype=bool) if valid is None else valid
    return metrics.summarize(
        metrics.normalize(x[mask], normalize),
        k_neighbors=k_neighbors,
        id_specs=id_specs,
        memory_bytes=memory_bytes,
        name=name,
    )


def _scaled(x: Any, own: Mask, common: Mask, normalize: NormalizeMode) -> npt.NDArray[np.float64]:
    # Scaled over the model's own rows first, so that a pair's mask does not change the scale.
    return metrics.normalize(x[own], normalize)[common[own]]
