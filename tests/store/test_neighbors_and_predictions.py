from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from matteralign.core.errors import IntegrityError
from matteralign.store.neighbors import read_neighbors, read_neighbors_sidecar, write_neighbors
from matteralign.store.predictions import write_predictions

ARRAYS = {"index": np.arange(6).reshape(3, 2), "distance": np.linspace(0, 1, 6).reshape(3, 2)}


@pytest.fixture
def lists(tmp_path: Path) -> Path:
    path = tmp_path / "chgnet-0.3.0.npz"
    write_neighbors(path, ARRAYS, {"model": "chgnet-0.3.0", "latent_sha256": "a" * 64})
    return path


def test_neighbours_come_back(lists: Path) -> None:
    arrays = read_neighbors(lists, latent_sha256="a" * 64)
    assert set(arrays) == set(ARRAYS)
    assert all(np.array_equal(arrays[k], ARRAYS[k]) for k in ARRAYS)
    assert read_neighbors_sidecar(lists)["model"] == "chgnet-0.3.0"
    one = read_neighbors(lists, latent_sha256="a" * 64, prefix="in")
    assert list(one) == ["index"]


def test_the_same_neighbours_give_the_same_bytes(tmp_path: Path, lists: Path) -> None:
    write_neighbors(tmp_path / "again.npz", ARRAYS, {"latent_sha256": "a" * 64})
    assert (tmp_path / "again.npz").read_bytes() == lists.read_bytes()


def test_neighbours_of_other_latents_are_refused(lists: Path) -> None:
    with pytest.raises(IntegrityError, match=r"chgnet-0\.3\.0\.npz: neighbours of other latents"):
        read_neighbors(lists, latent_sha256="b" * 64)
    with pytest.raises(IntegrityError, match=r"chgnet-0\.3\.0\.npz: neighbours of other latents"):
        read_neighbors_sidecar(lists, latent_sha256="b" * 64)


def test_changed_neighbours_are_refused(lists: Path) -> None:
    data = bytearray(lists.read_bytes())
    data[len(data) // 2] ^= 1
    lists.write_bytes(bytes(data))
    with pytest.raises(IntegrityError, match=r"chgnet-0\.3\.0\.npz: bytes do not match"):
        read_neighbors(lists, latent_sha256="a" * 64)


def test_an_older_schema_is_refused(lists: Path) -> None:
    side = lists.with_suffix(".json")
    side.write_text(json.dumps(json.loads(side.read_text()) | {"schema": 0}))
    with pytest.raises(IntegrityError, match="summarize this model again"):
        read_neighbors(lists, latent_sha256="a" * 64)


def test_predictions_have_a_status_for_every_row(tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    energies = np.array([-1.5, np.nan, 2.0])
    write_predictions(path, ["a", "b", "c"], energies, {1: "element: Na"}, {"model": "m"})
    assert pq.read_table(path).to_pylist() == [
        {"id": "a", "energy": -1.5, "status": "ok", "reason": ""},
        {"id": "b", "energy": None, "status": "masked", "reason": "element: Na"},
        {"id": "c", "energy": 2.0, "status": "ok", "reason": ""},
    ]
    assert pq.read_schema(path).metadata[b"matteralign.model"] == b"m"


def test_a_model_without_energies_says_so(tmp_path: Path) -> None:
    write_predictions(tmp_path / "p", ["a", "b"], None, {0: "smiles: none"}, {})
    rows = pq.read_table(tmp_path / "p").to_pylist()
    assert [row["status"] for row in rows] == ["masked", "not_applicable"]
    assert all(row["energy"] is None and row["reason"] for row in rows)
