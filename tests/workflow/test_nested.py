"""Slices of one draw in the workflow: what a dry run lists, and one real run."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from matteralign.store.latent_rows import open_latent

pytestmark = [pytest.mark.workflow, pytest.mark.timeout(1500)]
SCORES = {name: f"results/{name}/scores.parquet" for name in ("short", "long", "other")}


@pytest.fixture
def nested(new_run: Callable[..., Any]) -> Any:
    run = new_run("nested")
    rows = [f"m{i},{'C' * i}{'O' * (i % 3)}" for i in range(1, 41)]
    (run.folder / "mine.csv").write_text("\n".join(["id,smiles", *rows]) + "\n")
    return run


def test_a_dry_run_embeds_the_longest_of_one_draw(nested: Any) -> None:
    jobs = nested.planned("all")
    # ecfp4 is on the panel of the short slice alone.
    assert (jobs["embed"], jobs["take"], jobs["summarize"]) == (5, 2, 7)
    alone = nested.planned("short")
    assert alone["embed"] == 3
    assert "take" not in alone


@pytest.mark.slow
@pytest.mark.models
def test_rows_are_taken_and_a_second_run_does_nothing(nested: Any) -> None:
    nested.snakemake(*SCORES.values())
    for key in ("random", "composition"):
        sidecar = open_latent(nested.results / "short" / "latents" / f"{key}.npy").sidecar
        assert sidecar["taken_from"]["slice"] == "long"
    assert nested.planned(SCORES["short"]) == nested.planned(SCORES["long"]) == {}
    before = nested.hashes("short")
    # The longer slice is there, whatever this run was asked for.
    for path in (nested.results / "short" / "latents").glob("[a-z]*.*"):
        path.unlink()
    (nested.folder / SCORES["short"]).unlink()
    assert nested.planned(SCORES["short"]) == {"embed": 1, "take": 2, "summarize": 3, "score": 1}
    nested.snakemake(SCORES["short"])
    assert nested.hashes("short") == before
    assert nested.planned(SCORES["short"]) == {}
    raw = nested.config()
    raw["slices"]["long"]["n"] = 36
    nested.configure(raw)
    nested.snakemake(SCORES["long"])
    said = (nested.results / "_logs" / "long" / "embed" / "random.log").read_text()
    assert "random: the first 30 rows are taken from long; the model runs on the rows" in said
    assert [nested.planned(target) for target in SCORES.values()] == [{}, {}, {}]
    assert (
        json.loads((nested.results / "long" / "latents" / "random.json").read_text())["n_rows"]
        == 36
    )
