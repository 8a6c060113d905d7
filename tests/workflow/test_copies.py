"""What is complete is what the configuration asks for, whatever Snakemake remembers."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from matteralign.store.structures import read_header

pytestmark = [
    pytest.mark.workflow,
    pytest.mark.models,
    pytest.mark.network,
    pytest.mark.slow,
    pytest.mark.timeout(1500),
]
ROWS = 20_000
"""Of one atom each, so many that their file is larger than what Snakemake compares by content."""


def write_data(folder: Path) -> None:
    """Write small molecules as a table of SMILES."""
    names = [f"{'C' * (1 + i % 9)}{'NOFS'[i % 4]}{'C' * (i // 9)}" for i in range(40)]
    lines = [f"m{i},{smiles}" for i, smiles in enumerate(names)]
    (folder / "mine.csv").write_text("\n".join(["id,smiles", *lines]) + "\n")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, make_run: Callable[..., Any]) -> Any:
    """A finished slice in folders with blanks, quotes, brackets and an umlaut in their names."""
    folder = tmp_path_factory.mktemp("odd") / "it's a (study) [ü]"
    folder.mkdir()
    run = make_run("own", folder)
    write_data(folder)
    run.configure({"results": "my results (é) 'x'", **run.config()})
    run.run("s")
    return run


def moved(run: Any, folder: Path) -> Any:
    """Copy as ``cp -r`` does: new times, in any order, and no records of Snakemake."""
    folder.mkdir()
    for name in sorted(run.folder.iterdir(), reverse=True):
        if name.name == ".snakemake":
            continue
        if name.is_dir():
            shutil.copytree(name, folder / name.name, copy_function=shutil.copyfile)
        else:
            shutil.copyfile(name, folder / name.name)
    return type(run)(folder, run.project)


def results(run: Any) -> Path:
    """Return where the results of a run lie."""
    return run.folder / run.config()["results"]


def test_odd_names_of_folders_do_no_harm(small: Any) -> None:
    assert (results(small) / "s" / "report.html").exists()


def test_a_copy_is_accepted_and_a_changed_seed_in_it_is_not(small: Any, tmp_path: Path) -> None:
    copy = moved(small, tmp_path / "copy")
    root = results(copy) / "s"
    contents = {p: p.read_bytes() for p in root.rglob("*.npy")}
    said = copy.run("s")
    assert "s is complete" in said
    assert "matteralign embed" not in said
    assert {p: p.read_bytes() for p in root.rglob("*.npy")} == contents
    raw = copy.config()
    raw["slices"]["s"]["seed"] = 5
    copy.configure(raw)
    shutil.rmtree(copy.folder / ".snakemake")
    before = read_header(root / "structures.parquet")
    said = copy.run("s")
    assert "was drawn with seed 0, now 5; to be made again" in said
    assert "as far as it changes: embed (" in said
    after = read_header(root / "structures.parquet")
    assert (before.info["seed"], after.info["seed"]) == ("0", "5")
    assert after.sample_set_id != before.sample_set_id
    page = (root / "report.html").read_text()
    assert after.sample_set_id in page
    assert before.sample_set_id not in page


def test_a_job_that_is_forced_keeps_what_is_of_the_same_card(small: Any, tmp_path: Path) -> None:
    run = small.copy(tmp_path / "forced")
    root = results(run) / "s"
    stamps = {p: p.read_bytes() for p in root.rglob("*.npy")}
    target = f"{run.config()['results']}/s/latents/composition.json"
    said = run.snakemake(target, "--forcerun", "embed")
    assert "composition: the latents that are there are of this card and these structures" in said
    assert {p: p.read_bytes() for p in root.rglob("*.npy")} == stamps


def test_structures_of_more_than_a_megabyte_are_judged_as_small_ones(
    new_run: Callable[..., Any],
) -> None:
    run = new_run("own")
    ids = [hashlib.sha512(str(i).encode()).hexdigest() for i in range(ROWS)]
    lines = [f"{identifier},{'CNOFS'[i % 5]}" for i, identifier in enumerate(ids)]
    (run.folder / "mine.csv").write_text("\n".join(["id,smiles", *lines]) + "\n")
    raw = run.config()
    raw["slices"]["s"]["n"] = ROWS - 2
    run.configure(raw)
    path = "results/s/structures.parquet"
    run.snakemake(path)
    assert (run.folder / path).stat().st_size > 1_000_000
    assert run.planned(path) == {}
    shutil.rmtree(run.folder / ".snakemake")
    (run.folder / "results" / "_shared" / "datasets" / "mine.json").touch()
    assert run.planned(path) == {}
    raw["slices"]["s"]["seed"] = 1
    run.configure(raw)
    assert run.planned(path) == {"sample": 1}


MODULE = """
{before}
module study:
    snakefile: {snakefile!r}
    {config}
use rule * from study as study_*
"""


@pytest.mark.parametrize(
    ("before", "given", "said"),
    [
        ('configfile: "config.yaml"', "config: config", r"study_embed +2"),
        ("import yaml", 'config: yaml.safe_load(open("config.yaml"))', r"study_embed +2"),
        ("", "config: config", "error: the configuration is empty"),
    ],
)
def test_another_workflow_may_take_this_one_in(
    new_run: Callable[..., Any], before: str, given: str, said: str
) -> None:
    run = new_run("own")
    write_data(run.folder)
    snakefile = str(run.project / "Snakefile")
    (run.folder / "Snakefile").write_text(
        MODULE.format(before=before, config=given, snakefile=snakefile)
    )
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--dry-run", "--cores", "1"],
        cwd=run.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert re.search(said, done.stdout + done.stderr), done.stderr
    assert "Traceback" not in done.stderr
