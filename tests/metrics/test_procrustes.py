"""Orthogonal Procrustes similarity against SciPy's rotations, closed forms and brute force."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from scipy.linalg import orthogonal_procrustes
from scipy.spatial import procrustes as disparity_of

from matteralign.metrics import (
    MetricInputError,
    MetricSpec,
    NotApplicable,
    Scored,
    compare,
    normalize,
    procrustes_similarity,
)
from matteralign.stats.blocks import block_of
from matteralign.stats.jackknife import interval
from matteralign.stats.permutation import row_order

Rows = npt.NDArray[np.float64]


def related(n: int, dx: int, dy: int, seed: int = 0, noise: float = 0.5) -> tuple[Rows, Rows]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, dx))
    return x, x @ rng.normal(size=(dx, dy)) / np.sqrt(dx) + noise * rng.normal(size=(n, dy))


def by_rotation(x: Rows, y: Rows) -> float:
    """Return what is left of the squared distance after SciPy's best rotation."""
    width = max(x.shape[1], y.shape[1])
    x, y = (np.pad(z - z.mean(axis=0), ((0, 0), (0, width - z.shape[1]))) for z in (x, y))
    x, y = x / np.linalg.norm(x), y / np.linalg.norm(y)
    turn, _ = orthogonal_procrustes(x, y)
    return float(1.0 - np.linalg.norm(x @ turn - y) ** 2 / 2.0)


def score(x: Rows, y: Rows, **options: object) -> Scored:
    spec = MetricSpec("procrustes", "", options.pop("params", {"permutations": 0}))
    return next(compare({"x": x, "y": y}, [("x", "y")], [spec], **options)).scored


@pytest.mark.parametrize(
    ("n", "dx", "dy"), [(50, 5, 5), (50, 7, 3), (3, 2, 2), (20, 60, 40), (20, 4, 60), (900, 300, 9)]
)
def test_it_is_what_the_best_rotation_leaves(n: int, dx: int, dy: int) -> None:
    x, y = related(n, dx, dy)
    expected = by_rotation(x, y)
    assert procrustes_similarity(x, y) == pytest.approx(expected, abs=1e-13)
    assert score(x, y).value == pytest.approx(expected, abs=1e-13)


def test_scipys_disparity_is_one_less_its_square() -> None:
    x, y = related(80, 6, 6)
    _, _, disparity = disparity_of(x, y)
    assert procrustes_similarity(x, y) == pytest.approx(np.sqrt(1.0 - disparity), abs=1e-13)


def test_a_rotation_reflection_shift_and_scaling_leave_one() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(30, 4))
    turn = np.linalg.qr(rng.normal(size=(4, 4)))[0] @ np.diag([1, 1, 1, -1])
    assert procrustes_similarity(x, 1e-3 * x @ turn + 5.0) == pytest.approx(1.0, abs=1e-12)


def test_shared_axes_give_the_cosine_of_their_lengths() -> None:
    rng = np.random.default_rng(2)
    axes = rng.normal(size=(40, 6))
    axes = np.linalg.qr(axes - axes.mean(axis=0))[0]
    s, t = np.array([3.0, 2.0, 1.0]), np.array([1.0, 1.0, 4.0])
    expected = s @ t / (np.linalg.norm(s) * np.linalg.norm(t))
    assert procrustes_similarity(axes[:, :3] * s, axes[:, :3] * t) == pytest.approx(expected)
    assert procrustes_similarity(axes[:, :3] * s, axes[:, 3:]) == pytest.approx(0.0, abs=1e-14)


def test_wide_rows_keep_the_digits_of_small_singular_values() -> None:
    """A Gram matrix of the rows would square a spread of ten digits."""
    rng = np.random.default_rng(3)
    left = np.linalg.qr(rng.normal(size=(20, 20)))[0]
    right = np.linalg.qr(rng.normal(size=(90, 20)))[0]
    x = (left * np.logspace(0, -10, 20)) @ right.T + 3.0
    y = rng.normal(size=(20, 70)) * np.logspace(0, -9, 20)[:, None]
    assert procrustes_similarity(x, y) == pytest.approx(by_rotation(x, y), rel=1e-11)


def test_masked_rows_are_as_if_they_were_not_there() -> None:
    x, y = related(60, 8, 5)
    one, two = np.ones(60, bool), np.ones(60, bool)
    one[[0, 7]], two[[7, 31, 59]] = False, False
    there = one & two
    x[0], y[31] = np.nan, np.inf
    found = score(x, y, valid={"x": one, "y": two})
    assert found.n == there.sum()
    assert found.value == pytest.approx(by_rotation(x[there], y[there]), abs=1e-13)


@pytest.mark.parametrize("mode", ["max", "row_max_abs", "l2", "clamp_l2"])
def test_scalings_are_applied_first(mode: str) -> None:
    x, y = related(60, 8, 5)
    expected = by_rotation(normalize(x, mode), normalize(y, mode))
    assert score(x, y, normalize=mode).value == pytest.approx(expected, abs=1e-12)


def test_memory_and_threads_change_no_digit() -> None:
    x, y = related(50, 30, 70)
    embeddings = {"x": x.astype(np.float32), "y": y, "z": x[:, :9] ** 3}
    pairs = [("x", "y"), ("x", "z"), ("y", "z")]
    specs = [MetricSpec("procrustes", "", {"permutations": 3})]
    found = [
        [s.scored for s in compare(embeddings, pairs, specs, memory_bytes=memory, threads=threads)]
        for memory, threads in ((2**30, 1), (2**30, 3), (1000, 2))
    ]
    assert found[0] == found[1] == found[2]


