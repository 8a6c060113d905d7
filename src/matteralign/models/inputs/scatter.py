"""What packages import from torch_scatter and torch_sparse, in plain torch.

Neither has a wheel for a current torch, and no compiler is to be needed. Only the functions that
fairchem-core 1.10, fair-esm and graphium name are here; sparse matrices serve models that are
not wrapped.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import torch
import torch_geometric.data  # noqa: F401  (looks for torch_scatter while it is imported)

_REDUCE = {"add": "sum", "sum": "sum", "mean": "mean", "mul": "prod", "min": "amin", "max": "amax"}


def broadcast(index: torch.Tensor, like: torch.Tensor, dim: int) -> torch.Tensor:
    """Return an index of one axis, or of leading ones, expanded to the shape of `like`."""
    dim = dim % like.dim()
    if index.dim() == 1:
        index = index.view([-1 if axis == dim else 1 for axis in range(like.dim())])
    while index.dim() < like.dim():
        index = index.unsqueeze(-1)
    return index.expand_as(like)


def scatter(
    src: torch.Tensor,
    index: torch.Tensor,
    dim: int = -1,
    out: torch.Tensor | None = None,
    dim_size: int | None = None,
    reduce: str = "sum",
) -> torch.Tensor:
    """Reduce the entries of `src` that share an index along `dim`.

    Parameters
    ----------
    src
        Any shape.
    index
        Target of each entry, of the shape of `src` or of its axis `dim` alone.
    dim
        Axis to reduce.
    out
        Added to where given; only with ``sum``.
    dim_size
        Length of the result along `dim`; by default the largest index and one.
    reduce
        ``sum`` (or ``add``), ``mean``, ``mul``, ``min`` or ``max``. Targets without entries
        are 0.

    Raises
    ------
    ValueError
        For another reduction, or `out` with one that is not a sum.
    """
    if reduce not in _REDUCE or (out is not None and _REDUCE[reduce] != "sum"):
        raise ValueError(f"scatter: reduce={reduce!r} with out={out is not None} is not offered")
    index = broadcast(index, src, dim)
    if out is not None:
        return out.scatter_add_(dim, index, src)
    if dim_size is None:
        dim_size = int(index.max()) + 1 if index.numel() else 0
    shape = [dim_size if axis == dim % src.dim() else n for axis, n in enumerate(src.shape)]
    return src.new_zeros(shape).scatter_reduce(dim, index, src, _REDUCE[reduce], include_self=False)


def scatter_add(
    src: torch.Tensor,
    index: torch.Tensor,
    dim: int = -1,
    out: torch.Tensor | None = None,
    dim_size: int | None = None,
) -> torch.Tensor:
    """Add the entries of `src` that share an index along `dim`; see `scatter`."""
    return scatter(src, index, dim, out, dim_size)


def segment_coo(
    src: torch.Tensor,
    index: torch.Tensor,
    out: torch.Tensor | None = None,
    dim_size: int | None = None,
    reduce: str = "sum",
) -> torch.Tensor:
    """Reduce along the last axis of a sorted `index`; see `scatter`."""
    return scatter(src, index, index.dim() - 1, out, dim_size, reduce)


def segment_csr(
    src: torch.Tensor, indptr: torch.Tensor, out: torch.Tensor | None = None, reduce: str = "sum"
) -> torch.Tensor:
    """Reduce the rows ``indptr[i]`` to ``indptr[i + 1]`` of the first axis; see `scatter`."""
    rows = torch.arange(len(indptr) - 1, device=src.device)
    index = torch.repeat_interleave(rows, indptr.diff())
    taken = src[int(indptr[0]) : int(indptr[-1])]
    return scatter(taken, index, 0, out, len(indptr) - 1, reduce)


class SparseTensor:
    """A name to import; models that need sparse matrices are not offered here."""

    def __init__(self, *_: Any, **__: Any) -> None:
        raise NotImplementedError("sparse matrices need the package torch_sparse")


@contextmanager
def scatter_in_torch() -> Iterator[None]:
    """Offer these functions as torch_scatter and torch_sparse while a package is imported.

    Where the real packages are installed they are left alone. torch_geometric, which would take
    up anything of that name, has been imported before.
    """
    made = {
        "torch_scatter": _module("torch_scatter", scatter, scatter_add, segment_coo, segment_csr),
        "torch_scatter.utils": _module("torch_scatter.utils", broadcast),
        "torch_sparse": _module("torch_sparse", SparseTensor),
    }
    absent = [n for n in ("torch_scatter", "torch_sparse") if importlib.util.find_spec(n) is None]
    given = {name: module for name, module in made.items() if name.split(".")[0] in absent}
    sys.modules.update(given)
    try:
        yield
    finally:
        for name in given:
            del sys.modules[name]


def _module(name: str, *members: Any) -> ModuleType:
    module = ModuleType(name)
    for member in members:
        setattr(module, member.__name__, member)
    return module
