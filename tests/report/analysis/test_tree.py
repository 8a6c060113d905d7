from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import jensenshannon
from skbio import TreeNode

from matteralign.core.errors import UserError
from matteralign.report.analysis.matrices import ScoreMatrix
from matteralign.report.analysis.tree import (
    TreeError,
    jensen_shannon,
    model_tree,
    neighbour_joining,
    profile_distances,
    tree_layout,
)


def frame(values: object, names: list[str]) -> pd.DataFrame:
    return pd.DataFrame(np.asarray(values, dtype=float), index=names, columns=names)


def as_matrix(values: pd.DataFrame) -> ScoreMatrix:
    missing = pd.DataFrame(columns=["model_a", "model_b", "status", "reason"])
    return ScoreMatrix("cknna", "huh2024", '{"k":25}', values, missing, 10, 10)


def similarity(size: int, seed: int = 0) -> pd.DataFrame:
    data = np.random.default_rng(seed).uniform(0, 1, (size, size))
    data = (data + data.T) / 2
    np.fill_diagonal(data, 1)
    return frame(data, [f"m{i}" for i in range(size)])


@given(
    arrays(np.float64, st.tuples(st.integers(1, 6), st.integers(1, 8)), elements=st.floats(0, 1e3))
)
def test_jensen_shannon_equals_scipy(raw: np.ndarray) -> None:  # type: ignore[type-arg]
    raw = raw + 1e-9
    p = raw / raw.sum(axis=1, keepdims=True)
    expected = [[jensenshannon(a, b, base=2) ** 2 for b in p] for a in p]
    np.testing.assert_allclose(jensen_shannon(p), np.nan_to_num(expected), atol=1e-9)


def test_jensen_shannon_of_disjoint_rows_is_one_bit() -> None:
    np.testing.assert_array_equal(jensen_shannon(np.eye(3)), 1 - np.eye(3))
    with pytest.raises(TreeError, match="probabilities"):
        jensen_shannon([[0.5, 0.6]])


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_distance_mixes_rows_and_columns_as_defined(alpha: float) -> None:
    raw = np.random.default_rng(1).uniform(-0.1, 1, (5, 5))
    done = profile_distances(frame(raw, list("abcde")), alpha=alpha, epsilon=1e-6)
    c = np.clip(raw, 0, None) + 1e-6
    for i in range(5):
        for j in range(5):
            rows = jensenshannon(c[i], c[j], base=2)
            columns = jensenshannon(c[:, i], c[:, j], base=2)
            expected = alpha * rows + (1 - alpha) * columns
            assert done.iat[i, j] == pytest.approx(np.nan_to_num(expected), abs=1e-7)


# Additive matrix of the worked example of neighbour joining (Saitou and Nei's method).
ADDITIVE = [
    [0, 5, 9, 9, 8],
    [5, 0, 10, 10, 9],
    [9, 10, 0, 8, 7],
    [9, 10, 8, 0, 3],
    [8, 9, 7, 3, 0],
]


@pytest.mark.parametrize("order", ["abcde", "edcba", "cbeda"])
def test_neighbour_joining_recovers_the_textbook_tree(order: str) -> None:
    tree = neighbour_joining(frame(ADDITIVE, list("abcde")).loc[list(order), list(order)])
    length = {tip.name: tip.length for tip in tree.tips()}
    assert length == pytest.approx({"a": 2, "b": 3, "c": 4, "d": 2, "e": 1})
    inner = {
        frozenset(t.name for t in n.tips()): n.length
        for n in tree.non_tips()
        if n.length is not None
    }
    everything = frozenset("abcde")
    splits = {
        min(s, everything - s, key=lambda x: (len(x), sorted(x))): v for s, v in inner.items()
    }
    assert splits == pytest.approx({frozenset("ab"): 3, frozenset("de"): 2})
    walked = tree.cophenet()
    np.testing.assert_allclose(
        [[walked[a, b] for b in "abcde"] for a in "abcde"], ADDITIVE, atol=1e-12
    )


