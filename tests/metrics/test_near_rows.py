"""Rows that differ by rounding are one row to statistics of neighbour distances."""

from __future__ import annotations

import numpy as np
import pytest

from matteralign.metrics import MetricSpec, compare, summarize
from matteralign.metrics.dimension.correlation import idcor
from matteralign.metrics.embedding.near_rows import Precision, merge_near
from matteralign.metrics.embedding.standard import row_codes
from matteralign.metrics.reconstruction.scores import (
    global_reconstruction_error,
    local_reconstruction_error,
)

IDS = [MetricSpec("twonn"), MetricSpec("mle", "", {"k": 10})]


def latents(n=300, d=40, seed=0):
    """As of a network: a few dimensions, embedded, one strong constant feature, float32."""
    rng = np.random.default_rng(seed)
    t = rng.normal(size=(n, 5))
    x = np.tanh(t @ rng.normal(size=(5, d))) + 0.3 * np.sin(t @ rng.normal(size=(5, d)))
    x[:, 0] += 20.0
    return x.astype(np.float32)


def moved(x, sds=2e-6, seed=1):
    """The same rows from another batch: moved by some roundings of float32."""
    noise = np.random.default_rng(seed).normal(size=x.shape)
    return (x + sds * x.std(axis=0) * noise + 2e-7 * x * noise).astype(np.float32)


def dimensions(x, **options):
    found = summarize(x, k_neighbors=2, id_specs=IDS, **options)
    return found.duplicates, [scored for _, scored in found.intrinsic]


@pytest.mark.parametrize("normalize", ["none", "max", "l2"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_tenth_of_the_rows_again_changes_no_dimension(dtype, normalize):
    x = latents()
    twice = np.concatenate([x, moved(x[:30])]).astype(dtype)
    none, alone = dimensions(x.astype(dtype), normalize=normalize)
    count, found = dimensions(twice, normalize=normalize)
    assert (none, count) == (0, 30)
    for one, other in zip(alone, found, strict=True):
        assert other.value == pytest.approx(one.value, rel=1e-9)
        assert other.n == 300
        assert other.note.startswith("30 of 330 rows left out")
        assert one.note == ""


def test_a_group_longer_than_any_list_is_one_row():
    x = latents()
    again = moved(np.repeat(x[7:8], 400, axis=0))
    count, found = dimensions(np.concatenate([again, x]))
    assert count == 400
    # The first of the group stands for it: the row itself, but for rounding.
    for one, other in zip(dimensions(x)[1], found, strict=True):
        assert other.value == pytest.approx(one.value, rel=1e-4)


def test_rows_of_double_precision_may_be_nearer():
    x = latents().astype(np.float64) + 1e-9 * np.random.default_rng(3).normal(size=(300, 40))
    near = np.concatenate([x, x[:30] + 1e-6])
    assert dimensions(near)[0] == 0
    assert dimensions(np.concatenate([x, x[:30] * (1 + 2e-16)]))[0] == 30


def test_masked_rows_and_rows_on_disk():
    x = latents()
    twice = np.concatenate([x, moved(x[:30])])
    valid = np.ones(330, bool)
    valid[:10] = False  # the first of ten pairs is not there: its twin stands for itself
    twice[:10] = np.nan
    count, found = dimensions(twice, valid=valid)
    assert (count, found[0].n) == (20, 300)


def test_an_outlier_makes_no_ordinary_rows_equal():
    x = latents()
    x[0] *= 1e6
    assert dimensions(x)[0] == 0


@pytest.mark.parametrize("offset", [0.0, 0.5])
def test_half_precision_makes_no_neighbours_equal(offset):
    rng = np.random.default_rng(4)
    plane = np.tanh(rng.random((2000, 2)) @ rng.normal(size=(2, 64))) + offset
    stored = plane.astype(np.float16)
    count, found = dimensions(stored)
    assert count <= 10
    # The same numbers in an array of float32 are not taken for rounded ones.
    plain = dimensions(stored.astype(np.float32))[1]
    for one, other in zip(found, plain, strict=True):
        assert one.value == pytest.approx(other.value, rel=0.02)


def test_rows_that_half_precision_rounded_apart_are_one_row():
    x = np.random.default_rng(6).normal(size=(300, 400)) + 2.0
    stored = np.concatenate([x, moved(x[:30])]).astype(np.float16)
    assert (stored[300:] != stored[:30]).any(axis=1).sum() > 3
    assert dimensions(stored)[0] == 30


def test_whole_numbers_are_not_taken_for_rounded_ones():
    x = np.arange(3e5)[:, None] * np.ones((1, 2))
    assert not np.any(np.diff(merge_near(x, row_codes(x), Precision.of(x))) == 0)


def test_idcor_leaves_them_out():
    x = latents()
    y = np.tanh(x @ np.random.default_rng(5).normal(size=(40, 6)).astype(np.float32) / 8)
    found = idcor(*(np.concatenate([z, moved(z[:30])]) for z in (x, y)), permutations=0)
    alone = idcor(x, y, permutations=0)
    assert (found.n, found.duplicates) == (300, 30)
    # Columns are standardised over all rows, so the spaces are not quite the same.
    assert found.value == pytest.approx(alone.value, abs=0.03)
    assert found.i12 == pytest.approx(alone.i12, rel=0.02)


@pytest.mark.parametrize("error", [global_reconstruction_error, local_reconstruction_error])
def test_reconstruction_is_not_judged_by_rows_it_was_fitted_to(error):
    x = latents()
    y = latents(seed=9)
    twice = [np.concatenate([z, moved(z)]) for z in (x, y)]
    assert error(*twice) == pytest.approx(error(x, y), rel=1e-6)
    spec = MetricSpec("gfre" if error is global_reconstruction_error else "lfre")
    found, _ = compare({"x": twice[0], "y": twice[1]}, [("x", "y")], [spec], statistics=False)
    assert found.scored.value == pytest.approx(error(x, y), rel=1e-6)
    # One embedding alone has twins: the other tells their rows apart, all count.
    other = np.concatenate([y, latents(seed=10)])
    found, _ = compare({"x": twice[0], "y": other}, [("x", "y")], [spec], statistics=False)
    assert found.scored.n == 300
