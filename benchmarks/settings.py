"""What a run of the harness is asked to do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SECTIONS = ("peers", "limit", "scaling", "throughput", "datasets", "startup")


@dataclass(frozen=True)
class Settings:
    """Sizes, places and peers of one run.

    Attributes
    ----------
    sections : tuple of str
        Among ``peers``, ``limit``, ``scaling``, ``throughput``, ``datasets``, ``startup``,
        ``big``.
    peers : tuple of str
        Keys of the peers to measure, empty for all.
    n, d, models, threads, repeats, peer_pairs : int
        Of the ratios; `peer_pairs` pairs of every peer are measured.
    limit_n, limit_d : int
        Of the share of the sgemm limit.
    scaling_n, scaling_m : tuple of int
        Sample sizes and numbers of models of the curves.
    scaling_fixed_n : int
        Sample size of the curve against models.
    throughput_n : int
        Molecules that every model embeds.
    parse_n, slice_n, database_n : int
        Rows of QM9 that are parsed, 0 for all; rows of the slices that are drawn; rows of the
        databases in LMDB that one of them is drawn of.
    models_measured : tuple of str
        Models of the throughput.
    big_n, big_models, big_d, big_wide : int
        Of the big run; `big_wide` columns of its widest embedding, 0 for none.
    big_threads, memory_gb : int, float
    device : str
        What makes the tiles in the big run: ``cpu``, ``cuda``, ...
    seed : int
    scratch, out : Path
        Where data and resumable work lie; where tables and plots are written.
    platonic_rep, idcorrelation : Path or None
        Checkouts of the peers' repositories, outside this one.
    torch_python : Path or None
        An interpreter with torch for them.
    """

    sections: tuple[str, ...]
    peers: tuple[str, ...]
    n: int
    d: int
    models: int
    threads: int
    repeats: int
    peer_pairs: int
    limit_n: int
    limit_d: int
    scaling_n: tuple[int, ...]
    scaling_m: tuple[int, ...]
    scaling_fixed_n: int
    throughput_n: int
    parse_n: int
    slice_n: int
    database_n: int
    models_measured: tuple[str, ...]
    big_n: int
    big_models: int
    big_d: int
    big_wide: int
    big_threads: int
    memory_gb: float
    device: str
    seed: int
    scratch: Path
    out: Path
    platonic_rep: Path | None
    idcorrelation: Path | None
    torch_python: Path | None

    @property
    def data(self) -> Path:
        """Folder of the embeddings that the ratios are measured on."""
        return self.folder(self.n, self.d)

    def folder(self, n: int, d: int) -> Path:
        """Folder of the embeddings of one size."""
        return self.scratch / f"n{n}-d{d}-s{self.seed}"

    @property
    def memory_bytes(self) -> int:
        """The engine's bound on its working blocks."""
        return int(self.memory_gb * 1024**3)