def test_layout_keeps_path_lengths_and_is_rooted_in_the_middle() -> None:
    layout = tree_layout(neighbour_joining(frame(ADDITIVE, list("abcde"))))
    parent, length = dict(zip(layout["node"], layout["parent"], strict=True)), layout["length"]

    def path(node: int) -> dict[int, float]:
        out, total = {node: 0.0}, 0.0
        while parent[node] >= 0:
            total += length[node]
            node = parent[node]
            out[node] = total
        return out

    tips = {m: path(n) for n, m in zip(layout["node"], layout["model"], strict=True) if m}
    for i, a in enumerate("abcde"):
        for j, b in enumerate("abcde"):
            shared = tips[a].keys() & tips[b].keys()
            assert min(tips[a][k] + tips[b][k] for k in shared) == pytest.approx(ADDITIVE[i][j])
    assert layout["x"].max() == pytest.approx(5.0)  # half of the longest path, 10
    assert sorted(layout.loc[layout["model"] != "", "y"]) == [0, 1, 2, 3, 4]
    assert not layout["clamped"].any()
    assert (layout["parent"] < layout["node"]).all()


def test_negative_branches_stay_in_the_newick_and_are_drawn_as_zero() -> None:
    bad = frame([[0, 1, 5, 4], [1, 0, 1, 5], [5, 1, 0, 5], [4, 5, 5, 0]], list("abcd"))
    tree = neighbour_joining(bad)
    lengths = [n.length for n in tree.preorder() if n.length is not None]
    assert min(lengths) < 0
    layout = tree_layout(tree)
    assert (layout["length"] >= 0).all()
    assert layout["clamped"].any()


def test_model_tree_excludes_baselines_and_models_with_missing_pairs() -> None:
    values = similarity(6)
    values.loc["m1", "m2"] = np.nan
    done = model_tree(as_matrix(values), exclude=["m5"])
    assert done.dropped == ("m2",)
    assert done.excluded == ("m5",)
    read = TreeNode.read(io.StringIO(done.newick))
    assert {t.name for t in read.tips()} == {"m0", "m1", "m3", "m4"}
    assert set(done.layout["model"]) - {""} == {"m0", "m1", "m3", "m4"}


def test_tree_does_not_depend_on_the_order_of_the_panel() -> None:
    values = similarity(7)
    turned = values.iloc[::-1, ::-1]
    a, b = model_tree(as_matrix(values)), model_tree(as_matrix(turned))
    lengths = [dict(t.distances.stack()) for t in (a, b)]
    assert lengths[0] == pytest.approx(lengths[1])
    assert (
        TreeNode.read(io.StringIO(a.newick)).compare_rfd(TreeNode.read(io.StringIO(b.newick))) == 0
    )


def test_identical_models_give_a_flat_tree() -> None:
    done = model_tree(as_matrix(frame(np.ones((3, 3)), list("abc"))))
    assert (done.layout["x"] == 0).all()


def test_too_few_models_and_bad_constants_are_refused() -> None:
    with pytest.raises(TreeError) as caught:
        model_tree(as_matrix(similarity(3)), exclude=["m0"])
    assert str(caught.value) == (
        "it takes at least 3 models that have a score with each other; here are 2: m1, m2. "
        "Left out: m0 (a baseline)"
    )
    lacking = similarity(3)
    lacking.iloc[2, 0] = lacking.iloc[0, 2] = np.nan
    with pytest.raises(TreeError, match=r"here are 2: m0, m1\. Left out: m2 \(lacks scores\)"):
        model_tree(as_matrix(lacking))
    with pytest.raises(TreeError, match="here is none"):
        model_tree(as_matrix(similarity(2)), exclude=["m0", "m1"])
    with pytest.raises(UserError, match="alpha"):
        model_tree(as_matrix(similarity(3)), alpha=1.5)
    with pytest.raises(UserError, match="epsilon"):
        model_tree(as_matrix(similarity(3)), epsilon=0.0)
    holed = similarity(3)
    holed.iloc[0, 1] = np.nan
    with pytest.raises(TreeError, match="missing"):
        profile_distances(holed)
