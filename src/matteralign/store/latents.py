"""`latents/<model>.npy` and its JSON sidecar: rows that cannot be confused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from matteralign.core.errors import IntegrityError
from matteralign.core.files import atomic_path, read_record, write_json
from matteralign.core.hashing import sha256_file

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class MaskedRow:
    """A structure that a model could not take.

    Attributes
    ----------
    row, id
        Position in the sample set and the structure's id.
    code
        Short machine-readable kind: ``element``, ``empty``, ``smiles``, ``size``,
        ``geometry``, ``charge``, ``non_finite``, ``model_error``.
    reason
        One sentence for the reader.
    """

    row: int
    id: str
    code: str
    reason: str


def sidecar_path(array: str | Path) -> Path:
    """Return the sidecar's path of an array file."""
    return Path(array).with_suffix(".json")


def write_latent(
    path: str | Path,
    values: npt.NDArray[np.float32],
    masked: Sequence[MaskedRow],
    identity: dict[str, Any],
) -> dict[str, Any]:
    """Write an array and then its sidecar, each atomically; return the sidecar.

    Parameters
    ----------
    values
        Shape (n_rows, dim), float32. Masked rows are overwritten with NaN.
    masked
        The rows the model could not take, each with its reason.
    identity
        What the rows are: slice, dataset, ``sample_set_id``, model, card hash, checkpoint,
        wrapper, environment.

    Raises
    ------
    IntegrityError
        If an unmasked row holds NaN or an infinity, or the shape is not (n, d).
    """
    if values.ndim != 2 or values.dtype != np.float32:
        raise IntegrityError(f"{path}: latents must be (n, d) float32, got {values.shape}")
    values = values.copy()
    masked_rows = [m.row for m in masked]
    values[masked_rows] = np.nan
    finite = np.isfinite(values).all(axis=1) | np.isin(np.arange(len(values)), masked_rows)
    if not finite.all():
        row = int(np.flatnonzero(~finite)[0])
        raise IntegrityError(f"{path}: row {row} is not finite and has no reason; mask it")
    with atomic_path(path) as temporary:
        # A file object, or numpy appends ".npy" to the temporary name.
        with open(temporary, "wb") as handle:
            np.save(handle, np.ascontiguousarray(values))
        digest = sha256_file(temporary)
    sidecar = identity | {
        "schema": SCHEMA_VERSION,
        "n_rows": int(values.shape[0]),
        "n_valid": int(values.shape[0] - len(masked_rows)),
        "dim": int(values.shape[1]),
        "dtype": "float32",
        "sha256": digest,
        "masked": [asdict(m) for m in sorted(masked, key=lambda m: m.row)],
    }
    write_json(sidecar_path(path), sidecar)
    return sidecar


def read_sidecar(path: str | Path) -> dict[str, Any]:
    """Read the sidecar of an array file and check that it names what it must.

    Raises
    ------
    IntegrityError
        If the sidecar is missing, unreadable or lacks a key.
    """
    where = sidecar_path(path)
    needed = (
        "schema", "model", "sample_set_id", "checkpoint", "n_rows", "dim", "sha256", "masked"
    )  # fmt: skip
    sidecar = read_record(where, needed)
    if sidecar["schema"] != SCHEMA_VERSION:
        raise IntegrityError(
            f"{where}: sidecar schema {sidecar['schema']}, this version reads {SCHEMA_VERSION}"
        )
    return sidecar


def weights_of(sidecar: Mapping[str, Any]) -> str:
    """Return what latents were made with: ``trained``, ``untrained`` or ``none`` (no weights)."""
    return str(sidecar["checkpoint"]["weights"])


def check_latent(path: str | Path, *, sample_set_id: str | None = None) -> dict[str, Any]:
    """Return the sidecar of an array file whose bytes are those that it names.

    Raises
    ------
    IntegrityError
        If the sidecar names another sample set, or the bytes do not match the hash.
    """
    sidecar = read_sidecar(path)
    if sample_set_id is not None and sidecar["sample_set_id"] != sample_set_id:
        raise IntegrityError(
            f"{sidecar_path(path)}: made for sample set {sidecar['sample_set_id'][:12]}…, this "
            f"slice is {sample_set_id[:12]}…; rows would not be the same structures. "
            "Embed this model again"
        )
    if not Path(path).exists():
        raise IntegrityError(f"{path}: array is missing although its sidecar is there")
    digest = sha256_file(path)
    if digest != sidecar["sha256"]:
        raise IntegrityError(
            f"{path}: bytes hash to {digest[:12]}…, its sidecar says "
            f"{sidecar['sha256'][:12]}…; the file was changed or cut. Embed this model again"
        )
    return sidecar


def check_mask(path: str | Path, valid: npt.NDArray[np.bool_], sidecar: dict[str, Any]) -> None:
    """Raise IntegrityError unless the rows that are NaN are the masked rows."""
    if sorted(m["row"] for m in sidecar["masked"]) != np.flatnonzero(~valid).tolist():
        raise IntegrityError(f"{path}: the NaN rows are not the masked rows of its sidecar")
