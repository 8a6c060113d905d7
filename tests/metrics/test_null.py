"""The null: random pairing of rows, enumerated, sampled and tested for calibration."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import cdist

from matteralign.metrics import MetricSpec, compare
from matteralign.stats.trace import CentredMoments, gamma_null, root_of, trace_null

DCOR, CKA = MetricSpec("dcor", "squared"), MetricSpec("cka")


def centred(a):
    return a - a.mean(0) - a.mean(1)[:, None] + a.mean()


def matrices(spec, x, y):
    both = [cdist(z, z) if spec == DCOR else z @ z.T for z in (x, y)]
    return [centred(z) / np.linalg.norm(centred(z)) for z in both]


def scored(x, y, *specs, **options):
    return [s.scored for s in compare({"x": x, "y": y}, [("x", "y")], specs, **options)][::2]


@pytest.mark.parametrize("n", [5, 6])
@pytest.mark.parametrize("spec", [DCOR, CKA], ids=str)
@pytest.mark.parametrize("seed", range(3))
def test_null_equals_all_pairings(n, spec, seed):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(n, 3)), rng.exponential(size=(n, 2)) ** 2
    a, b = matrices(spec, x, y)
    values = [
        float((a * b[np.ix_(p, p)]).sum()) for p in map(list, itertools.permutations(range(n)))
    ]
    found = scored(x, y, spec)[0]
    assert found.null_mean == pytest.approx(np.mean(values), rel=1e-9)
    assert found.null_sd == pytest.approx(np.std(values), rel=1e-8)


@pytest.mark.parametrize("definition", ["root", "squared", "debiased"])
def test_nulls_of_the_dcor_definitions_against_samples(definition):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 4)), rng.normal(size=(60, 6))
    spec = MetricSpec("dcor", definition)
    found = scored(x, y, spec)[0]
    values = [scored(x, y[rng.permutation(60)], spec, statistics=False)[0] for _ in range(100)]
    values = np.array([v.value for v in values])
    assert found.null_mean == pytest.approx(values.mean(), abs=4 * values.std() / 100**0.5)
    assert found.null_sd == pytest.approx(values.std(), rel=0.25)


def hubs(n, rng):
    """Heavy tails: a few rows are everybody's neighbours."""
    return rng.standard_t(2, size=(n, 20)) * rng.exponential(size=(n, 1))


