from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from matteralign import metrics
from matteralign.core.errors import IntegrityError
from matteralign.metrics.base.registry import LISTS_VERSION
from matteralign.stages.study.layout import Layout
from matteralign.stages.study.lists import StoredLists, arrays_of, leading_of
from matteralign.store.neighbors import write_neighbors

SHA = "a" * 64


@dataclass(frozen=True)
class Lists:
    """What the engine keeps for a model: arrays, lists of leading samples, plain facts."""

    near: np.ndarray
    far: np.ndarray
    leading: tuple[tuple[int, Any], ...] = ()
    effort: str = ""


def made(rows: int, seed: int, leading: tuple[tuple[int, Any], ...] = ()) -> Lists:
    rng = np.random.default_rng(seed)
    near = rng.integers(-1, rows, (rows, 3)).astype(np.int32)
    return Lists(near, rng.normal(size=(rows, 2)), leading, "not kept")


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    monkeypatch.setattr(metrics, "Neighbors", Lists, raising=False)
    return Layout(tmp_path, "s")


def write(layout: Layout, key: str, changes: Any = None, /, **scalings: Lists) -> None:
    arrays: dict[str, Any] = {}
    for name, one in scalings.items():
        arrays |= arrays_of(one, name)  # type: ignore[arg-type]
    facts = {name: {"leading": leading_of(one)} for name, one in scalings.items()}  # type: ignore[arg-type]
    sidecar = {"latent_sha256": SHA, "scalings": facts, "lists_version": LISTS_VERSION}
    sidecar = {k: v for k, v in (sidecar | (changes or {})).items() if v is not None}
    write_neighbors(layout.neighbors(key), arrays, sidecar)


def same(found: Any, expected: Lists) -> bool:
    return (
        np.array_equal(found.near, expected.near)
        and found.near.dtype == np.int32
        and np.array_equal(found.far, expected.far)
        and [n for n, _ in found.leading] == [n for n, _ in expected.leading]
        and all(same(a, b) for (_, a), (_, b) in zip(found.leading, expected.leading, strict=True))
    )


def test_lists_come_back_with_those_of_leading_samples(layout: Layout) -> None:
    plain, unit = made(16, 0, ((4, made(4, 1)), (8, made(8, 2)))), made(16, 3)
    write(layout, "m", max=plain, l2=unit)
    assert same(StoredLists(layout, {"m": SHA}, "max")["m"], plain)
    assert same(StoredLists(layout, {"m": SHA}, "l2")["m"], unit)


def test_a_model_without_lists_of_a_scaling_is_not_among_them(layout: Layout) -> None:
    write(layout, "m", max=made(5, 0))
    write(layout, "void")
    stored = StoredLists(layout, {"m": SHA, "void": SHA}, "max")
    assert list(stored) == ["m"]
    assert "void" not in stored
    with pytest.raises(KeyError):
        stored["void"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lists_version": None}, "neighbour lists by version unknown of the search, today's is"),
        ({"lists_version": LISTS_VERSION - 1}, "neighbour lists by version"),
        ({"scalings": None}, r"neighbors/m\.json: lacks scalings"),
    ],
)
def test_lists_of_another_version_of_the_search_are_refused(
    layout: Layout, changes: dict[str, Any], message: str
) -> None:
    write(layout, "m", changes, max=made(5, 0))
    with pytest.raises(IntegrityError, match=f"{message}.*summarize this model again"):
        StoredLists(layout, {"m": SHA}, "max")
