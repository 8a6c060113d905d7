"""Compiled code on disk that processes share and that knows what it was made from.

numba names the file of new code by the next free number in an index. Two processes that
compile one function for different types at the same time take the same number, and what is
loaded later for the one type can be the code of the other. It also looks at the file of a
function alone, though code of the functions it calls is compiled into it.
"""

from __future__ import annotations

import warnings
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numba
from filelock import FileLock
from numba.core.caching import IndexDataCacheFile

Sources = tuple[tuple[str, str], ...]

LOCK = "matteralign.lock"
"""File in the folder of compiled code; whoever reads or writes there holds it."""


@cache
def made_from(sources: Sources) -> tuple[tuple[str, int, int], ...]:
    """Return name, time and size of the files of some packages that match a pattern."""
    found = []
    for package, pattern in sources:
        spec = find_spec(package)
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError(f"no package {package}")
        found += sorted(Path(spec.origin).parent.rglob(pattern))
    return tuple((f.name, f.stat().st_mtime_ns, f.stat().st_size) for f in found)


@cache
def _lock(folder: str) -> FileLock:
    return FileLock(Path(folder, LOCK))


class SharedCodeFile(IndexDataCacheFile):  # type: ignore[misc]
    """The compiled code of one function, read and written by one process at a time.

    Parameters
    ----------
    cache_path, filename_base : str
        Where.
    source_stamp : object
        What the code was made from; code from anything else is not found.
    """

    def __init__(self, cache_path: str, filename_base: str, source_stamp: Any) -> None:
        super().__init__(cache_path, filename_base, source_stamp)
        self._lock = _lock(cache_path)

    def save(self, key: Any, data: Any) -> None:
        """Keep the code for one set of types."""
        with self._lock:
            super().save(key, data)

    def load(self, key: Any) -> Any:
        """Return the code for one set of types, or None."""
        with self._lock:
            return super().load(key)


def compiled(function: Any, sources: Sources, **options: Any) -> Any:
    """Return a function compiled by numba that keeps its code in such a file.

    Where no folder for it may be written, a read-only installation without a home, it is
    compiled again in every process, and a warning says so once.

    Parameters
    ----------
    function : callable
    sources : tuple of (str, str)
        Packages, and patterns of the names of their files, whose code or constants it may hold: a
        change there makes its code stale.
    options
        Of ``numba.njit``.
    """
    try:
        found = numba.njit(cache=True, **options)(function)
    except RuntimeError as error:
        if "no locator" not in str(error):
            raise
        _warn_uncached()
        return numba.njit(**options)(function)
    kept = found._cache
    own = kept._impl
    stamp = own.locator.get_source_stamp(), made_from(sources)
    kept._cache_file = SharedCodeFile(kept.cache_path, own.filename_base, stamp)
    return found


@cache
def _warn_uncached() -> None:
    warnings.warn(
        "compiled code cannot be kept: neither the package's folder nor your cache folder may be "
        "written, so every process compiles it again (about a minute). Set NUMBA_CACHE_DIR to a "
        "folder that may be written",
        RuntimeWarning,
        stacklevel=3,
    )
