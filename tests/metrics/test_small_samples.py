"""Few rows, or a k that is large against them: no score, or a word beside it."""

from __future__ import annotations

import numpy as np
import pytest

from matteralign.metrics import MetricSpec, NotApplicable, cknna, compare, summarize
from matteralign.metrics.base.cautions import with_note
from matteralign.metrics.base.specs import Scored


def scores(n, *specs, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 8))
    embeddings = {"x": x, "y": x + rng.normal(size=(n, 8))}
    found = compare(embeddings, [("x", "y")], specs, normalize="l2")
    return [score.scored for score in found]


def huh(k):
    return MetricSpec("cknna", "huh2024", {"k": k})


@pytest.mark.parametrize("n", [27, 29, 49])
def test_the_released_cknna_needs_twice_as_many_rows_as_neighbours(n):
    for scored in scores(n, huh(25)):
        assert scored.status == "not_applicable"
        assert f"k = 25 is more than half of {n} rows" in scored.reason
        assert f"take k = {n // 2} at most" in scored.reason
    for scored in scores(n, huh(n // 2)):
        assert scored.status == "ok"
    x = np.random.default_rng(0).normal(size=(n, 3))
    with pytest.raises(NotApplicable, match="more than half"):
        cknna(x, x, k=25)


def test_directions_agree_where_there_is_a_score():
    for n in (20, 30, 60):
        for seed in range(10):
            forward, backward = scores(n, huh(n // 4), seed=seed)
            assert abs(forward.value - backward.value) < 0.05


def test_a_k_that_is_no_neighbourhood_is_marked():
    specs = [huh(25), MetricSpec("cknna", "text", {"k": 25}), MetricSpec("mutual_knn")]
    for scored in scores(100, *specs):
        assert "k = 25 is 25% of the other rows" in scored.note
        assert "k = 10 would be one" in scored.note
    for scored in scores(260, *specs, MetricSpec("dcor")):
        assert scored.note == ""
    x = np.random.default_rng(0).normal(size=(100, 3))
    found = summarize(x, k_neighbors=2, id_specs=[MetricSpec("mle", "", {"k": 50})])
    assert "not a neighbourhood" in found.intrinsic[0][1].note


def test_scores_that_a_few_long_rows_carry_are_marked():
    specs = [huh(25), MetricSpec("cknna", "text", {"k": 25}), MetricSpec("cka")]
    assert all("far out" not in scored.note for scored in scores(400, *specs))
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 8)) / np.sqrt(rng.chisquare(2, size=(400, 1)))
    for score in compare({"x": x, "y": x + rng.normal(size=x.shape)}, [("x", "y")], specs):
        assert "rows far out carry it" in score.scored.note


@pytest.mark.parametrize("n", [4, 12, 31])
def test_few_rows_are_marked_and_have_no_interval(n):
    for scored in scores(n, MetricSpec("dcor"), MetricSpec("cka", "debiased")):
        assert scored.ci_low is None
        assert "fewer than 32 rows" in scored.note


def test_few_rows_that_a_pair_shares_are_few_rows():
    x = np.random.default_rng(2).normal(size=(500, 6))
    y = x + np.random.default_rng(3).normal(size=(500, 6))
    specs = [
        *(MetricSpec("cknna", definition, {"k": 3}) for definition in ("huh2024", "text")),
        *(MetricSpec(name) for name in ("dcor", "cka", "information_imbalance")),
    ]
    for shared, few in ((31, True), (32, False)):
        valid = {"x": np.arange(500) < shared}
        for score in compare({"x": x, "y": y}, [("x", "y")], specs, valid=valid):
            found = score.scored
            assert found.n == shared
            assert ("fewer than 32 rows" in found.note) == few
            for end in (found.ci_low, found.ci_high, found.debiased_low, found.debiased_high):
                assert end is None or not few
            assert (found.ci_low is None) == few


def test_a_value_above_one_is_explained_and_an_impossible_one_is_a_fault():
    assert "above 1: the released formula" in with_note(huh(5), Scored.ok(1.03, 500)).note
    assert with_note(huh(5), Scored.ok(1.0, 500)).note == ""
    wrong = with_note(MetricSpec("mutual_knn", "", {"k": 5}), Scored.ok(1.2, 500))
    assert "outside [0, 1]" in wrong.note
    kept = with_note(huh(5), Scored.ok(1.03, 500, note="first"))
    assert kept.note.startswith("first; above 1")
