"""How sure the clades of a tree of models are: the share of drawn matrices whose tree has them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from skbio import TreeNode

from matteralign.findings.replicates.estimates import FloatArray
from matteralign.stats.jackknife import resampled

DRAWS = 200
"""A support of one half is then known to 0.035."""

Split = frozenset[str]
"""A clade of an unrooted tree: the tips on the side of a branch that lacks the first name."""


def split_of(tips: Iterable[str], every: Iterable[str]) -> Split | None:
    """Return the split that a branch makes, by the tips on either side of it.

    None where one side has a single tip or none: every tree has these.

    Parameters
    ----------
    tips
        Names on one side.
    every
        All names.
    """
    one, whole = frozenset(tips), frozenset(every)
    if not 2 <= len(one) <= len(whole) - 2:
        return None
    return whole - one if min(whole) in one else one


def splits(tree: TreeNode) -> set[Split]:
    """Return the splits of all inner branches of a tree."""
    whole = tree.subset()
    found = (split_of(node.subset(), whole) for node in tree.non_tips())
    return {one for one in found if one is not None}


def clade_support(
    values: FloatArray,
    replicates: FloatArray,
    build: Callable[[FloatArray], TreeNode],
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> dict[Split, float]:
    """Return how often each split is in the trees of drawn matrices.

    Parameters
    ----------
    values : ndarray, shape (m, m)
        Symmetric scores of models with each other; the diagonal stays as it is.
    replicates : ndarray, shape (m, m, B)
        The same without each block of rows.
    build : callable
        Makes the tree of a matrix like `values`.

    Returns
    -------
    dict
        By split, of those that came up at all.

    Notes
    -----
    The bootstrap proportions of Felsenstein (1985, Evolution 39, 783), with draws of
    `stats.jackknife.resampled`, in which all scores vary together as between samples of
    structures. Trees of the B matrices without a block would agree far too often: these lie
    several times nearer together than matrices of other samples.
    """
    size = len(values)
    upper = [(i, j) for i in range(size) for j in range(i + 1, size)]
    rows, columns = [i for i, _ in upper], [j for _, j in upper]
    drawn = resampled(values[rows, columns], replicates[rows, columns], draws, seed)
    counted: Counter[Split] = Counter()
    for one in drawn:
        matrix = values.copy()
        matrix[rows, columns] = matrix[columns, rows] = one
        counted.update(splits(build(matrix)))
    return {split: count / draws for split, count in counted.items()}
