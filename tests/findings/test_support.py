"""Trees with known answers: an additive matrix, two planted clades, noise."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
from skbio import DistanceMatrix, TreeNode
from skbio.tree import nj

from matteralign.findings.replicates.support import clade_support, split_of, splits
from matteralign.report.analysis.matrices import ScoreMatrix
from matteralign.report.analysis.tree import model_tree

B = 16
NAMES = [f"m{i}" for i in range(8)]
CLADES = frozenset(NAMES[4:])


def tree_of_distances(distances: np.ndarray) -> TreeNode:
    return nj(DistanceMatrix(distances, NAMES[: len(distances)]))


def noisy(values: np.ndarray, error: float, seed: int = 0) -> np.ndarray:
    """Return values without each block, symmetric, whose jackknife error is about `error`."""
    noise = np.random.default_rng(seed).normal(size=(*values.shape, B)) * error / (B - 1) * B**0.5
    upper = np.triu_indices(len(values), 1)
    out = np.repeat(values[:, :, None], B, axis=2)
    for i, j in zip(*upper, strict=True):
        out[i, j] = out[j, i] = values[i, j] + noise[i, j]
    return out


def additive() -> tuple[TreeNode, np.ndarray]:
    """Return a tree and the distances along its branches."""
    text = "((m0:2,m1:3):1,(m2:1,(m3:2,m4:2):1):2,(m5:1,(m6:3,m7:1):2):1);"
    tree = TreeNode.read(io.StringIO(text))
    return tree, tree.cophenet().filter(NAMES).data


def planted(apart: float) -> np.ndarray:
    """Return similarities of two groups of four."""
    within = np.kron(np.eye(2), np.ones((4, 4)))
    values = 0.5 + apart * within
    np.fill_diagonal(values, 1.0)
    return values


def as_matrix(values: np.ndarray) -> ScoreMatrix:
    frame = pd.DataFrame(values, index=NAMES, columns=NAMES)
    missing = pd.DataFrame(columns=["model_a", "model_b", "status", "reason"])
    return ScoreMatrix("cknna", "text", '{"k":25}', frame, missing, 10, 10)


def test_an_additive_matrix_gives_its_tree_with_full_support() -> None:
    tree, distances = additive()
    found = tree_of_distances(distances)
    assert splits(found) == splits(tree)
    support = clade_support(distances, noisy(distances, 1e-6), tree_of_distances, draws=20)
    assert support == dict.fromkeys(splits(tree), 1.0)


def test_more_noise_leaves_less_support() -> None:
    tree, distances = additive()
    mean = [
        np.mean([support.get(one, 0.0) for one in splits(tree)])
        for error in (0.05, 0.6, 5.0)
        for support in [
            clade_support(distances, noisy(distances, error), tree_of_distances, draws=60)
        ]
    ]
    assert mean[0] > 0.99
    assert mean[0] > mean[1] > mean[2]
    assert mean[2] < 0.3


def test_support_is_that_of_other_samples_and_not_of_the_values_without_a_block() -> None:
    """The share of trees from new noise of the same size that have a clade, over clades."""
    tree, distances = additive()
    error = 1.5
    rng = np.random.default_rng(1)
    upper = np.triu_indices(8, 1)
    fresh: dict[frozenset[str], float] = {}
    for _ in range(200):
        new = distances.copy()
        new[upper] += error * rng.normal(size=len(upper[0]))
        new.T[upper] = new[upper]
        for one in splits(tree_of_distances(new)):
            fresh[one] = fresh.get(one, 0.0) + 1 / 200
    left = noisy(distances, error)
    support = clade_support(distances, left, tree_of_distances, draws=200)
    naive = [splits(tree_of_distances(left[:, :, b])) for b in range(B)]
    wanted = np.array([fresh.get(one, 0.0) for one in splits(tree)])
    found = np.array([support.get(one, 0.0) for one in splits(tree)])
    wrong = np.array([np.mean([one in each for each in naive]) for one in splits(tree)])
    assert wanted.mean() < 0.9
    np.testing.assert_allclose(found, wanted, atol=0.2)
    assert wrong.mean() > 0.95


def test_two_planted_clades_have_full_support_in_newick_and_layout() -> None:
    values = planted(0.3)
    done = model_tree(as_matrix(values), replicates=noisy(values, 0.02))
    read = TreeNode.read(io.StringIO(done.newick))
    (node,) = [n for n in read.non_tips() if split_of(n.subset(), NAMES) == CLADES]
    assert node.name == "100"
    assert done.support_draws > 0 and done.no_support == ""
    assert done.layout["support"].max() == 1.0
    assert done.layout["support"].count() == len(splits(read))  # once for each branch


def test_noise_gives_low_support() -> None:
    values = planted(0.0)
    values = noisy(values, 0.05, seed=3)[:, :, 0]
    np.fill_diagonal(values, 1.0)
    done = model_tree(as_matrix(values), replicates=noisy(values, 0.2))
    assert np.nanmean(done.layout["support"]) < 0.5


def test_without_replicates_the_tree_is_the_same_and_says_why() -> None:
    values = planted(0.3)
    bare = model_tree(as_matrix(values), no_support="no statistics")
    assert bare.no_support == "no statistics"
    assert bare.layout["support"].isna().all()
    assert all(node.name is None for node in TreeNode.read(io.StringIO(bare.newick)).non_tips())
    left = noisy(values, 0.02)
    left[0, 1] = np.nan
    assert (
        "a pair has no score without" in model_tree(as_matrix(values), replicates=left).no_support
    )


@pytest.mark.parametrize(
    ("tips", "wanted"),
    [("cd", {"c", "d"}), ("abe", {"c", "d"}), ("a", None), ("bcde", None), ("", None)],
)
def test_a_split_is_named_by_the_side_without_the_first(tips: str, wanted: set[str] | None) -> None:
    assert split_of(tips, "abcde") == wanted
