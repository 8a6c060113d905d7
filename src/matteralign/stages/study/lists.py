"""Neighbour lists of the metric engine as named arrays on disk, and back."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from matteralign.core.errors import IntegrityError
from matteralign.core.scaling import Scaling
from matteralign.metrics.base.registry import LISTS_VERSION
from matteralign.stages.study.layout import Layout
from matteralign.store.neighbors import read_neighbors, read_neighbors_sidecar

if TYPE_CHECKING:
    from matteralign.metrics import Neighbors


def arrays_of(lists: Neighbors, prefix: str) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of some lists by name, those of its leading samples included."""
    arrays = {f"{prefix}.{name}": array for name, array in _own(lists).items()}
    for rows, inner in lists.leading:
        arrays |= arrays_of(inner, f"{prefix}.leading-{rows}")
    return arrays


def leading_of(lists: Neighbors) -> list[int]:
    """Return how many leading rows each further set of lists is of."""
    return [int(rows) for rows, _ in lists.leading]


def read_summary(
    layout: Layout, key: str, *, latent_sha256: str, needed: Collection[str] = ("scalings",)
) -> dict[str, Any]:
    """Read the sidecar of a model's neighbour lists.

    Parameters
    ----------
    needed
        What it must name beside its identity.

    Raises
    ------
    IntegrityError
        If it is missing, damaged, of other latents, or made by another version of the search.
    """
    path = layout.neighbors(key)
    sidecar = read_neighbors_sidecar(path, latent_sha256=latent_sha256)
    found = sidecar.get("lists_version")
    if found != LISTS_VERSION:
        raise IntegrityError(
            f"{path}: neighbour lists by version {found or 'unknown'} of the search, today's is "
            f"{LISTS_VERSION}; summarize this model again"
        )
    for name in needed:
        if name not in sidecar:
            raise IntegrityError(
                f"{path.with_suffix('.json')}: lacks {name}; summarize this model again"
            )
    return sidecar


class StoredLists(Mapping[str, "Neighbors"]):
    """The neighbour lists of several models under one scaling, read when they are asked for.

    Parameters
    ----------
    latents
        Hash of the latents of every model. That the lists belong to them is checked at once.

    Raises
    ------
    IntegrityError
        If a file is missing, belongs to other latents, is of another version of the search
        or, on reading, does not match its hash.
    """

    def __init__(self, layout: Layout, latents: Mapping[str, str], scaling: Scaling) -> None:
        self._layout = layout
        self._scaling = scaling
        self._latents: dict[str, str] = {}
        self._leading: dict[str, list[int]] = {}
        for key, digest in latents.items():
            sidecar = read_summary(layout, key, latent_sha256=digest)
            facts = sidecar["scalings"].get(scaling)
            if facts is not None:
                self._latents[key] = digest
                self._leading[key] = facts["leading"]

    def __getitem__(self, key: str) -> Neighbors:
        from matteralign.metrics import Neighbors

        digest = self._latents[key]
        path, prefix = self._layout.neighbors(key), f"{self._scaling}."
        arrays = read_neighbors(path, latent_sha256=digest, prefix=prefix)
        whole = _lists(arrays, self._scaling)
        if self._leading[key]:
            whole["leading"] = tuple(
                (rows, Neighbors(**_lists(arrays, f"{self._scaling}.leading-{rows}")))
                for rows in self._leading[key]
            )
        return Neighbors(**whole)

    def __contains__(self, key: object) -> bool:
        return key in self._latents

    def __iter__(self) -> Iterator[str]:
        return iter(self._latents)

    def __len__(self) -> int:
        return len(self._latents)


def _own(lists: Neighbors) -> dict[str, npt.NDArray[Any]]:
    values = {f.name: getattr(lists, f.name) for f in fields(lists)}
    return {name: value for name, value in values.items() if isinstance(value, np.ndarray)}


def _lists(arrays: Mapping[str, npt.NDArray[Any]], prefix: str) -> dict[str, Any]:
    from matteralign.metrics import Neighbors

    names = {f.name: f"{prefix}.{f.name}" for f in fields(Neighbors)}
    return {name: arrays[stored] for name, stored in names.items() if stored in arrays}
