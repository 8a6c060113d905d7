"""An analysis of two finished slices, made by the workflow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

pytestmark = [
    pytest.mark.workflow,
    pytest.mark.models,
    pytest.mark.network,
    pytest.mark.slow,
    pytest.mark.timeout(3000),
]
BOTH = {
    "kind": "paired_scores",
    "slices": ["tiny", "other"],
    "scores": [{"metric": "cka", "definition": "plain"}],
}


def test_an_analysis_runs_after_its_slices_and_again_when_it_changes(
    finished: Any, tmp_path: Path
) -> None:
    run = finished.copy(tmp_path / "run")
    raw = run.config() | {"analyses": {"both": BOTH}}
    run.configure(raw)
    assert run.planned("both") == {"analyze": 1, "both": 1}
    assert "both is complete. Open " in run.run("both")
    folder = run.results / "_study" / "both"
    (row,) = pd.read_parquet(folder / "tables" / "pairs.parquet").to_dict("records")
    assert {row["model_a"], row["model_b"]} == {"random", "ecfp4"}
    assert row["difference"] == pytest.approx(row["value_2"] - row["value_1"])
    missing = pd.read_parquet(folder / "tables" / "missing.parquet")
    named = missing[missing["model_a"] != ""]  # the others are of the analysis as a whole
    assert set(named["model_a"]) == {"mace-off23-small", "rxnfp-bert"}
    assert "Nothing to be done" in run.snakemake("both")
    # A file that is gone, and another question, are each made again without the slices.
    (folder / "tables" / "summary.csv").unlink()
    assert run.planned("both") == {"analyze": 1, "both": 1}
    raw["analyses"]["both"] = BOTH | {"models": ["random", "ecfp4"]}
    run.configure(raw)
    told = run.snakemake("both")
    assert "both: was made from " in told
    left = pd.read_parquet(folder / "tables" / "missing.parquet")
    assert (left["model_a"] == "").all()
    assert set(run.planned("all", "--forcerun", "analyze")) >= {"analyze", "all"}
