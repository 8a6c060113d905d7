"""`predictions/<model>.parquet`: a model's own energies, row by row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from matteralign.core.errors import IntegrityError
from matteralign.core.files import atomic_path
from matteralign.store.parquet import read_metadata, read_parquet

SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("energy", pa.float64(), metadata={"doc": "predicted total energy", "unit": "eV"}),
        pa.field("status", pa.string(), metadata={"doc": "ok | masked | not_applicable"}),
        pa.field("reason", pa.string(), metadata={"doc": "empty when ok"}),
    ]
)


_PREFIX = "matteralign."
_STAGE = "`embed` for this model"
_AGAIN = "embed this model again"
_NONE = "not_applicable"
NO_ENERGY = "this model predicts no energy"
"""The reason of each row of such a model."""


def read_predictions_metadata(path: str | Path) -> dict[str, str]:
    """Return what a file of predictions says of itself: slice, sample set, model, card.

    Raises
    ------
    IntegrityError
        If it is missing or damaged.
    """
    found = read_metadata(path, _STAGE)
    return {k.removeprefix(_PREFIX): v for k, v in found.items() if k.startswith(_PREFIX)}


@dataclass(frozen=True, eq=False)
class Predictions:
    """A model's energies on a sample set.

    Attributes
    ----------
    ids
        The structures, in the order of the rows.
    energies
        Shape (n,), eV, NaN where masked; None when the model predicts no energy.
    metadata
        As of `read_predictions_metadata`.
    """

    ids: list[str]
    energies: npt.NDArray[np.float64] | None
    metadata: dict[str, str]


def read_predictions(path: str | Path) -> Predictions:
    """Read a file of predictions.

    Raises
    ------
    IntegrityError
        If it is missing, damaged or has other columns, or an energy without a status ``ok``.
    """
    table = read_parquet(path, _STAGE)
    if not table.schema.equals(SCHEMA, check_metadata=False):
        raise IntegrityError(f"{path}: its columns are not those of predicted energies")
    energies = np.array(table["energy"].to_pylist(), np.float64)
    ids, status = table["id"].to_pylist(), table["status"].to_pylist()
    wrong = np.flatnonzero(np.isfinite(energies) != np.array([s == "ok" for s in status], bool))
    if wrong.size:
        row = int(wrong[0])
        raise IntegrityError(
            f"{path}: row {row} ({ids[row]}) has the energy {energies[row]} and the status "
            f"{status[row]!r}; {_AGAIN}"
        )
    none = _NONE in set(status)
    return Predictions(ids, None if none else energies, read_predictions_metadata(path))


def read_energies(
    path: str | Path, ids: Sequence[str], made_by: Mapping[str, str]
) -> npt.NDArray[np.float64] | None:
    """Read a model's energies, checked to be those of these structures and of this model.

    Parameters
    ----------
    ids
        Of the structures of the slice, in their order.
    made_by
        What the file must say of itself, such as model, sample_set_id and card_sha256.

    Returns
    -------
    ndarray, shape (n,), or None
        eV, NaN where a row has none; None when the model predicts no energy.

    Raises
    ------
    IntegrityError
        As `read_predictions`; if the file says otherwise of itself, or has other rows.
    """
    found = read_predictions(path)
    for name, wanted in made_by.items():
        if found.metadata.get(name) != wanted:
            raise IntegrityError(
                f"{path}: its {name} is {found.metadata.get(name)!r}, that of the latents is "
                f"{wanted!r}; {_AGAIN}"
            )
    if found.ids != list(ids):
        raise IntegrityError(f"{path}: rows are not those of the structures; {_AGAIN}")
    return found.energies


def write_predictions(
    path: str | Path,
    ids: Sequence[str],
    energies: npt.NDArray[np.float64] | None,
    masked: Mapping[int, str],
    metadata: Mapping[str, str],
) -> None:
    """Write one row per structure of the sample set.

    Parameters
    ----------
    energies
        Shape (n,), eV; None when the model predicts no energy.
    masked
        Reason by row for structures that the model could not take.
    metadata
        Slice, sample set and model, kept in the file's metadata.
    """
    rows: list[tuple[str, float | None, str, str]] = []
    for row, identifier in enumerate(ids):
        if row in masked:
            rows.append((identifier, None, "masked", masked[row]))
        elif energies is None:
            rows.append((identifier, None, _NONE, NO_ENERGY))
        else:
            rows.append((identifier, float(energies[row]), "ok", ""))
    table = pa.Table.from_pylist(
        [dict(zip(SCHEMA.names, row, strict=True)) for row in rows], schema=SCHEMA
    ).replace_schema_metadata({f"{_PREFIX}{k}": v for k, v in metadata.items()})
    with atomic_path(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")
