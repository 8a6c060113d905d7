"""Files of a slice that a disk or a person damaged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from matteralign.core.errors import IntegrityError
from matteralign.core.files import read_record
from matteralign.store.latents import read_sidecar
from matteralign.store.neighbors import read_neighbors_sidecar, write_neighbors
from matteralign.store.parquet import read_parquet


@pytest.mark.parametrize("text", ["null", "[]", "3", '"x"', "[1, 2]"])
def test_json_that_is_no_record_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "m.json"
    path.write_text(text)
    readers: tuple[Callable[[Path], object], ...] = (
        read_record,
        read_sidecar,
        read_neighbors_sidecar,
    )
    for read in readers:
        with pytest.raises(IntegrityError, match=r"m\.json: holds no record .*delete it"):
            read(path)


def test_a_sidecar_of_neighbours_that_lacks_a_name_says_which(tmp_path: Path) -> None:
    path = tmp_path / "m.npz"
    write_neighbors(path, {"a": np.zeros(3)}, {"model": "m"})
    with pytest.raises(IntegrityError, match=r"m\.json: lacks latent_sha256; delete it"):
        read_neighbors_sidecar(path)


def test_no_damaged_byte_of_a_table_goes_unnamed(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    rng = np.random.default_rng(0)
    pq.write_table(pa.table({"x": rng.integers(0, 9, 2000)}), path, compression="zstd")
    whole, refused = path.read_bytes(), 0
    for place in range(4, len(whole), max(1, len(whole) // 60)):
        bad = bytearray(whole)
        bad[place] ^= 0xFF
        path.write_bytes(bytes(bad))
        try:
            read_parquet(path)
        except IntegrityError as error:
            refused += 1
            assert str(error).startswith(f"{path}: not a readable Parquet file (")
            assert str(error).endswith("; delete it and run the stage that writes it")
    assert refused > 10
