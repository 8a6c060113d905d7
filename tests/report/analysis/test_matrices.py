from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from matteralign.core.errors import MatterAlignError, UserError
from matteralign.report.analysis.imbalance import imbalance_pairs
from matteralign.report.analysis.matrices import (
    baseline_range,
    cluster_order,
    complete_models,
    score_matrix,
    select_scores,
)
from matteralign.report.analysis.tables import not_scored_table
from matteralign.report.analysis.tree import model_tree

K25, K50 = '{"k":25}', '{"k":50}'


def tidy(values: dict[tuple[str, str], float], metric: str = "cknna") -> pd.DataFrame:
    definition = {"cknna": "huh2024", "dcor": "root", "information_imbalance": "rank"}[metric]
    return pd.DataFrame(
        [
            {
                "slice": "s",
                "n": 100,
                "model_a": a,
                "model_b": b,
                "metric": metric,
                "definition": definition,
                "params": K25,
                "value": v,
                "status": "ok",
                "reason": "",
            }
            for (a, b), v in values.items()
        ]
    )


def both(values: dict[tuple[str, str], float]) -> pd.DataFrame:
    return tidy({**values, **{(b, a): v for (a, b), v in values.items()}})


def test_pivot_keeps_order_values_and_unit_diagonal() -> None:
    scores = both({("a", "b"): 0.5, ("a", "c"): 0.1, ("b", "c"): 0.2})
    matrix = score_matrix(scores, "cknna", "huh2024", models=["c", "a", "b"])
    expected = [[1, 0.1, 0.2], [0.1, 1, 0.5], [0.2, 0.5, 1]]
    assert matrix.models == ("c", "a", "b")
    np.testing.assert_array_equal(matrix.values.to_numpy(), expected)
    assert matrix.missing.empty
    assert (matrix.n_min, matrix.n_max, matrix.options) == (100, 100, {"k": 25})


def test_a_failed_pair_stays_missing_whatever_its_value_says() -> None:
    scores = both({("a", "b"): 0.5, ("a", "c"): 0.1})
    scores.loc[scores["model_b"] == "c", ["status", "reason"]] = ["failed", "too few rows"]
    matrix = score_matrix(scores, "cknna", "huh2024")
    assert np.isnan(matrix.values.at["a", "c"])
    assert matrix.values.at["c", "a"] == 0.1
    assert matrix.missing.to_dict("records") == [
        {"model_a": "a", "model_b": "c", "status": "failed", "reason": "too few rows"},
        {"model_a": "b", "model_b": "c", "status": "absent", "reason": "no row in the score table"},
        {"model_a": "c", "model_b": "b", "status": "absent", "reason": "no row in the score table"},
    ]


def test_unknown_and_ambiguous_requests_are_refused_with_a_hint() -> None:
    scores = both({("a", "b"): 0.5})
    with pytest.raises(UserError, match="did you mean 'cknna'"):
        score_matrix(scores, "cknn", "huh2024")
    with pytest.raises(UserError, match="did you mean 'huh2024'"):
        score_matrix(scores, "cknna", "huh2025")
    with pytest.raises(UserError, match="did you mean"):
        score_matrix(scores, "cknna", "huh2024", K50)
    with pytest.raises(UserError, match="several parameter sets"):
        select_scores(pd.concat([scores, scores.assign(params=K50)]), "cknna", "huh2024")


def test_inconsistent_tables_are_refused() -> None:
    scores = both({("a", "b"): 0.5})
    with pytest.raises(MatterAlignError, match="twice"):
        score_matrix(pd.concat([scores, scores]), "cknna", "huh2024")
    with pytest.raises(MatterAlignError, match="several slices"):
        score_matrix(pd.concat([scores, scores.assign(slice="t")]), "cknna", "huh2024")
    with pytest.raises(MatterAlignError, match="is symmetric, but"):
        score_matrix(tidy({("a", "b"): 0.5, ("b", "a"): 0.4}, "dcor"), "dcor", "root")
    # The released CKNNA is not exactly symmetric: both directions are kept.
    kept = score_matrix(tidy({("a", "b"): 0.5, ("b", "a"): 0.48}), "cknna", "huh2024")
    assert kept.values.loc["a", "b"] == 0.5
    assert kept.values.loc["b", "a"] == 0.48
    with pytest.raises(MatterAlignError, match="no finite value"):
        score_matrix(both({("a", "b"): np.nan}), "cknna", "huh2024")
    with pytest.raises(MatterAlignError, match="not JSON"):
        score_matrix(scores.assign(params="k=25"), "cknna", "huh2024").options  # noqa: B018


