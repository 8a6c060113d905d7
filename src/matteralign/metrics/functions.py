"""The metrics as plain functions on two arrays (or one)."""

from __future__ import annotations

from typing import Annotated, Literal

from matteralign.metrics.base.inputs import ArrayLike, as_matrix, require_rows, require_same_rows
from matteralign.metrics.base.specs import MetricSpec
from matteralign.metrics.pairs import compare
from matteralign.metrics.summary import summarize


def _pair(x: ArrayLike, y: ArrayLike, spec: MetricSpec) -> float:
    # Checked here under the names the caller knows.
    arrays = {"x": as_matrix(x, "x"), "y": as_matrix(y, "y")}
    require_same_rows(len(arrays["x"]), len(arrays["y"]), "x", "y")
    return next(compare(arrays, [("x", "y")], [spec])).scored.number()


def _single(x: ArrayLike, spec: MetricSpec) -> float:
    matrix = as_matrix(x, "x")
    require_rows(len(matrix), spec.definition_info.min_n, spec.metric)
    return summarize(matrix, k_neighbors=2, id_specs=[spec]).intrinsic[0][1].number()


def cknna(
    x: Annotated[ArrayLike, "n d_x"],
    y: Annotated[ArrayLike, "n d_y"],
    k: int = 25,
    definition: Literal["huh2024", "text", "printed"] = "huh2024",
) -> float:
    """Centred kernel nearest-neighbour alignment (Huh et al. 2024, arXiv 2405.07987).

    Neighbours are the k largest inner products of the rows as given, without the row
    itself; which of equal ones are taken is drawn, the same for the same embedding.

    Parameters
    ----------
    x, y : array_like or torch.Tensor, shapes (n, d_x) and (n, d_y)
        Two embeddings of the same rows.
    k : int
        Neighbours per row; at least 2 for ``huh2024``, 1 for the others.
    definition : {"huh2024", "text", "printed"}
        ``huh2024`` equals the released implementation: uncentred kernels masked with
        shared neighbours, unbiased HSIC, 1e-6 in the denominator. It depends on the scale
        of the embeddings when their kernels are small, and exchanging x and y moves it
        slightly. ``text`` centres kernels over rows and columns, as HSIC does, and masks
        then; ``printed`` takes one number off, the mean of the kernel over all pairs, as
        the study's equations A3 and A4 are printed. Both are symmetric, scale-free, and 1
        for identical embeddings.

    Returns
    -------
    float

    Raises
    ------
    MetricInputError
        NaN, infinite, complex, not 2-d, empty, or different numbers of rows.
    NotApplicable
        k >= n, fewer than 4 rows (``huh2024``), a constant embedding, or too few
        reciprocal neighbours.
    MetricSpecError
        Unknown definition or k too small.

    Notes
    -----
    Cost O(n^2 d) for the neighbours, O(n k d) beyond; no n x n array is held.
    """
    return _pair(x, y, MetricSpec("cknna", definition, {"k": k}))


def mutual_knn(
    x: Annotated[ArrayLike, "n d_x"],
    y: Annotated[ArrayLike, "n d_y"],
    k: int = 25,
    definition: Literal["inner", "euclidean"] = "inner",
) -> float:
    """Share of nearest neighbours in common (Huh et al. 2024, arXiv 2405.07987, eq. 11).

    Parameters
    ----------
    x, y : array_like or torch.Tensor, shapes (n, d_x) and (n, d_y)
    k : int
        Neighbours per row.
    definition : {"inner", "euclidean"}
        Neighbours by inner product of the rows as given (Huh et al. give unit rows), or by
        distance.

    Returns
    -------
    float
        In [0, 1]; k / (n - 1) for unrelated embeddings.

    Raises
    ------
    MetricInputError
        As `cknna`.
    NotApplicable
        k >= n, fewer than 2 rows, or a constant embedding.
    MetricSpecError
        Unknown definition or k below 1.
    """
    return _pair(x, y, MetricSpec("mutual_knn", definition, {"k": k}))


def dcor(
    x: Annotated[ArrayLike, "n d_x"],
    y: Annotated[ArrayLike, "n d_y"],
    definition: Literal["root", "squared", "debiased"] = "root",
) -> float:
    """Distance correlation (Székely, Rizzo & Bakirov 2007).

    Parameters
    ----------
    x, y : array_like or torch.Tensor, shapes (n, d_x) and (n, d_y)
    definition : {"root", "squared", "debiased"}
        Biased (V-statistic) with or without the outer square root; or the bias-corrected
        squared value (U-statistic, Székely & Rizzo 2013), which is 0 on average for
        independent data. `compare` gives all three at once, with an interval and the null.

    Returns
    -------
    float
        In [0, 1], a debiased value somewhat below 0 at times.

    Raises
    ------
    MetricInputError
        As `cknna`.
    NotApplicable
        Fewer than 2 rows or a constant embedding.
    MetricSpecError
        Unknown definition.
    """
    return _pair(x, y, MetricSpec("dcor", definition))


