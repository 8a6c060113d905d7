"""What the throughput's table says of measured rates, and the crystals they are measured on."""

from __future__ import annotations

import pytest

from benchmarks import throughput
from matteralign.store.structures import read_structures

RATES = {
    "wrapper": [10.0, 30.0, 12.0],
    "batches of 8": [9.0, 9.0, 9.0],
    "batches of 32": [10.0, 40.0, 10.0],
    "batches of 128": [1.0, 99.0, 1.0],
    "batches of one": [5.0, 5.0, 5.0],
    "public call": [2.0, 10.0, 3.0],
}


def test_a_ratio_is_the_median_of_those_within_a_turn():
    found = {"key": "m", "samples": {"QM9": {"n": 4, "atoms": 20, "rates": RATES}}}
    (row,) = throughput.cells(found)
    told = dict(zip(throughput.HEAD, row, strict=True))
    assert told["batch"] == "32", "the best median counts, and batches of one never do"
    assert told["wrapper / batched"] == "**1.00** (bar ≥ 0.95, met)"
    assert told["wrapper / batches of one"] == "**2.40** (bar ≥ 3, **not met**)"
    assert told["wrapper / public call"] == "**4.00** (bar ≥ 3, met)"
    assert told["package: batched / batches of one"] == "2.00"


@pytest.mark.parametrize(
    ("repeats", "least", "most"), [(throughput.CELLS, 4, 40), (throughput.TINY, 1, 4)]
)
def test_crystals_have_the_sizes_that_the_page_states(tmp_path, repeats, least, most):
    path = throughput.crystals(64, tmp_path / "cells.parquet", repeats)
    atoms = [s.n_atoms for s in read_structures(path).structures]
    assert (min(atoms), max(atoms)) == (least, most)
    assert all(s.periodic for s in read_structures(path).structures)
