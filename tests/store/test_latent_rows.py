from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from matteralign.core.errors import IntegrityError
from matteralign.core.hashing import sha256_file
from matteralign.store.latent_rows import LatentRows, open_latent
from matteralign.store.latents import MaskedRow, sidecar_path, write_latent

N, D = 23, 4
IDENTITY: dict[str, Any] = {
    "model": "m", "slice": "s", "sample_set_id": "a" * 64, "checkpoint": {"weights": "none"}
}  # fmt: skip
VALUES = np.random.default_rng(0).normal(size=(N, D)).astype(np.float32)
MASKED = [MaskedRow(4, "x4", "element", "Na"), MaskedRow(1, "x1", "smiles", "none")]


@pytest.fixture
def latent(tmp_path: Path) -> Path:
    path = tmp_path / "mace-0.3.0.npy"
    write_latent(path, VALUES, MASKED, IDENTITY)
    return path


@pytest.fixture
def rows(latent: Path) -> Any:
    with open_latent(latent, sample_set_id="a" * 64) as made:
        yield made


def test_it_looks_like_the_array_it_reads(rows: LatentRows, latent: Path) -> None:
    whole = np.load(latent)
    assert (rows.shape, rows.dtype, rows.ndim, len(rows)) == ((N, D), np.float32, 2, N)
    assert rows.sha256 == sha256_file(latent)
    assert np.array_equal(rows.valid, np.isfinite(whole).all(axis=1))
    assert np.array_equal(np.asarray(rows), whole, equal_nan=True)
    assert np.asarray(rows, np.float64).dtype == np.float64
    assert np.array_equal(rows[rows.valid], VALUES[rows.valid])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(
    index=st.one_of(
        st.slices(N),
        st.integers(-N, N - 1),
        st.lists(st.integers(-N, N - 1), max_size=40),
        st.lists(st.booleans(), min_size=N, max_size=N),
    )
)
def test_every_index_reads_what_numpy_reads(rows: LatentRows, latent: Path, index: Any) -> None:
    wanted = (
        np.array(index, dtype=None if index else np.int64) if isinstance(index, list) else index
    )
    found = rows[wanted]
    assert found.dtype == np.float32
    assert found.flags.writeable
    assert np.array_equal(found, np.load(latent)[wanted], equal_nan=True)


@pytest.mark.parametrize(
    "index", [N, [0, N], [-N - 1], [True], [0.5], [[0]], "a", (0, 1), [0, 1, N]]
)
def test_an_index_that_is_not_there_is_refused(rows: LatentRows, index: Any) -> None:
    with pytest.raises(IndexError):
        rows[index]


def test_threads_may_read_at_once(rows: LatentRows, latent: Path) -> None:
    whole = np.load(latent)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda i: rows[i % N : i % N + 3], range(400)))
    for i, block in enumerate(found):
        assert np.array_equal(block, whole[i % N : i % N + 3], equal_nan=True)


def test_a_file_that_is_not_its_sidecars_is_refused(latent: Path) -> None:
    with pytest.raises(IntegrityError, match=r"\.json: made for sample set aaaa"):
        open_latent(latent, sample_set_id="b" * 64)
    whole = latent.read_bytes()
    latent.write_bytes(whole[:-1])
    with pytest.raises(IntegrityError, match=r"mace-0\.3\.0\.npy: bytes hash to"):
        open_latent(latent)
    latent.write_bytes(whole)
    side = sidecar_path(latent)
    for changes, message in (
        ({"n_rows": N + 1}, "not as its sidecar"),
        ({"dim": D + 1}, "not as its sidecar"),
        ({"masked": []}, "NaN rows are not the masked rows"),
    ):
        kept = side.read_text()
        side.write_text(json.dumps(json.loads(kept) | changes))
        with pytest.raises(IntegrityError, match=message):
            open_latent(latent)
        side.write_text(kept)
    latent.unlink()
    with pytest.raises(IntegrityError, match="array is missing"):
        open_latent(latent)


@pytest.mark.parametrize(
    ("array", "pickled"),
    [
        (np.array([object()], dtype=object), True),
        (np.asfortranarray(VALUES), False),
        (VALUES.astype(np.float64), False),
        (VALUES.ravel(), False),
    ],
)
def test_another_kind_of_array_is_refused(latent: Path, array: np.ndarray, pickled: bool) -> None:
    with open(latent, "wb") as handle:
        np.save(handle, array, allow_pickle=pickled)
    side = sidecar_path(latent)
    side.write_text(json.dumps(json.loads(side.read_text()) | {"sha256": sha256_file(latent)}))
    with pytest.raises(IntegrityError, match=r"mace-0\.3\.0\.npy"):
        open_latent(latent)


def test_a_file_that_is_cut_while_it_is_read_is_noticed(rows: LatentRows, latent: Path) -> None:
    os.truncate(latent, latent.stat().st_size - 1)
    assert len(rows[: N - 1]) == N - 1
    with pytest.raises(IntegrityError, match="became shorter"):
        rows[N - 1]


def test_a_closed_file_is_not_read(rows: LatentRows) -> None:
    rows.close()
    rows.close()
    with pytest.raises(ValueError, match="closed"):
        rows[0]


MEMORY = """
import resource, sys
import numpy as np
from matteralign.store.latent_rows import open_latent
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before = peak()
with open_latent(sys.argv[1]) as rows:
    total = 0.0
    for start in range(0, len(rows), 1000):
        total += float(rows[start:start + 1000].sum())
print(peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in KiB on Linux only")
def test_memory_stays_bounded(tmp_path: Path) -> None:
    path = tmp_path / "large.npy"
    write_latent(path, np.ones((40_000, 512), np.float32), [], IDENTITY)
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, str(path)], capture_output=True, text=True, check=True
    )
    assert path.stat().st_size > 80e6
    assert int(done.stdout) < 45_000
