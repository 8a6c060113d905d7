"""Scores without each block of rows: their table, and how the ledger holds them."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from matteralign.store.tidy import SCORES, field, read_columns

if TYPE_CHECKING:
    import pandas as pd

BOTH = ("replicates", "debiased_replicates")

_SHARED = (
    "slice", "dataset", "sample_set_id", "n", "model_a", "model_b", "metric", "definition",
    "params", "metric_version", "latent_sha256_a", "latent_sha256_b",
)  # fmt: skip

REPLICATES = pa.schema(
    [
        *(SCORES.field(name) for name in _SHARED),
        field("replicates", pa.list_(pa.float32()), "value without each block", nullable=True),
        field("debiased_replicates", pa.list_(pa.float32()), "the same of debiased", nullable=True),
        field("reason", pa.string(), "why there are no replicates; empty where there are"),
    ]
)
"""One row per row of the scores."""


def packed(replicates: Sequence[float]) -> str | None:
    """Return numbers as the ledger holds them: base64 of little-endian float32.

    None for none, and where one is not finite: a jackknife with a hole has no error.
    """
    if not replicates or not np.isfinite(replicates).all():
        return None
    return base64.b64encode(np.asarray(replicates, "<f4").tobytes()).decode("ascii")


def unpacked(text: str | None) -> list[float] | None:
    """Return what `packed` was given, in single precision."""
    return None if text is None else np.frombuffer(base64.b64decode(text), "<f4").tolist()


def read_replicates(path: str | Path) -> pd.DataFrame:
    """Read the table as a pandas frame; arrays of float32, None where there are none.

    Raises
    ------
    IntegrityError
        If the file is missing, damaged or has other columns.
    """
    found: pd.DataFrame = read_columns(path, REPLICATES).to_pandas()
    return found