def test_clustering_puts_alike_models_together_and_says_what_it_filled() -> None:
    near, far = {("a", "b"), ("c", "d")}, 0.1
    names = ["a", "c", "b", "d"]
    pairs = {
        p: 0.9 if p in near or p[::-1] in near else far for p in itertools.combinations(names, 2)
    }
    done = cluster_order(score_matrix(both(pairs), "cknna", "huh2024", models=names))
    assert {frozenset(done.order[:2]), frozenset(done.order[2:])} == {
        frozenset("ab"),
        frozenset("cd"),
    }
    assert done.filled == ()
    del pairs["a", "d"]
    holed = cluster_order(score_matrix(both(pairs), "cknna", "huh2024", models=names))
    assert holed.filled == (("a", "d"),)
    assert holed.order == done.order


def test_clustering_without_any_pair_keeps_the_order() -> None:
    matrix = score_matrix(both({("a", "b"): 0.5}), "cknna", "huh2024", models=["y", "x"])
    assert cluster_order(matrix).order == ("y", "x")
    assert cluster_order(matrix).linkage is None


def test_models_with_most_holes_are_left_out_first() -> None:
    values = pd.DataFrame(1.0, index=list("abcd"), columns=list("abcd"))
    values.loc["b", ["c", "d"]] = np.nan
    assert complete_models(values) == (("a", "c", "d"), ("b",))
    assert complete_models(values, exclude=["b"]) == (("a", "c", "d"), ())


def test_baseline_range_uses_pairs_with_one_baseline() -> None:
    matrix = score_matrix(
        both({("a", "b"): 0.5, ("a", "r"): 0.02, ("b", "r"): 0.03}), "cknna", "huh2024"
    )
    assert baseline_range(matrix, ["r"]) == (0.02, 0.03)
    assert baseline_range(matrix, []) is None


def test_imbalance_pairs_keep_directions_apart_and_reasons() -> None:
    scores = tidy(
        {("a", "b"): 0.1, ("b", "a"): 0.8, ("a", "c"): 0.3, ("c", "a"): 0.4},
        "information_imbalance",
    )
    pairs = imbalance_pairs(scores, models=["b", "a", "c"])
    assert pairs[["model_a", "model_b", "forward", "backward"]].iloc[0].tolist() == [
        "b",
        "a",
        0.8,
        0.1,
    ]
    assert pairs["status"].tolist() == ["ok", "absent", "ok"]
    assert np.isnan(pairs["forward"].iloc[1])


def contradicting():
    rows = []
    for a in "wxyz":
        for b in "wxyz":
            if a != b:
                value = {("w", "x"): 7.67, ("x", "w"): -6.88}.get((a, b), 0.4)
                rows.append((a, b, value + (0.01 if a < b else 0.0)))
    frame = pd.DataFrame(rows, columns=["model_a", "model_b", "value"])
    fixed = {
        "slice": "s", "metric": "cknna", "definition": "huh2024", "params": '{"k":25}',
        "n": 27, "status": "ok", "reason": "", "note": "",
    }  # fmt: skip
    return frame.assign(**fixed)


def test_directions_that_contradict_each_other_have_no_mean():
    scores = contradicting()
    matrix = score_matrix(scores, "cknna", "huh2024")
    assert np.isnan(matrix.values.loc["w", "x"])
    assert np.isnan(matrix.values.loc["x", "w"])
    assert matrix.values.loc["y", "z"] == pytest.approx(0.41)
    told = matrix.missing.set_index(["model_a", "model_b"])["reason"]
    assert "7.68 from w to x and -6.88 back" in told["w", "x"]
    assert len(told) == 2
    assert ("w", "x") in cluster_order(matrix).filled
    tree = model_tree(matrix)
    assert tree.dropped == ("x",)
    listed = not_scored_table(scores)
    assert set(zip(listed["model_a"], listed["model_b"], strict=True)) == {("w", "x"), ("x", "w")}
    assert "no mean" in listed["reason"][0]


def test_notes_are_counted():
    scores = contradicting().iloc[4:].reset_index(drop=True)
    scores.loc[:1, "note"] = "k is large"
    assert score_matrix(scores, "cknna", "huh2024").notes[0] == "k is large (2 of 8 scores)"
