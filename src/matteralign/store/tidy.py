"""Tidy Parquet tables with a fixed schema: scores, dimensions, sweeps, free tables."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from matteralign.core.errors import IntegrityError
from matteralign.core.files import atomic_path
from matteralign.core.hashing import canonical_json
from matteralign.store.parquet import read_metadata, read_parquet

if TYPE_CHECKING:
    import pandas as pd

STATISTICS = (
    "debiased",
    "debiased_low",
    "debiased_high",
    "calibrated",
    "null_mean",
    "null_sd",
    "null_p",
    "p_adjusted",
    "p_holm",
    "ci_low",
    "ci_high",
)


def field(name: str, kind: pa.DataType, doc: str, *, nullable: bool = False) -> pa.Field:
    """Return a column with a line that says what it holds."""
    return pa.field(name, kind, nullable=nullable, metadata={"doc": doc})


def _number(name: str, doc: str) -> pa.Field:
    return field(name, pa.float64(), doc, nullable=True)


_IDENTITY = [
    field("slice", pa.string(), "slice of the study"),
    field("dataset", pa.string(), "dataset of the slice"),
    field("sample_set_id", pa.string(), "hash of the ordered structures"),
    field("n", pa.int64(), "structures this value used"),
]
_METRIC = [
    field("metric", pa.string(), "name of the metric"),
    field("definition", pa.string(), "which of the definitions in circulation"),
    field("params", pa.string(), "parameters as canonical JSON"),
]
_OUTCOME = [
    field("value", pa.float64(), "the score; null unless status is ok", nullable=True),
    field("status", pa.string(), "ok | not_applicable | failed"),
    field("reason", pa.string(), "why there is no value; empty when ok"),
    field("note", pa.string(), "what to know before the value is used; empty for nothing"),
    field("metric_version", pa.int64(), "version of the metric's implementation"),
]

_INTERVAL = [
    _number("ci_low", "lower end of the 95 % interval of the value"),
    _number("ci_high", "upper end of the 95 % interval of the value"),
]

_WEIGHTS = "trained | untrained | none (nothing to train): what {} ran on"
_PAIR_WEIGHTS = [
    field(f"weights_{side}", pa.string(), _WEIGHTS.format(f"model_{side}")) for side in "ab"
]

SCORES = pa.schema(
    [
        *_IDENTITY,
        field("model_a", pa.string(), "first model; the source of a directed metric"),
        field("model_b", pa.string(), "second model; the target of a directed metric"),
        *_PAIR_WEIGHTS,
        *_METRIC,
        field("scaling", pa.string(), "how latents were scaled before comparison, in words"),
        *_OUTCOME,
        _number("debiased", "value with finite-sample bias removed"),
        _number("debiased_low", "lower end of the 95 % interval of the debiased value"),
        _number("debiased_high", "upper end of the 95 % interval of the debiased value"),
        _number("calibrated", "share of the way from the 95 % quantile of the null to 1"),
        _number("null_mean", "mean under random pairing of rows: the finite-sample floor"),
        _number("null_sd", "standard deviation under random pairing"),
        _number("null_p", "one-sided p-value against random pairing"),
        _number("p_adjusted", "null_p adjusted within the table (Benjamini-Hochberg)"),
        _number("p_holm", "null_p adjusted within the table (Holm)"),
        *_INTERVAL,
        field("latent_sha256_a", pa.string(), "hash of model_a's latents"),
        field("latent_sha256_b", pa.string(), "hash of model_b's latents"),
    ]
)
"""One row per ordered pair of models and metric."""

DIMENSIONS = pa.schema(
    [
        *_IDENTITY,
        field("model", pa.string(), "model"),
        field("weights", pa.string(), _WEIGHTS.format("the model")),
        *_METRIC,
        *_OUTCOME,
        *_INTERVAL,
        field("latent_sha256", pa.string(), "hash of the model's latents"),
    ]
)
"""One row per model and intrinsic-dimension estimate."""

SWEEP = pa.schema(
    [
        field("slice", pa.string(), "slice of the study"),
        field("sample_set_id", pa.string(), "hash of the ordered structures"),
        field("model_a", pa.string(), "first model; the source of a directed metric"),
        field("model_b", pa.string(), "second model; the target of a directed metric"),
        *_PAIR_WEIGHTS,
        *_METRIC,
        field("n", pa.int64(), "structures of the nested sample that both models took"),
        field("value", pa.float64(), "the score of that sample"),
        _number("debiased", "value with finite-sample bias removed"),
    ]
)
"""One row per ordered pair of models, metric and size of a nested sample."""


_MADE_OF = "matteralign.made_of"


def write_rows(
    path: str | Path,
    rows: Sequence[dict[str, Any]],
    schema: pa.Schema,
    made_of: Mapping[str, Any] | None = None,
) -> None:
    """Write rows of a fixed schema atomically.

    Parameters
    ----------
    made_of
        What decides the rows, kept in the file; see `read_made_of`.

    Raises
    ------
    IntegrityError
        If a row lacks a column, has an unknown one, or a value without a status ``ok``.
    """
    names = set(schema.names)
    for row in rows:
        if set(row) != names:
            wrong = sorted(set(row) ^ names)
            raise IntegrityError(f"{path}: a row has wrong columns: {', '.join(wrong)}")
        if "status" in names and (row["value"] is not None) != (row["status"] == "ok"):
            raise IntegrityError(f"{path}: status {row['status']!r} with value {row['value']!r}")
    table = pa.Table.from_pylist(list(rows), schema=schema)
    if made_of is not None:
        table = table.replace_schema_metadata({_MADE_OF: canonical_json(made_of)})
    _write(table, path)


def read_made_of(path: str | Path) -> dict[str, Any]:
    """Return what decided the rows of a file, as it says itself; empty: it does not say.

    Raises
    ------
    IntegrityError
        If the file is missing or damaged.
    """
    found: dict[str, Any] = json.loads(read_metadata(path).get(_MADE_OF, "{}"))
    return found


def read_rows(path: str | Path, schema: pa.Schema) -> list[dict[str, Any]]:
    """Read rows written by `write_rows`.

    Raises
    ------
    IntegrityError
        If the file is missing, damaged or has other columns.
    """
    rows: list[dict[str, Any]] = read_columns(path, schema).to_pylist()
    return rows


def read_columns(path: str | Path, schema: pa.Schema) -> pa.Table:
    """Read rows written by `write_rows` as a table of Arrow; errors as `read_rows`."""
    table = read_parquet(path)
    if table.schema.names != schema.names:
        raise IntegrityError(f"{path}: columns are not those of this version; compute it again")
    return table


def read_frame(path: str | Path, schema: pa.Schema) -> pd.DataFrame:
    """Read rows as a pandas frame, floats with NaN where a value is null."""
    import pandas as pd

    frame = pd.DataFrame.from_records(read_rows(path, schema), columns=schema.names)
    # A column that is null throughout would come as a column of objects.
    return frame.astype({one.name: float for one in schema if one.type == pa.float64()})


CSV_ROWS = 100_000
"""Tables of more rows have no CSV: nobody reads it, and it takes more room than all others."""


def write_table(
    frame: pd.DataFrame, stem: str | Path, made_of: Mapping[str, Any] | None = None
) -> tuple[Path, ...]:
    """Write a table twice: ``<stem>.parquet`` for programs, ``<stem>.csv`` for eyes.

    Parameters
    ----------
    made_of
        What decides the rows, kept in the Parquet file; see `read_made_of`.

    Returns
    -------
    tuple of Path
        The files; a table of more than `CSV_ROWS` rows is written as Parquet alone.
    """
    # Not with_suffix: a stem may hold a dot of its own.
    parquet, csv = Path(f"{stem}.parquet"), Path(f"{stem}.csv")
    table = pa.Table.from_pandas(frame, preserve_index=False)
    if made_of is not None:
        kept = table.schema.metadata or {}
        table = table.replace_schema_metadata({**kept, _MADE_OF: canonical_json(made_of)})
    _write(table, parquet)
    if len(frame) > CSV_ROWS:
        return (parquet,)
    with atomic_path(csv) as temporary:
        frame.to_csv(temporary, index=False)
    return parquet, csv


def _write(table: pa.Table, path: str | Path) -> None:
    with atomic_path(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")