def cka(
    x: Annotated[ArrayLike, "n d_x"],
    y: Annotated[ArrayLike, "n d_y"],
    definition: Literal["plain", "debiased"] = "plain",
) -> float:
    """Linear centred kernel alignment (Kornblith et al. 2019, arXiv 1905.00414).

    ``|Xc^T Yc|^2 / (|Xc^T Xc| |Yc^T Yc|)`` with column-centred embeddings.

    Parameters
    ----------
    x, y : array_like or torch.Tensor, shapes (n, d_x) and (n, d_y)
    definition : {"plain", "debiased"}
        ``debiased`` takes the unbiased HSIC (Song et al. 2012, eq. 5): 0 on average for
        independent data.

    Returns
    -------
    float
        In [0, 1], a debiased value somewhat below 0 at times.

    Raises
    ------
    MetricInputError
        As `cknna`.
    NotApplicable
        Fewer than 2 rows or a constant embedding.
    """
    return _pair(x, y, MetricSpec("cka", definition))


def information_imbalance(
    x: Annotated[ArrayLike, "n d_x"], y: Annotated[ArrayLike, "n d_y"], k: int = 1
) -> float:
    """Information imbalance from x to y (Glielmo et al. 2022, PNAS Nexus 1, pgac039).

    ``Delta(x -> y) = 2/N * mean rank in y of the k nearest neighbours in x``, Euclidean
    ranks counted from 1 without the row itself, equal distances sharing the mean of theirs.
    Identical embeddings without ties give (k + 1)/N, unrelated ones about 1.

    Parameters
    ----------
    x, y : array_like or torch.Tensor, shapes (n, d_x) and (n, d_y)
    k : int

    Returns
    -------
    float
        Between (k + 1)/N and (2N - k - 1)/N.

    Raises
    ------
    MetricInputError
        As `cknna`.
    NotApplicable
        k >= n, fewer than 2 rows, or a constant embedding.
    MetricSpecError
        k below 1.
    """
    return _pair(x, y, MetricSpec("information_imbalance", "rank", {"k": k}))


def twonn(x: Annotated[ArrayLike, "n d"], fraction: float = 0.9) -> float:
    """TwoNN intrinsic dimension (Facco et al. 2017, Sci. Rep. 7, 12140).

    Slope through the origin of ``-ln(1 - i/N)`` on ``ln(r2/r1)`` sorted ascending, over
    the ``int(fraction * N)`` smallest ratios. Of identical rows only the first counts.

    Parameters
    ----------
    x : array_like or torch.Tensor, shape (n, d)
    fraction : float
        Between 0 and 1, both excluded.

    Returns
    -------
    float

    Raises
    ------
    MetricInputError
        As `cknna`.
    NotApplicable
        Fewer than 3 distinct rows, or no ratio above 1 among those kept.
    MetricSpecError
        fraction out of range.
    """
    return _single(x, MetricSpec("twonn", "fit", {"fraction": fraction}))


def mle_intrinsic_dimension(
    x: Annotated[ArrayLike, "n d"],
    k: int = 50,
    average: Literal["inverse_mean", "mean"] = "inverse_mean",
) -> float:
    """Levina-Bickel maximum-likelihood intrinsic dimension (NeurIPS 17, 2004).

    Local estimate ``m_i = [1/(k-1) sum_{j<k} ln(r_k / r_j)]^-1`` over the k nearest
    neighbours. Of identical rows only the first counts.

    Parameters
    ----------
    x : array_like or torch.Tensor, shape (n, d)
    k : int
        At least 2.
    average : {"inverse_mean", "mean"}
        ``inverse_mean`` is the likelihood-consistent 1 / mean(1 / m_i) of MacKay &
        Ghahramani (2005); ``mean`` is Levina and Bickel's mean(m_i), which is biased
        upwards at small k.

    Returns
    -------
    float

    Raises
    ------
    MetricInputError
        As `cknna`.
    NotApplicable
        k >= distinct rows, fewer than 3 of them, or all neighbours equally far.
    MetricSpecError
        k below 2 or unknown average.
    """
    return _single(x, MetricSpec("mle", "levina_bickel", {"k": k, "average": average}))