def test_the_null_is_that_of_rows_in_random_order() -> None:
    x, y = related(40, 3, 4, noise=3.0)
    found = score(x, y, params={"permutations": 400, "seed": 5})
    rng = np.random.default_rng(0)
    drawn = np.array([by_rotation(x, y[rng.permutation(40)]) for _ in range(400)])
    error = drawn.std() * np.sqrt(2 / 400)
    assert found.null_mean == pytest.approx(drawn.mean(), abs=4 * error)
    assert found.null_sd == pytest.approx(drawn.std(), rel=0.2)
    share = (1 + (drawn >= found.value).sum()) / 401
    assert found.null_p == pytest.approx(share, abs=4 * np.sqrt(2 * share * (1 - share) / 400))
    assert score(x, y, params={"permutations": 400, "seed": 5}) == found
    assert score(x, y, params={"permutations": 400, "seed": 6}).null_mean != found.null_mean
    assert found.debiased is None


def test_p_values_of_unrelated_rows_are_uniform() -> None:
    found = [
        score(*np.random.default_rng(seed).normal(size=(2, 16, 3)), params={"permutations": 9})
        for seed in range(120)
    ]
    p = np.array([each.null_p for each in found])
    assert set(np.round(10 * p).astype(int)) <= set(range(1, 11))
    # Of the values 0.1 to 1, each as likely: mean 0.55, standard deviation 0.287.
    assert p.mean() == pytest.approx(0.55, abs=4 * 0.287 / np.sqrt(120))
    excess = np.array([each.value - each.null_mean for each in found])
    assert abs(excess.mean()) < 4 * excess.std() / np.sqrt(120)
    strong = score(*related(16, 3, 3, noise=0.1), params={"permutations": 19})
    assert strong.null_p == 1 / 20


def test_orders_that_exchange_equal_rows_count_as_no_smaller() -> None:
    groups = np.array([0, 0, 0, 1, 1, 1])
    x, y = related(2, 3, 4, seed=7)
    found = score(x[groups], y[groups], params={"permutations": 200})
    orders = [groups[row_order(6, 0, number)] for number in range(200)]
    alike = sum((o == groups).all() or (o == 1 - groups).all() for o in orders)
    assert alike > 5
    assert found.null_p == (1 + alike) / 201


@pytest.mark.parametrize(("n", "dx", "dy"), [(100, 4, 6), (48, 90, 5)])
def test_the_interval_leaves_out_every_block(n: int, dx: int, dy: int) -> None:
    x, y = related(n, dx, dy)
    block = block_of(n)
    left = [by_rotation(x[block != b], y[block != b]) for b in range(16)]
    found = score(x, y)
    assert (found.ci_low, found.ci_high) == pytest.approx(interval(found.value, left), abs=1e-11)
    assert score(x[:31], y[:31]).ci_low is None


def test_the_interval_holds_the_mean_of_the_score() -> None:
    found = [score(*related_draw(seed)) for seed in range(120)]
    mean = np.mean([each.value for each in found])
    held = np.mean([each.ci_low <= mean <= each.ci_high for each in found])
    assert 0.88 <= held <= 1.0


def related_draw(seed: int) -> tuple[Rows, Rows]:
    x, noise = np.random.default_rng(seed).normal(size=(2, 160, 4))
    return x, np.tanh(x) + 0.5 * noise


def test_one_row_that_carries_everything_leaves_no_interval() -> None:
    x, y = related(64, 3, 3)
    x[9] *= 1e12
    found = score(x, y)
    assert found.value is not None
    assert found.ci_low is None


def test_without_rows_or_variance_there_is_a_reason() -> None:
    x, y = related(10, 3, 2)
    with pytest.raises(NotApplicable, match="needs at least 3 rows"):
        procrustes_similarity(x[:2], y[:2])
    assert "needs at least 3 rows" in score(x[:2], y[:2]).reason
    with pytest.raises(NotApplicable, match="y is constant"):
        procrustes_similarity(x, np.ones((10, 2)))
    assert "constant" in score(x, np.ones((10, 2))).reason
    with pytest.raises(NotApplicable, match="no more than rounding"):
        procrustes_similarity(x, 1.0 + 2.0**-52 * (np.arange(10) == 0)[:, None])
    one = np.arange(10) < 2
    assert score(x, y, valid={"x": one, "y": np.ones(10, bool)}).value is None
    with pytest.raises(MetricInputError, match="rows"):
        procrustes_similarity(x, y[:9])


@pytest.mark.parametrize("size", [1e-200, 1e200])
def test_huge_and_tiny_numbers_neither_overflow_nor_vanish(size: float) -> None:
    x, y = related(30, 40, 3)
    assert procrustes_similarity(size * x, y) == pytest.approx(procrustes_similarity(x, y))


def test_a_sweep_takes_leading_rows() -> None:
    x, y = related(128, 3, 3)
    found = score(x, y, sweep=True)
    assert [point.n for point in found.sweep][-1] == 128
    for point in found.sweep:
        assert point.value == pytest.approx(by_rotation(x[: point.n], y[: point.n]), abs=1e-13)
