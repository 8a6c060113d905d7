"""The study's evolutionary tree of models, from CKNNA to Newick.

Method of Edamadaka, Yang, Li and Gómez-Bombarelli (arXiv 2512.03750): rows and columns of
the CKNNA matrix become probability vectors, their Jensen–Shannon distances are mixed, and
neighbour joining (Saitou and Nei 1987) turns the distances into a tree.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import rel_entr
from skbio import DistanceMatrix, TreeNode
from skbio.tree import nj

from matteralign.core.errors import MatterAlignError, UserError
from matteralign.findings.replicates.estimates import FloatArray
from matteralign.findings.replicates.support import DRAWS, Split, clade_support, split_of
from matteralign.report.analysis.matrices import ScoreMatrix, complete_models

ALPHA = 0.5
"""Weight of the rows in the distance; of no effect on a symmetric matrix."""

EPSILON = 1e-12
"""Added to every entry before normalising, so that no probability is zero."""

MIN_MODELS = 3


class TreeError(MatterAlignError):
    """A tree cannot be built from what was given."""


@dataclass(frozen=True)
class ModelTree:
    """A tree of models and what was done to get it.

    Attributes
    ----------
    newick
        Unrooted tree (three branches at the top), branch lengths as neighbour joining gave
        them, negative ones included. Inner nodes are named by their support in percent.
    distances
        Square frame of the distances the tree was built from.
    layout
        Nodes of the drawn tree, see `tree_layout`.
    dropped
        Models left out because a pair of theirs has no score.
    excluded
        Baselines left out by rule.
    negative_branches
        Number of negative branch lengths, drawn as zero.
    alpha, epsilon
        The constants used.
    support_draws
        Number of drawn matrices behind the support of the clades, 0 where they have none.
    no_support
        Why they have none; empty where they have.
    """

    newick: str
    distances: pd.DataFrame
    layout: pd.DataFrame
    dropped: tuple[str, ...]
    excluded: tuple[str, ...]
    negative_branches: int
    alpha: float
    epsilon: float
    support_draws: int = 0
    no_support: str = ""


def jensen_shannon(p: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return the Jensen–Shannon divergence, in bits, between all rows.

    Parameters
    ----------
    p : (m, q)
        Each row a probability vector.

    Returns
    -------
    (m, m)
        Values in [0, 1], exactly symmetric, zero diagonal.

    Raises
    ------
    TreeError
        If a row is not a probability vector.
    """
    rows = np.asarray(p, dtype=np.float64)
    ok = rows.ndim == 2 and np.isfinite(rows).all() and (rows >= 0).all()
    if not ok or not np.allclose(rows.sum(axis=1), 1.0):
        raise TreeError("Jensen–Shannon divergence needs rows that are probabilities (sum 1)")
    out = np.zeros((len(rows), len(rows)))
    for i in range(len(rows) - 1):
        a, b = rows[i], rows[i + 1 :]
        mean = (a + b) / 2.0
        nats = (rel_entr(a, mean).sum(axis=1) + rel_entr(b, mean).sum(axis=1)) / 2.0
        out[i, i + 1 :] = np.clip(nats / np.log(2.0), 0.0, 1.0)
    return out + out.T


def profile_distances(
    similarity: pd.DataFrame, *, alpha: float = ALPHA, epsilon: float = EPSILON
) -> pd.DataFrame:
    """Return D = α√JSD(rows) + (1−α)√JSD(columns) of a complete similarity matrix.

    Negative similarities, which an unbiased estimate can give, count as zero.

    Parameters
    ----------
    similarity : (m, m)
        Complete matrix with its diagonal.
    alpha
        Weight of the rows, in [0, 1].
    epsilon
        Positive constant added before normalising.

    Raises
    ------
    UserError
        If `alpha` or `epsilon` is out of range.
    TreeError
        If an entry is missing.
    """
    if not 0.0 <= alpha <= 1.0:
        raise UserError(f"tree: alpha is {alpha}, must lie in [0, 1]")
    if not epsilon > 0.0:
        raise UserError(f"tree: epsilon is {epsilon}, must be positive")
    data = similarity.to_numpy(dtype=np.float64)
    if not np.isfinite(data).all():
        raise TreeError("tree: the similarity matrix has missing entries; leave those models out")
    positive = np.clip(data, 0.0, None) + epsilon
    rows = positive / positive.sum(axis=1, keepdims=True)
    columns = positive.T / positive.sum(axis=0)[:, None]
    distance = alpha * np.sqrt(jensen_shannon(rows))
    distance += (1.0 - alpha) * np.sqrt(jensen_shannon(columns))
    return pd.DataFrame(distance, index=similarity.index, columns=similarity.columns)


def neighbour_joining(distances: pd.DataFrame) -> TreeNode:
    """Join neighbours (Saitou and Nei 1987); negative branch lengths are kept.

    Models are taken in sorted order, so that ties do not depend on the order of the panel.

    Raises
    ------
    TreeError
        If there are fewer than three models.
    """
    names = sorted(str(name) for name in distances.index)
    if len(names) < MIN_MODELS:
        raise TreeError(_too_few(names))
    data = distances.loc[names, names].to_numpy(dtype=np.float64)
    return nj(DistanceMatrix(data, names), neg_as_zero=False)


