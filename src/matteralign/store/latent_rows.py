"""Latents read row by row from disk, so that many models fit into little memory."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from matteralign.core.errors import IntegrityError
from matteralign.store.latents import check_latent, check_mask, sidecar_path

_DTYPE = np.dtype(np.float32)
# Rows are looked through, and long reads cut, in pieces of this size.
_PIECE = 8 << 20

Floats = npt.NDArray[np.float32]


class LatentRows:
    """One model's latents on disk: an array of shape (n, d) that is never held whole.

    Made by `open_latent`, which has checked the bytes once. Reads are positional, so threads
    may read at the same time; a close ends them.

    Attributes
    ----------
    valid
        Shape (n,), bool: rows that the model took; the others are NaN throughout.
    sidecar
        The JSON sidecar as read.
    """

    dtype = _DTYPE
    ndim = 2

    def __init__(self, path: Path, sidecar: dict[str, Any], offset: int) -> None:
        self.path = path
        self.sidecar = sidecar
        self.shape = (int(sidecar["n_rows"]), int(sidecar["dim"]))
        self._offset = offset
        self._descriptor = os.open(path, os.O_RDONLY)
        self.valid = np.ones(self.shape[0], dtype=bool)

    @property
    def sha256(self) -> str:
        """Hash of the array file."""
        return str(self.sidecar["sha256"])

    def __len__(self) -> int:
        return self.shape[0]

    def __enter__(self) -> LatentRows:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; further reads fail."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __getitem__(self, rows: Any) -> Floats:
        """Read rows: a slice, an array of row numbers or of booleans, or one number.

        Raises
        ------
        IndexError
            A row that is not there, or an index of another kind.
        IntegrityError
            If the file has become shorter since it was opened.
        """
        if isinstance(rows, slice):
            start, stop, step = rows.indices(len(self))
            if step == 1:
                return self._read(start, max(stop - start, 0))
            return self._gather(np.arange(start, stop, step))
        if isinstance(rows, tuple):
            raise IndexError("rows only: whole rows lie on disk, not columns")
        if isinstance(rows, int | np.integer):
            one: Floats = self._gather(self._row_numbers(np.asarray([rows])))[0]
            return one
        return self._gather(self._row_numbers(np.asarray(rows)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        """Return the whole array in memory; numpy asks for it."""
        if copy is False:
            raise ValueError("rows on disk cannot become an array without a copy")
        return self[:].astype(dtype or self.dtype, copy=False)

    def _row_numbers(self, rows: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        if rows.ndim != 1 or (rows.size and rows.dtype.kind not in "iub"):
            raise IndexError(f"rows are a slice or a list of numbers, not {rows.dtype}")
        if rows.dtype.kind == "b":
            if len(rows) != len(self):
                raise IndexError(f"a mask of {len(rows)} rows for {len(self)} rows")
            return np.flatnonzero(rows)
        numbers = rows.astype(np.int64)
        numbers = np.where(numbers < 0, numbers + len(self), numbers)
        if numbers.size and not (numbers.min() >= 0 and numbers.max() < len(self)):
            raise IndexError(f"row {int(rows[0])} … outside the {len(self)} rows of {self.path}")
        return numbers

    def _gather(self, numbers: npt.NDArray[np.int64]) -> Floats:
        out = np.empty((len(numbers), self.shape[1]), _DTYPE)
        if not len(numbers):
            return out
        # Runs of neighbouring rows are one read each.
        starts = np.flatnonzero(np.diff(numbers, prepend=numbers[0] - 2) != 1)
        view = out.reshape(-1).view(np.uint8).data
        width = self.shape[1] * _DTYPE.itemsize
        borders = [*(starts * width).tolist(), len(view)]
        for place, row in enumerate(numbers[starts].tolist()):
            self._fill(view[borders[place] : borders[place + 1]], row)
        return out

    def _read(self, start: int, count: int) -> Floats:
        out = np.empty((count, self.shape[1]), _DTYPE)
        self._fill(out.reshape(-1).view(np.uint8).data, start)
        return out

    def _fill(self, view: memoryview, start: int) -> None:
        """Read consecutive rows from `start` on until `view` is full."""
        if self._descriptor < 0:
            raise ValueError(f"{self.path}: read after it was closed")
        position = self._offset + start * self.shape[1] * _DTYPE.itemsize
        done = 0
        while done < len(view):
            count = os.preadv(self._descriptor, [view[done : done + _PIECE]], position + done)
            if not count:
                raise IntegrityError(f"{self.path}: became shorter while it was read")
            done += count


def open_latent(path: str | Path, *, sample_set_id: str | None = None) -> LatentRows:
    """Open latents for reading by rows, refusing any file that is not what its sidecar says.

    Parameters
    ----------
    path
        The ``.npy`` file.
    sample_set_id
        The sample set the caller works on; None skips that check.

    Raises
    ------
    IntegrityError
        If the sidecar names another sample set, the bytes do not match the hash, the shape
        differs, or the NaN rows are not exactly the masked rows. The message names the file.
    """
    where = Path(path)
    sidecar = check_latent(where, sample_set_id=sample_set_id)
    rows = LatentRows(where, sidecar, _data_offset(where, sidecar))
    step = max(1, _PIECE // max(1, rows.shape[1] * _DTYPE.itemsize))
    for start in range(0, len(rows), step):
        block = rows[start : start + step]
        rows.valid[start : start + step] = np.isfinite(block).all(axis=1)
    try:
        check_mask(where, rows.valid, sidecar)
    except IntegrityError:
        rows.close()
        raise
    return rows


def _data_offset(path: Path, sidecar: dict[str, Any]) -> int:
    """Return where the first row starts, having checked that the header is the sidecar's."""
    with open(path, "rb") as handle:
        try:
            version = np.lib.format.read_magic(handle)
            if version != (1, 0):
                raise ValueError(f"version {version} of the format")
            shape, by_column, dtype = np.lib.format.read_array_header_1_0(handle)
        except ValueError as error:
            raise IntegrityError(f"{path}: not a plain array ({error})") from error
        offset = handle.tell()
    n, d = sidecar["n_rows"], sidecar["dim"]
    if dtype.hasobject:
        raise IntegrityError(f"{path}: not a plain array (it holds Python objects)")
    if shape != (n, d) or dtype != _DTYPE or (by_column and n > 1 and d > 1):
        raise IntegrityError(
            f"{path}: array is {shape} {dtype}, not as its sidecar ({sidecar_path(path).name})"
        )
    if path.stat().st_size != offset + n * d * _DTYPE.itemsize:
        raise IntegrityError(
            f"{path}: its length is not that of its header; embed this model again"
        )
    return offset
