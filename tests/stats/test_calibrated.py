"""The calibrated score, against the package of its authors on the same data.

Values of calibrated-similarity 0.1.1 (torch 2.13.0, numpy 2.4.6), which reckons in float32: of
Procrustes with our own permutations, of the others with 4,000 random ones.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from matteralign.metrics import MetricSpec, Scored, compare
from matteralign.metrics.local.result import calibrated
from matteralign.stats.calibrated import calibrated_score, drawn_threshold, gamma_threshold
from matteralign.stats.pairing import gamma_p

SAME_DRAWS = {19: 0.4264971911907196, 99: 0.4288603961467743}
CLOSED_FORM = {
    MetricSpec("cka"): (0.3167503774166107, 0.0971597358584404),
    MetricSpec("dcor", "squared"): (0.30494219064712524, 0.20890425145626068),
    MetricSpec("mutual_knn", "euclidean", {"k": 5}): (0.03773585706949234, 0.11666666716337204),
}


def scores(specs: list[MetricSpec]) -> dict[MetricSpec, Scored]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 4))
    y = x[:, :3] + rng.normal(size=(60, 3))
    return {s.spec: s.scored for s in compare({"x": x, "y": y}, [("x", "y")], specs)}


@pytest.mark.parametrize("permutations", SAME_DRAWS)
def test_of_permutations_it_is_that_of_the_package_on_the_same_draws(permutations: int) -> None:
    spec = MetricSpec("procrustes", "", {"permutations": permutations, "seed": 0})
    found = scores([spec])[spec]
    assert found.calibrated == pytest.approx(SAME_DRAWS[permutations], abs=1e-7)


@pytest.mark.parametrize("spec", CLOSED_FORM, ids=str)
def test_of_a_closed_form_it_is_that_of_many_draws(spec: MetricSpec) -> None:
    """Scores of 5 neighbours of 60 rows are multiples of 1/300, and so is their quantile."""
    found = scores([spec])[spec]
    wanted, threshold = CLOSED_FORM[spec]
    assert found.calibrated == pytest.approx(wanted, abs=0.005)
    ours = (found.value - found.calibrated) / (1.0 - found.calibrated)
    assert ours == pytest.approx(threshold, abs=0.004)


def test_the_root_has_the_root_of_the_threshold() -> None:
    root, squared = MetricSpec("dcor", "root"), MetricSpec("dcor", "squared")
    found = scores([root, squared])

    def threshold(s: Scored) -> float:
        return (s.value - s.calibrated) / (1.0 - s.calibrated)

    assert threshold(found[root]) == pytest.approx(math.sqrt(threshold(found[squared])))


def test_errors_and_debiased_definitions_have_none() -> None:
    specs = [
        MetricSpec("information_imbalance"),
        MetricSpec("gfre", "", {"permutations": 20}),
        MetricSpec("cka", "debiased"),
    ]
    for found in scores(specs).values():
        assert found.calibrated is None
        assert "calibrated" not in found.note


def test_too_few_permutations_are_told() -> None:
    spec = MetricSpec("procrustes", "", {"permutations": 18})
    found = scores([spec])[spec]
    assert found.calibrated is None
    assert "it takes 19 permutations, there are 18" in found.note


def test_a_null_that_reaches_one_is_told() -> None:
    spec = MetricSpec("mutual_knn", "euclidean", {"k": 59})
    found = scores([spec])[spec]
    assert (found.value, found.calibrated) == (1.0, None)
    assert "random pairings reach 1 as well" in found.note


@pytest.mark.parametrize("skewness", [-2.5, -0.3, 0.0, 1e-6, 0.3, 2.5])
def test_the_threshold_is_where_five_percent_lie_above(skewness: float) -> None:
    threshold = gamma_threshold(0.2, 0.03, skewness)
    assert gamma_p(threshold, 0.2, 0.03, skewness) == pytest.approx(0.05, rel=1e-6)
    law = stats.pearson3(skewness, 0.2, 0.03)
    assert threshold == pytest.approx(law.ppf(0.95), rel=1e-6)


def test_below_the_threshold_it_is_zero_and_never_above_one() -> None:
    assert calibrated_score(0.1, 0.2) == 0.0
    assert calibrated_score(1.3, 0.2) == 1.0
    assert calibrated_score(0.6, 0.2) == pytest.approx(0.5)
    assert calibrated_score(0.6, 1.0) is None
    assert calibrated_score(0.6, None) is None


def test_the_observed_score_counts_among_the_drawn() -> None:
    assert drawn_threshold(0.99, [i / 100 for i in range(19)]) == 0.18
    assert drawn_threshold(0.0, [i / 100 for i in range(1, 20)]) == 0.18
    assert drawn_threshold(0.99, [0.1] * 18) is None


def test_unrelated_scores_are_above_zero_once_in_twenty() -> None:
    rng = np.random.default_rng(7)
    drawn = stats.pearson3(0.8, 0.1, 0.02).rvs(4000, random_state=rng)
    found = [calibrated(100, float(v), (0.1, 0.02, 0.8)).calibrated for v in drawn]
    assert np.mean([one > 0 for one in found]) == pytest.approx(0.05, abs=0.012)