def tree_layout(tree: TreeNode, support: Mapping[Split, float] | None = None) -> pd.DataFrame:
    """Lay a tree out as a midpoint-rooted phylogram.

    Negative branch lengths are drawn as zero (`clamped`); smaller subtrees come first.

    Parameters
    ----------
    support
        Share of trees that have a split; splits that are not there have none of them.

    Returns
    -------
    DataFrame
        One row per node, parents before children: node (int), parent (int, −1 for the
        root), model (key, "" for inner nodes), length (as drawn), clamped (bool), x
        (distance from the root), y (leaves at 0, 1, …; inner nodes between their children),
        support (of the clade that begins there; NaN for tips, and once at the root, where two
        branches are one).
    """
    clamped: set[str] = set()
    drawn = tree.copy()
    for number, node in enumerate(drawn.preorder()):
        if node.name is None:
            node.name = f"\0{number}"
        if node.length is not None and node.length < 0.0:
            clamped.add(node.name)
            node.length = 0.0
    tips = {tip.name for tip in drawn.tips()}
    drawn = drawn.root_at_midpoint()
    order: list[tuple[TreeNode, int, float]] = []
    leaves: dict[int, int] = {}
    smallest: dict[int, str] = {}
    for node in drawn.postorder():
        below = list(node.children)
        leaves[id(node)] = sum(leaves[id(c)] for c in below) or 1
        smallest[id(node)] = min((smallest[id(c)] for c in below), default=node.name or "")
    stack: list[tuple[TreeNode, int, float]] = [(drawn, -1, 0.0)]
    while stack:
        node, parent, x = stack.pop()
        here = len(order)
        order.append((node, parent, x))
        ranked = sorted(node.children, key=lambda c: (leaves[id(c)], smallest[id(c)]))
        stack.extend((c, here, x + (c.length or 0.0)) for c in reversed(ranked))
    y = np.full(len(order), np.nan)
    tip_rows = [i for i, (node, _, _) in enumerate(order) if node.name in tips]
    y[tip_rows] = np.arange(len(tip_rows))
    for i in reversed(range(len(order))):
        if i not in set(tip_rows):
            below_y = [y[j] for j, (_, parent, _) in enumerate(order) if parent == i]
            y[i] = (min(below_y) + max(below_y)) / 2.0
    told: set[Split] = set()
    shares = []
    for node, _, _ in order:
        split = split_of((tip.name for tip in node.tips()), tips)
        known = support is not None and split is not None and split not in told
        shares.append(support.get(split, 0.0) if known and support and split else np.nan)
        told |= {split} if split is not None else set()
    return pd.DataFrame(
        {
            "node": np.arange(len(order)),
            "parent": [parent for _, parent, _ in order],
            "model": [node.name if node.name in tips else "" for node, _, _ in order],
            "length": [float(node.length or 0.0) for node, _, _ in order],
            "clamped": [node.name in clamped for node, _, _ in order],
            "x": [x for _, _, x in order],
            "y": y,
            "support": shares,
        }
    )


def model_tree(
    matrix: ScoreMatrix,
    *,
    exclude: Collection[str] = (),
    alpha: float = ALPHA,
    epsilon: float = EPSILON,
    replicates: FloatArray | None = None,
    no_support: str = "",
) -> ModelTree:
    """Build the tree of the models of a similarity matrix.

    Parameters
    ----------
    matrix
        CKNNA in the study; any similarity metric works.
    exclude
        Random baselines: they take no part.
    replicates : (m, m, B)
        The matrix without each block of rows, for the support of the clades.
    no_support
        Why there are none.

    Raises
    ------
    TreeError
        If fewer than three models with all pairs scored remain.
    """
    kept, dropped = complete_models(matrix.values, exclude)
    if len(kept) < MIN_MODELS:
        raise TreeError(_too_few(kept, dropped, [m for m in matrix.models if m in exclude]))
    chosen = matrix.values.loc[list(kept), list(kept)]
    distances = profile_distances(chosen, alpha=alpha, epsilon=epsilon)
    tree = neighbour_joining(distances)
    support: dict[Split, float] | None = None
    if replicates is not None:
        at = [matrix.models.index(name) for name in kept]
        left = replicates[np.ix_(at, at)]
        if np.isnan(left[~np.eye(len(at), dtype=bool)]).any() or not left.size:
            no_support = "a pair has no score without each block of rows"
        else:

            def build(drawn: FloatArray) -> TreeNode:
                similarity = pd.DataFrame(drawn, index=list(kept), columns=list(kept))
                return neighbour_joining(
                    profile_distances(similarity, alpha=alpha, epsilon=epsilon)
                )

            support = clade_support(chosen.to_numpy(dtype=np.float64), left, build)
    negative = sum(1 for n in tree.preorder() if n.length is not None and n.length < 0.0)
    return ModelTree(
        newick=_newick(tree, support),
        distances=distances,
        layout=tree_layout(tree, support),
        dropped=dropped,
        excluded=tuple(name for name in matrix.models if name in exclude),
        negative_branches=negative,
        alpha=alpha,
        epsilon=epsilon,
        support_draws=0 if support is None else DRAWS,
        no_support=no_support if support is None else "",
    )


def _newick(tree: TreeNode, support: Mapping[Split, float] | None) -> str:
    """Return a tree as text, inner nodes named by their support in percent."""
    named = tree.copy()
    every = named.subset()
    for node in named.non_tips():
        split = split_of(node.subset(), every)
        if support is not None and split is not None:
            node.name = f"{100 * support.get(split, 0.0):.0f}"
    return str(named).strip()


def _too_few(kept: Sequence[str], dropped: Sequence[str] = (), excluded: Sequence[str] = ()) -> str:
    """Say which models are left for a tree, and why others take no part."""
    told = f"it takes at least {MIN_MODELS} models that have a score with each other; "
    told += f"here are {len(kept)}: {', '.join(kept)}" if kept else "here is none"
    left = [f"{name} (lacks scores)" for name in dropped]
    left += [f"{name} (a baseline)" for name in excluded]
    return told + (f". Left out: {', '.join(left)}" if left else "")
