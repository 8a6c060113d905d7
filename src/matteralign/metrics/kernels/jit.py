"""Compiled inner loops: numba's decorator with a type that mypy can follow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

from matteralign.core.compiled import share

Function = TypeVar("Function", bound=Callable[..., Any])

_INLINED = ("matteralign.metrics.kernels", "matteralign.stats")

REORDER = frozenset({"reassoc", "contract", "nsz"})
"""Lets sums be vectorised; keeps infinities and NaN as they are."""


def jit(function: Function) -> Function:
    """Compile `function` without the interpreter lock, kept on disk between runs."""
    return cast(Function, share(numba.njit(nogil=True, cache=True)(function), _INLINED))


def jit_sums(function: Function) -> Function:
    """As `jit`, with floating sums free to be reordered."""
    compiled = numba.njit(nogil=True, cache=True, fastmath=set(REORDER))(function)
    return cast(Function, share(compiled, _INLINED))
