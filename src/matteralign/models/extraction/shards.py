"""Finished batches on disk, so that an interrupted run continues where it stopped."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from matteralign.core.files import atomic_path
from matteralign.core.hashing import sha256_json


@dataclass(frozen=True, eq=False)
class Shard:
    """What a model made of one batch.

    Attributes
    ----------
    rows
        Numbers of the rows that have a latent, shape (m,).
    latents
        Shape (m, d), float32.
    energies
        Shape (m,), float64 in eV; None when the model predicts none.
    failures
        The reason of every other row of the batch.
    """

    rows: npt.NDArray[np.int64]
    latents: npt.NDArray[np.float32]
    energies: npt.NDArray[np.float64] | None
    failures: dict[int, str]


class Shards:
    """The shards of one run below a folder, named after the contents of their batches.

    Parameters
    ----------
    folder
        Where they lie.
    identity
        What they are made with: shards of another identity are not seen.
    digests
        Content hash of every row.
    """

    def __init__(self, folder: Path, identity: str, digests: Mapping[int, str]) -> None:
        self._folder, self._identity, self._digests = folder, identity, digests

    def _path(self, batch: Sequence[int], suffix: str) -> Path:
        name = sha256_json([self._identity, [[row, self._digests[row]] for row in batch]])
        return self._folder / f"{name[:32]}{suffix}"

    def note_too_large(self, batch: Sequence[int]) -> None:
        """Remember that memory ran out on this batch.

        A later run halves it at once: were it to fit then, its rows could differ in the last
        bits from those of the run that was cut.
        """
        with atomic_path(self._path(batch, ".large")) as temporary:
            temporary.touch()

    def too_large(self, batch: Sequence[int]) -> bool:
        """Return whether memory ran out on this batch before."""
        return self._path(batch, ".large").exists()

    def write(self, batch: Sequence[int], shard: Shard) -> None:
        """Keep a finished batch."""
        # Flushing takes longer than a small batch; `read` finds damage by the checksums of the
        # archive.
        path = self._path(batch, ".npz")
        with atomic_path(path, flush=False) as temporary:
            np.savez(
                temporary,
                rows=shard.rows,
                latents=shard.latents,
                energies=np.empty(0) if shard.energies is None else shard.energies,
                has_energies=np.array(shard.energies is not None),
                failed_rows=np.array(sorted(shard.failures), np.int64),
                failed_reasons=np.array(
                    [shard.failures[r] for r in sorted(shard.failures)], "U400"
                ),
            )

    def read(self, batch: Sequence[int]) -> Shard | None:
        """Return a finished batch, or None when there is none that can be read."""
        path = self._path(batch, ".npz")
        if not path.exists():
            return None
        try:
            with np.load(path, allow_pickle=False) as data:
                return Shard(
                    data["rows"],
                    data["latents"],
                    data["energies"] if bool(data["has_energies"]) else None,
                    {
                        int(row): str(reason)
                        for row, reason in zip(
                            data["failed_rows"], data["failed_reasons"], strict=True
                        )
                    },
                )
        except (zipfile.BadZipFile, ValueError, KeyError, EOFError):
            # Renamed into place whole: only a damaged disk, or power that failed before it was
            # on the disk, brings us here. Make it again.
            return None
