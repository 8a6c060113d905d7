"""`neighbors/<model>.npz` and its JSON sidecar: what is computed once per model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from matteralign.core.errors import IntegrityError
from matteralign.core.files import atomic_path, read_record, write_json
from matteralign.core.hashing import sha256_file

SCHEMA_VERSION = 2


def write_neighbors(
    path: str | Path, arrays: Mapping[str, npt.NDArray[Any]], sidecar: dict[str, Any]
) -> None:
    """Write neighbour arrays and then their sidecar, each atomically.

    Parameters
    ----------
    arrays
        Named arrays, first axis over rows.
    sidecar
        Identity (slice, sample set, model, latent hash) and the per-model rows.
    """
    with atomic_path(path) as temporary:
        with open(temporary, "wb") as handle:
            np.savez(handle, allow_pickle=False, **dict(arrays))
        digest = sha256_file(temporary)
    write_json(
        Path(path).with_suffix(".json"), sidecar | {"schema": SCHEMA_VERSION, "sha256": digest}
    )


def read_neighbors_sidecar(path: str | Path, *, latent_sha256: str | None = None) -> dict[str, Any]:
    """Read the sidecar of a neighbour file.

    Raises
    ------
    IntegrityError
        If it is missing, damaged, or of other latents than those named.
    """
    where = Path(path).with_suffix(".json")
    sidecar = read_record(where, ("schema", "latent_sha256", "sha256"))
    if sidecar["schema"] != SCHEMA_VERSION:
        raise IntegrityError(
            f"{where}: schema {sidecar['schema']}, this version reads {SCHEMA_VERSION}; "
            "summarize this model again"
        )
    found = sidecar["latent_sha256"]
    if latent_sha256 not in (None, found):
        raise IntegrityError(
            f"{path}: neighbours of other latents ({str(found)[:12]}…, expected "
            f"{str(latent_sha256)[:12]}…); summarize this model again"
        )
    return sidecar


def read_neighbors(
    path: str | Path, *, latent_sha256: str, prefix: str = ""
) -> dict[str, npt.NDArray[Any]]:
    """Read neighbour arrays that belong to the given latents.

    Parameters
    ----------
    prefix
        Only arrays whose name starts so.

    Raises
    ------
    IntegrityError
        If they were computed from other latents, or their bytes do not match the sidecar.
    """
    sidecar = read_neighbors_sidecar(path, latent_sha256=latent_sha256)
    digest = sha256_file(path)
    if digest != sidecar["sha256"]:
        raise IntegrityError(f"{path}: bytes do not match the sidecar; summarize this model again")
    with np.load(path, allow_pickle=False) as bundle:
        return {name: bundle[name] for name in bundle.files if name.startswith(prefix)}
