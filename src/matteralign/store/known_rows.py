"""First rows of a model that other latents of the same draw hold already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from matteralign.core.errors import IntegrityError
from matteralign.store.latent_rows import open_latent
from matteralign.store.latents import MaskedRow
from matteralign.store.predictions import read_predictions


@dataclass(frozen=True, eq=False)
class KnownRows:
    """The first m rows of a model on a sample set.

    Attributes
    ----------
    latents
        Shape (m, d), float32; NaN where masked.
    energies
        Shape (m,), float64 in eV, NaN where masked; None when the model predicts none.
    masked
        The rows without a latent, each with its reason.
    """

    latents: npt.NDArray[np.float32]
    energies: npt.NDArray[np.float64] | None
    masked: list[MaskedRow]

    def __len__(self) -> int:
        return len(self.latents)

    @property
    def any_valid(self) -> bool:
        """Whether the model took any of these rows."""
        return len(self.masked) < len(self)


def read_known_rows(
    latent: str | Path, predictions: str | Path, ids: Sequence[str], *, energies: bool
) -> KnownRows:
    """Read the first rows of a model's latents and energies, one for each of `ids`.

    Parameters
    ----------
    latent, predictions
        The files, which may hold more rows.
    ids
        Structures that the first rows must be of, in this order.
    energies
        Whether the model predicts energies.

    Raises
    ------
    IntegrityError
        If a file is damaged, is too short, or is of other structures; if there are no
        energies although the model predicts them.
    """
    rows = len(ids)
    told = read_predictions(predictions)
    if told.ids[:rows] != list(ids):
        raise IntegrityError(f"{predictions}: its first rows are of other structures")
    with open_latent(latent) as opened:
        if len(opened) < rows:
            raise IntegrityError(f"{latent}: has {len(opened)} rows, {rows} are asked for")
        values = opened[:rows]
        masked = [MaskedRow(**m) for m in opened.sidecar["masked"] if m["row"] < rows]
    wrong = [m.row for m in masked if m.id != ids[m.row]]
    if wrong:
        raise IntegrityError(f"{latent}: row {wrong[0]} is of another structure")
    if not energies:
        return KnownRows(values, None, masked)
    # Where every row is masked the file does not say whether there are energies.
    found = np.full(rows, np.nan) if told.energies is None else told.energies[:rows]
    finite = np.isfinite(found)
    finite[[m.row for m in masked]] = True
    if not finite.all():
        row = int(np.flatnonzero(~finite)[0])
        raise IntegrityError(f"{predictions}: row {row} has a latent and no energy")
    return KnownRows(values, found, masked)
