"""Seeded synthetic embeddings with shared structure, and rows read from disk."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt

FACTORS = 12
NOISE = 0.3
CHUNK = 4096

Float32 = npt.NDArray[np.float32]


def name(index: int) -> str:
    """Return the name of the model with this number."""
    return f"m{index:02d}"


def _chunk(index: int, number: int, rows: int, d: int, seed: int) -> Float32:
    shared = np.random.default_rng([seed, 0, number]).standard_normal((rows, FACTORS))
    mixing = np.random.default_rng([seed, 1, index])
    into = mixing.standard_normal((FACTORS, d)) / np.sqrt(FACTORS)
    bend = mixing.standard_normal((FACTORS, FACTORS)) / np.sqrt(FACTORS)
    offset = mixing.standard_normal(d)
    noise = np.random.default_rng([seed, 2, index, number]).standard_normal((rows, d))
    return ((shared + np.tanh(shared @ bend)) @ into + offset + NOISE * noise).astype(np.float32)


def model(index: int, n: int, d: int, seed: int) -> Float32:
    """Return one embedding: a few factors shared by all models, bent, mixed, plus noise.

    Parameters
    ----------
    index : int
        Number of the model: its mixing, offset and noise are its own.
    n, d : int
        Rows and columns. A smaller n gives the first rows of a larger one.
    seed : int

    Returns
    -------
    ndarray of float32, shape (n, d), of full column rank
    """
    parts = [_chunk(index, i, CHUNK, d, seed) for i in range(-(-n // CHUNK))]
    return np.concatenate(parts)[:n]


def write_model(path: Path, index: int, n: int, d: int, seed: int) -> None:
    """Write `model` to a ``.npy`` file, a chunk at a time; the file appears when complete."""
    partial = path.with_suffix(".partial")
    with partial.open("wb") as handle:
        header = {"descr": "<f4", "fortran_order": False, "shape": (n, d)}
        np.lib.format.write_array_header_1_0(handle, header)
        for number in range(-(-n // CHUNK)):
            rows = min(CHUNK, n - number * CHUNK)
            _chunk(index, number, CHUNK, d, seed)[:rows].tofile(handle)
    partial.replace(path)


class NpyRows:
    """Rows of a C-ordered ``.npy`` file, read when sliced; nothing is kept or mapped.

    Parameters
    ----------
    path : Path

    Attributes
    ----------
    shape : tuple of int, (n, d)
    dtype : numpy.dtype
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open("rb") as handle:
            version = np.lib.format.read_magic(handle)
            if version != (1, 0):
                raise ValueError(f"{path}: npy version {version}, this reader takes (1, 0)")
            shape, fortran, self.dtype = np.lib.format.read_array_header_1_0(handle)
            self._start = handle.tell()
        if fortran or len(shape) != 2:
            raise ValueError(f"{path}: not a C-ordered matrix")
        self.shape: tuple[int, int] = (shape[0], shape[1])
        self._file = os.open(path, os.O_RDONLY)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> npt.NDArray[np.generic]:
        start, stop, step = rows.indices(self.shape[0])
        if step != 1:
            raise IndexError("rows are read in order")
        out = np.empty((max(0, stop - start), self.shape[1]), self.dtype)
        if out.size == 0:
            return out
        view, done = memoryview(out).cast("B"), 0
        offset = self._start + start * self.shape[1] * self.dtype.itemsize
        while done < len(view):
            got = os.preadv(self._file, [view[done:]], offset + done)
            if got == 0:
                raise EOFError(f"{self.path} is shorter than its header says")
            done += got
        return out

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            os.close(self._file)
