"""Any ``.npy`` file of a user, read with every fault told in one line that names it."""

from __future__ import annotations

import warnings
from pathlib import Path
from tokenize import TokenError
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from matteralign.core.errors import UserError

_READERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def read_matrix(path: str | Path) -> npt.NDArray[Any]:
    """Read an embedding: a matrix of finite real numbers, one row for each structure.

    Nothing is unpickled, and no memory is taken before the file's length has been found to
    be that of its header.

    Parameters
    ----------
    path
        A ``.npy`` file of shape (n, d); floats, integers or booleans.

    Returns
    -------
    ndarray, shape (n, d)
        Of the type on disk.

    Raises
    ------
    UserError
        If the file is missing, is no ``.npy`` file, is shorter or longer than its header
        says, or holds objects, complex numbers, NaN or infinities, or is not a matrix.
    """
    where = Path(path)
    try:
        with open(where, "rb") as handle:
            shape, by_column, dtype = _header(handle, where)
            offset = handle.tell()
    except FileNotFoundError as error:
        raise UserError(f"{path}: file does not exist") from error
    except IsADirectoryError as error:
        raise UserError(f"{path}: is a folder, not a .npy file") from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    _require_matrix(where, shape, dtype)
    needed, found = shape[0] * shape[1] * dtype.itemsize, where.stat().st_size - offset
    if needed != found:
        kind = "shorter" if found < needed else "longer"
        raise UserError(
            f"{path}: file is {kind} than its header says ({found} bytes of data, {needed} "
            f"for {shape[0]} × {shape[1]} {dtype}); it was cut or changed"
        )
    flat = np.fromfile(where, dtype=dtype, offset=offset, count=shape[0] * shape[1])
    matrix = flat.reshape(shape, order="F" if by_column else "C")
    _require_finite(where, matrix)
    return matrix


def _header(handle: BinaryIO, path: Path) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    start = handle.read(6)
    if start[:4] == b"PK\x03\x04":
        raise UserError(f"{path}: is an archive of arrays (.npz); give one array as .npy")
    handle.seek(0)
    try:
        version = np.lib.format.read_magic(handle)
        if version not in _READERS:
            raise UserError(f"{path}: .npy format {version[0]}.{version[1]} is not read here")
        with warnings.catch_warnings():
            # A damaged header may look like one of Python 2; a refusal is one line.
            warnings.simplefilter("ignore")
            shape, by_column, dtype = _READERS[version](handle)
    except (ValueError, TypeError, SyntaxError, TokenError, OverflowError) as error:
        raise UserError(f"{path}: not a readable .npy file: {_short(error)}") from error
    return shape, by_column, dtype


def _require_matrix(path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    if dtype.hasobject:
        raise UserError(f"{path}: holds Python objects, which are never opened; save numbers")
    if dtype.kind == "c":
        raise UserError(f"{path}: is complex ({dtype}); real embeddings are needed")
    if dtype.kind not in "fiub":
        raise UserError(f"{path}: holds {dtype}; numbers are needed")
    if len(shape) != 2:
        raise UserError(f"{path}: has shape {shape}; a matrix (rows, features) is needed")
    if min(shape) < 1:
        raise UserError(f"{path}: has shape {shape}; at least one row and one column are needed")


def _require_finite(path: Path, matrix: npt.NDArray[Any]) -> None:
    finite = np.isfinite(matrix).all(axis=1)
    if not finite.all():
        row = int(np.argmin(finite))
        column = int(np.argmin(np.isfinite(matrix[row])))
        raise UserError(
            f"{path}: holds {matrix[row, column]} at row {row}, column {column} "
            f"({int((~finite).sum())} of {len(finite)} rows are not finite); "
            "drop these rows from every file first"
        )


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
