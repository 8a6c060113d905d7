from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest

from matteralign.core.errors import IntegrityError
from matteralign.store.tidy import (
    DIMENSIONS,
    SCORES,
    STATISTICS,
    SWEEP,
    read_frame,
    read_rows,
    write_rows,
    write_table,
)

COLUMNS = [
    "slice", "dataset", "sample_set_id", "n", "model_a", "model_b", "weights_a", "weights_b",
    "metric", "definition", "params", "scaling", "value", "status", "reason", "note",
    "metric_version", "debiased", "debiased_low", "debiased_high", "calibrated", "null_mean",
    "null_sd", "null_p", "p_adjusted", "p_holm", "ci_low", "ci_high", "latent_sha256_a",
    "latent_sha256_b",
]  # fmt: skip
INTEGERS = {"n", "metric_version"}
FLOATS = {"value", *STATISTICS}


def score(**changes: Any) -> dict[str, Any]:
    row = {
        "slice": "s", "dataset": "d", "sample_set_id": "a", "n": 5, "model_a": "x", "model_b": "y",
        "metric": "cka", "definition": "plain", "params": "{}", "scaling": "w", "value": 0.25,
        "status": "ok", "reason": "", "note": "", "metric_version": 1,
        "latent_sha256_a": "1", "latent_sha256_b": "2",
        "weights_a": "trained", "weights_b": "untrained",
    }  # fmt: skip
    return row | dict.fromkeys(STATISTICS) | changes


@pytest.fixture
def scores(tmp_path: Path) -> Path:
    path = tmp_path / "scores.parquet"
    gone = score(model_a="y", model_b="x", value=None, status="not_applicable", reason="k ≥ n")
    write_rows(path, [score(), gone], SCORES)
    return path


def test_the_columns_and_their_order() -> None:
    assert SCORES.names == COLUMNS
    assert DIMENSIONS.names == [
        "slice", "dataset", "sample_set_id", "n", "model", "weights", "metric", "definition",
        "params", "value", "status", "reason", "note", "metric_version", "ci_low", "ci_high",
        "latent_sha256",
    ]  # fmt: skip
    assert SWEEP.names == [
        "slice", "sample_set_id", "model_a", "model_b", "weights_a", "weights_b", "metric",
        "definition", "params", "n", "value", "debiased",
    ]  # fmt: skip
    assert all(b"doc" in field.metadata for field in [*SCORES, *DIMENSIONS, *SWEEP])


def test_rows_come_back_as_they_went_in(scores: Path) -> None:
    first, second = read_rows(scores, SCORES)
    assert first == score()
    assert second["value"] is None
    assert second["reason"] == "k ≥ n"


def test_pandas_reads_it(scores: Path) -> None:
    frame = pd.read_parquet(scores)
    assert list(frame.columns) == COLUMNS
    for name in COLUMNS:
        kind = frame[name].dtype
        if name in INTEGERS:
            assert kind == np.int64
        elif name in FLOATS:
            # An all-null column stays a float column, so means and plots work.
            assert kind == np.float64, name
        else:
            assert pd.api.types.is_string_dtype(frame[name])
    assert np.isnan(frame["value"].iloc[1])
    pd.testing.assert_frame_equal(read_frame(scores, SCORES)[["n", "value"]], frame[["n", "value"]])


def test_polars_reads_it(scores: Path) -> None:
    frame = pl.read_parquet(scores)
    expected = {
        name: pl.Int64 if name in INTEGERS else pl.Float64 if name in FLOATS else pl.String
        for name in COLUMNS
    }
    assert dict(frame.schema) == expected
    assert frame["value"].to_list() == [0.25, None]


def test_duckdb_reads_it(scores: Path) -> None:
    found = duckdb.sql(f"describe select * from '{scores}'").fetchall()
    assert {name: kind for name, kind, *_ in found} == {
        name: "BIGINT" if name in INTEGERS else "DOUBLE" if name in FLOATS else "VARCHAR"
        for name in COLUMNS
    }
    query = f"select model_a, avg(value) from '{scores}' where status = 'ok' group by 1"
    assert duckdb.sql(query).fetchall() == [("x", 0.25)]


def test_an_empty_table_keeps_its_types(tmp_path: Path) -> None:
    write_rows(tmp_path / "e.parquet", [], SCORES)
    assert read_rows(tmp_path / "e.parquet", SCORES) == []
    assert pl.read_parquet(tmp_path / "e.parquet").schema["value"] == pl.Float64


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({k: v for k, v in score().items() if k != "n"}, "wrong columns: n"),
        (score(extra=1), "wrong columns: extra"),
        (score(value=None), "status 'ok' with value None"),
        (score(status="failed", reason="r"), "status 'failed' with value 0.25"),
    ],
)
def test_a_wrong_row_is_refused(tmp_path: Path, row: dict[str, Any], message: str) -> None:
    with pytest.raises(IntegrityError, match=message):
        write_rows(tmp_path / "x.parquet", [score(), row], SCORES)
    assert not (tmp_path / "x.parquet").exists()


def test_an_unreadable_table_is_named(scores: Path, tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match=r"gone\.parquet.*missing"):
        read_rows(tmp_path / "gone.parquet", SCORES)
    with pytest.raises(IntegrityError, match=r"scores\.parquet.*columns"):
        read_rows(scores, DIMENSIONS)
    scores.write_bytes(scores.read_bytes()[:-9])
    with pytest.raises(IntegrityError, match=r"scores\.parquet.*Parquet"):
        read_rows(scores, SCORES)


def test_a_free_table_is_written_for_programs_and_for_eyes(tmp_path: Path) -> None:
    frame = pd.DataFrame({"model": ["a", "b"], "value": [1.0, np.nan]})
    assert write_table(frame, tmp_path / "t") == (tmp_path / "t.parquet", tmp_path / "t.csv")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "t.parquet"), frame)
    assert (tmp_path / "t.csv").read_text() == "model,value\na,1.0\nb,\n"


def test_tables_whose_names_differ_behind_a_dot_are_two(tmp_path: Path) -> None:
    for value in (1, 2):
        write_table(pd.DataFrame({"x": [value]}), tmp_path / f"idcor_fraction-0.9_seed-{value}")
    assert sorted(path.name for path in tmp_path.glob("*.csv")) == [
        "idcor_fraction-0.9_seed-1.csv", "idcor_fraction-0.9_seed-2.csv",
    ]  # fmt: skip
    assert pd.read_parquet(tmp_path / "idcor_fraction-0.9_seed-1.parquet")["x"].tolist() == [1]
