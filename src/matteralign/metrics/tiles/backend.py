"""The interface between the passes over tiles and what computes a tile.

`search`, `streaming` and `rank_strips` walk over pieces of rows and keep the statistics; all
work on whole tiles goes through a `Backend`. Its arrays (`Array`) are numpy's, or tensors on
a device; they are indexed and sliced alike. Nothing behind the interface is of size n x n.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy.typing as npt

from matteralign.metrics.base.errors import MetricInputError, MetricSpecError
from matteralign.metrics.base.inputs import FloatArray, LongArray
from matteralign.metrics.base.resources import Resources
from matteralign.metrics.base.workers import Workers
from matteralign.metrics.tiles.candidates import Proposed
from matteralign.metrics.tiles.plan import Piece
from matteralign.metrics.tiles.rank_counts import RankRequest
from matteralign.metrics.tiles.row_factors import RowFactors
from matteralign.metrics.tiles.scores import Form

Array = Any
"""An array of a backend."""

DEVICES = "cpu, cuda, cuda:N, auto, or torch (torch on the CPU)"


class Cut(NamedTuple):
    """Most rows of a piece and most columns of a panel."""

    piece: int
    panel: int


class Kept(Protocol):
    """The smallest scores of some rows, see `candidates.Candidates`."""

    def part(self, start: int, stop: int) -> Kept:
        """Return some of the rows, sharing memory."""
        ...

    def reset(self) -> None:
        """Forget everything."""
        ...

    def start_from(self, other: Any) -> None:
        """Also reject the candidates that `other` rejects for the same leading rows."""
        ...

    def take(self, other: Any) -> None:
        """Add what `other` holds for the same rows."""
        ...

    def found(self) -> Proposed:
        """Return the candidates; they may be reordered in place."""
        ...


@dataclass
class Counting:
    """Ranks of one request while tiles stream by.

    Attributes
    ----------
    request : RankRequest
    edges : object
        What the backend made of the bounds and far ends.
    blocks : Array of int, shape (n,)
        Block of each row of the sample set.
    total, touched, seen : Array of int64, shapes (F,), (F, B), (F, B)
        See `kernels.ranks.add_ranks`.
    """

    request: RankRequest
    edges: Any
    blocks: Array
    total: Array
    touched: Array
    seen: Array

    def collect(self, backend: Backend) -> None:
        """Add the counts to the sums of the request and start again from zero."""
        counts = (self.total, self.touched, self.seen)
        self.request.add(*(backend.numpy(part) for part in counts))
        for part in counts:
            part[...] = 0


class Backend(Protocol):
    """What computes tiles."""

    @property
    def name(self) -> str:
        """What tells results of backends apart: ``cpu``, ``torch`` or ``cuda``."""
        ...

    @property
    def margin(self) -> int:
        """Candidates to keep beyond a list of neighbours."""
        ...

    def workers(self, threads: int) -> int:
        """Return how many threads may work on tiles at once."""
        ...

    def session(self) -> AbstractContextManager[None]:
        """Return a context for work on tiles.

        Single-precision products are made in single precision there, whatever is set outside.
        """
        ...

    def search_cut(self, features: int, itemsize: int, memory_bytes: int) -> Cut:
        """Return the size of tiles of one embedding."""
        ...

    def pass_cut(self, lines: int, features: int, itemsize: int, memory_bytes: int) -> Cut:
        """Return the size of tiles when `lines` of them, of so many features, are held at once."""
        ...

    def array(self, x: npt.NDArray[Any]) -> Array:
        """Bring an array to the device."""
        ...

    def numpy(self, x: Array) -> npt.NDArray[Any]:
        """Bring an array back."""
        ...

    def zeros(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> Array:
        """Return zeros."""
        ...

    def form(self, f: Form) -> Form:
        """Bring the coefficients of a score to the device."""
        ...

    def product(self, rows: Array, columns: Array) -> Array:
        """Return ``rows @ columns.T``, good until the thread asks for the next one."""
        ...

    def factors(self, f: RowFactors) -> RowFactors:
        """Bring what turns products into those of another scaling to the device."""
        ...

    def rescale(self, tile: Array, f: RowFactors, rows: slice, columns: slice) -> Array:
        """Return the products of the same rows under another scaling, see `row_factors`.

        Good until the thread asks for the next one; the tile stays as it is.
        """
        ...

    def put(self, tile: Array, rows: Any, columns: Any, value: float) -> None:
        """Set single entries."""
        ...

    def fill_diagonal(self, tile: Array, value: float) -> None:
        """Set the main diagonal."""
        ...

    def candidates(self, rows: int, keep: int, dtype: npt.DTypeLike) -> Kept:
        """Return candidates of rows that hold nothing yet."""
        ...

    def kept_bytes(self, keep: int, itemsize: int) -> int:
        """Return the memory that the candidates of a row take."""
        ...

    def offer_rows(
        self, tile: Array, f: Form, rows: Any, columns: slice, first_row: int, kept: Any
    ) -> None:
        """Offer each row of a tile its columns, scored by `f`, the row itself left out.

        Parameters
        ----------
        rows : slice or ndarray of int
            Rows of the whole that the rows of the tile are.
        first_row : int
            Row of the whole that the first row is, for leaving a row out of its own list.
        """
        ...

    def offer_columns(
        self, tile: Array, f: Form, rows: slice, columns: slice, first: int, kept: Any
    ) -> None:
        """Offer each column of a tile, from column `first` of it on, the rows of the tile."""
        ...

    def copy_part(self, tile: Array, start: int, out: Array) -> None:
        """Copy the columns from `start` on of a tile that fit `out`."""
        ...

    def to_squares(
        self, tile: Array, rows: Array, columns: Array, x_rows: Array, x_columns: Array, least: Any
    ) -> None:
        """Turn products into squared distances in place, small ones are summed again."""
        ...

    def to_distances(
        self, tile: Array, start: int, rows: Array, columns: Array, out: Array
    ) -> None:
        """Write distances less an offset of the row and one of the column."""
        ...

    def products_to_distances(
        self,
        tile: Array,
        start: int,
        rows: Array,
        columns: Array,
        x_rows: Array,
        x_columns: Array,
        least: Any,
        offsets: tuple[Array, Array],
        out: Array,
    ) -> None:
        """Do `to_squares` and `to_distances` for the columns from `start` on that fit `out`.

        `columns` and `x_columns` are those of the part; the tile may be spoilt there.
        """
        ...

    def clear_masked(self, out: Array, rows: Array, columns: Array) -> None:
        """Multiply with the masks (1 and 0) of rows and columns."""
        ...

    def add_sums(
        self,
        out: Array,
        rows: Array,
        columns: Array,
        row_sums: Array,
        column_sums: Array,
        squares: Array,
    ) -> None:
        """Add sums over a centred tile for every pattern, see `kernels.tiles.add_sums`."""
        ...

    def gram(
        self,
        lines: Array,
        start: int,
        stop: int,
        blocks: LongArray,
        pool: Workers,
    ) -> FloatArray:
        """Return products of all lines with each other over ``start:stop``, in float64.

        Runs of at most 1,024 products are summed in the precision of the lines.
        """
        ...

    def counting(self, request: RankRequest, blocks: npt.NDArray[Any]) -> Counting:
        """Get ready to count the ranks of a request."""
        ...

    def add_ranks(self, counting: Counting, squares: Array, rows: Piece, columns: Piece) -> None:
        """Count the columns of a tile of squared distances that are nearer than far ends."""
        ...

    def strips(
        self, x: npt.NDArray[Any], squares: npt.NDArray[Any], blocks: npt.NDArray[Any]
    ) -> Strips:
        """Get ready to count ranks over whole rows of one embedding."""
        ...


Strips = Callable[[RankRequest, int, int], tuple[LongArray, ...]]
"""(request, first row, last row) to counts per column: total, touching, inside."""


def backend_of(resources: Resources) -> Backend:
    """Return what makes the tiles; the CPU where nothing was opened."""
    return resources.backend or open_backend("cpu")


def open_backend(device: str) -> Backend:
    """Return what computes tiles on a device.

    Parameters
    ----------
    device : str
        ``cpu`` (compiled loops), ``cuda`` or ``cuda:N`` (through torch), ``auto`` (cuda where
        torch sees one, else cpu), or ``torch`` (torch on the CPU, slower than ``cpu``).

    Raises
    ------
    MetricSpecError
        An unknown device.
    MetricInputError
        No torch, or no such GPU.
    """
    from matteralign.metrics.tiles.numba_backend import NumbaBackend

    if device not in {"cpu", "auto", "torch"} and device.partition(":")[0] != "cuda":
        raise MetricSpecError(f"unknown device {device!r}; choose {DEVICES}")
    if device == "cpu":
        return NumbaBackend()
    try:
        from matteralign.metrics.tiles.torch_backend import TorchBackend, sees_cuda
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        if device == "auto":
            return NumbaBackend()
        raise MetricInputError(
            f"device {device!r} needs torch, which is not installed: "
            "pip install 'matteralign[gpu]', or choose device 'cpu'"
        ) from error
    if device == "auto" and not sees_cuda():
        return NumbaBackend()
    opened: Backend = TorchBackend("cuda" if device == "auto" else device)
    return opened