def mutual_pairs(n, rng):
    """Rows in close pairs: nearly every nearest neighbour is reciprocal."""
    x = np.repeat(rng.normal(size=(n // 2, 4)), 2, axis=0)
    return x + 1e-3 * rng.normal(size=x.shape)


@pytest.mark.parametrize("data", [hubs, mutual_pairs])
@pytest.mark.parametrize("k", [1, 5])
def test_imbalance_null_equals_sampled_pairings(data, k):
    n, rng = 120, np.random.default_rng(2)
    x, y = data(n, rng), data(n, rng)
    found = scored(x, y, MetricSpec("information_imbalance", "rank", {"k": k}))[0]
    d = [cdist(z, z) for z in (x, y)]
    order = [np.argsort(z, axis=1, kind="stable") for z in d]
    rank = np.empty((n, n), int)
    np.put_along_axis(rank, order[1], np.arange(n)[None], axis=1)
    near = order[0][:, 1 : k + 1]
    values = []
    for _ in range(4000):
        p = rng.permutation(n)
        values.append(2.0 / n * rank[p[:, None], p[near]].mean())
    assert found.null_mean == pytest.approx(1.0)
    assert np.mean(values) == pytest.approx(1.0, abs=5 * np.std(values) / 4000**0.5)
    assert found.null_sd == pytest.approx(np.std(values), rel=0.06)
    # What equal independent ranks would give is not good enough for such data.
    naive = 2.0 / n * np.sqrt((n * n - 2 * n) / 12.0 / (n * k))
    assert abs(naive / np.std(values) - 1.0) > 0.08


CALIBRATED = [
    DCOR,
    MetricSpec("dcor", "root"),
    MetricSpec("dcor", "debiased"),
    CKA,
    MetricSpec("cka", "debiased"),
    MetricSpec("information_imbalance"),
    MetricSpec("information_imbalance", "rank", {"k": 5}),
    MetricSpec("mutual_knn", "euclidean", {"k": 5}),
    MetricSpec("mutual_knn", "inner", {"k": 5}),
    MetricSpec("cknna", "text", {"k": 10}),
    MetricSpec("cknna", "huh2024", {"k": 10}),
]
REPEATS = 120


@pytest.fixture(scope="module")
def independent():
    """Scores of independent Gaussian embeddings, by spec."""
    rng = np.random.default_rng(11)
    out = {spec: [] for spec in CALIBRATED}
    for _ in range(REPEATS):
        x, y = rng.normal(size=(100, 6)), rng.normal(size=(100, 8))
        for spec, result in zip(CALIBRATED, scored(x, y, *CALIBRATED), strict=True):
            out[spec].append(result)
    return out


@pytest.mark.parametrize("spec", CALIBRATED, ids=str)
def test_p_is_uniform_under_independence(independent, spec):
    p = np.array([result.null_p for result in independent[spec]])
    # 120 draws reject a law that is 0.18 off at one point with this threshold.
    assert stats.kstest(p, "uniform").pvalue > 1e-3
    assert (p < 0.05).mean() == pytest.approx(0.05, abs=0.06)


@pytest.mark.parametrize("spec", CALIBRATED, ids=str)
def test_independent_data_scores_its_floor_and_zero(independent, spec):
    results = independent[spec]
    values = np.array([r.value for r in results])
    floors = np.array([r.null_mean for r in results])
    sds = np.array([r.null_sd for r in results])
    z = (values - floors) / sds
    assert abs(z.mean()) < 4 / REPEATS**0.5
    assert z.std() == pytest.approx(1.0, abs=0.15)
    if results[0].debiased is not None and results[0].debiased_low is not None:
        covered = np.mean([r.debiased_low <= 0.0 <= r.debiased_high for r in results])
        assert covered >= 0.9


@pytest.mark.parametrize("spec", CALIBRATED, ids=str)
def test_related_data_is_found(spec):
    rng = np.random.default_rng(5)
    x = rng.normal(size=(100, 6))
    y = np.tanh(x @ rng.normal(size=(6, 8))) + 0.5 * rng.normal(size=(100, 8))
    result = scored(x, y, spec)[0]
    assert result.null_p < 1e-3
    if result.debiased_low is not None:
        assert result.debiased_low > 0.0


def test_root_of_the_gamma_law_has_its_moments():
    null = gamma_null(0.3, 0.2, 0.05)
    shape = (0.2 / 0.05) ** 2
    draws = np.sqrt(stats.gamma(shape, scale=0.2 / shape).rvs(200_000, random_state=0))
    root = root_of(null)
    assert root.mean == pytest.approx(draws.mean(), rel=1e-3)
    assert root.sd == pytest.approx(draws.std(), rel=1e-2)
    assert root.p == null.p


def test_few_rows_have_no_null():
    moments = CentredMoments(1.0, 1.0, 1.0)
    assert trace_null(moments, moments, 3) is None
    rng = np.random.default_rng(0)
    for result in scored(rng.normal(size=(3, 2)), rng.normal(size=(3, 2)), DCOR, CKA):
        assert (result.null_mean, result.null_sd, result.null_p) == (None, None, None)


COVERED = [MetricSpec("dcor", "debiased"), MetricSpec("cka", "debiased")]


def test_intervals_of_related_data_cover_the_value_of_a_large_sample():
    rng = np.random.default_rng(8)
    mix = rng.normal(size=(5, 7))

    def draw(n):
        x = rng.normal(size=(n, 5))
        return x, np.tanh(x @ mix) + rng.normal(size=(n, 7))

    truth = [r.value for r in scored(*draw(4000), *COVERED, statistics=False, threads=2)]
    hits = np.zeros(len(COVERED))
    for _ in range(60):
        for i, r in enumerate(scored(*draw(160), *COVERED)):
            hits[i] += r.ci_low <= truth[i] <= r.ci_high
    # 95 % nominal; 60 draws scatter by 3 %.
    assert (hits >= 52).all(), hits
