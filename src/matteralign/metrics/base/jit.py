"""Compiled inner loops: numba's decorator with a type that mypy can follow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from matteralign.core.compiled import compiled

Function = TypeVar("Function", bound=Callable[..., Any])

_INLINED = (("matteralign.metrics", "*_loops.py"), ("matteralign.stats", "*.py"))

REORDER = frozenset({"reassoc", "contract", "nsz"})
"""Lets sums be vectorised; keeps infinities and NaN as they are."""


def jit(function: Function) -> Function:
    """Compile `function` without the interpreter lock, kept on disk between runs."""
    return cast(Function, compiled(function, _INLINED, nogil=True))


def jit_sums(function: Function) -> Function:
    """As `jit`, with floating sums free to be reordered."""
    return cast(Function, compiled(function, _INLINED, nogil=True, fastmath=set(REORDER)))
