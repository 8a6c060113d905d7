"""The folder of an analysis: whole, of today, and made again when it is not."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from matteralign.core.errors import IntegrityError
from matteralign.core.hashing import sha256_file
from matteralign.report.across.kinds import find
from matteralign.report.across.write import write_analysis
from matteralign.stages.study.across import analysis_result
from matteralign.stages.study.layout import AnalysisLayout
from matteralign.stages.study.study import Study
from matteralign.stages.study.wanted import settle_analysis
from matteralign.store.tidy import read_made_of
from tests.docs.test_schemas_page import columns
from tests.report.across.conftest import View, study_of
from tests.synthetic import Planted


@pytest.fixture
def written(across: Planted, view: View, tmp_path: Path) -> tuple[Study, AnalysisLayout]:
    """A copy of the study with one analysis written."""
    results = Path(across.study.config.results)
    shutil.copytree(results, tmp_path / "results", copy_function=shutil.copy2)
    raw = yaml.safe_load(across.config.read_text()) | {"results": str(tmp_path / "results")}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(raw))
    study = study_of(Planted(tmp_path / "config.yaml", across.study))
    chosen = view("in-and-out", study)
    told = write_analysis(chosen)
    assert told.startswith("analyze in-and-out: 4 tables, 1 figures in ")
    return study, chosen.layout


def test_the_record_names_every_file_with_its_hash(written: Any) -> None:
    _, layout = written
    record = json.loads(layout.record.read_text())
    for name, digest in record["files"].items():
        assert sha256_file(layout.root / name) == digest
    names = {Path(name).name for name in record["files"]}
    assert {"pairs.parquet", "pairs.csv", "missing.csv", "captions.json"} <= names
    assert any(name.endswith(".svg") for name in names)
    captions = json.loads(layout.figure_list.read_text())
    assert captions["results"] == record["results"]


def test_a_table_keeps_what_it_was_made_from(written: Any) -> None:
    _, layout = written
    made_of = read_made_of(layout.tables / "pairs.parquet")
    assert made_of == json.loads(layout.record.read_text())["made_of"]
    assert made_of["asked"]["slices"] == ["omat24-syn", "omol25-syn"]
    assert "omat24-syn/scores.parquet" in made_of["inputs"]


def differs(study: Study, layout: AnalysisLayout) -> str | None:
    return analysis_result(study, layout).differs()


def test_what_was_written_is_of_today(written: Any) -> None:
    assert differs(*written) is None


def test_another_question_is_told(written: Any) -> None:
    study, layout = written
    asked = study.analysis("in-and-out")
    fewer = asked.model_copy(update={"models": ["orb-v2", "random", "composition"]})
    config = study.config.model_copy(update={"analyses": {"in-and-out": fewer}})
    other = Study(config, study.cards)
    assert "models" in str(differs(other, layout))
    said: list[str] = []
    settle_analysis(other, layout, said.append)
    assert said[0].startswith("in-and-out: was made from ")
    assert layout.wanted.stat().st_mtime_ns > layout.record.stat().st_mtime_ns


def test_other_scores_are_told(written: Any) -> None:
    study, layout = written
    with open(layout.slice("omol25-syn").scores, "ab") as file:
        file.write(b"x")
    told = differs(study, layout)
    assert told == "was made from another inputs.omol25-syn/scores.parquet"


def test_a_changed_or_missing_file_is_told(written: Any) -> None:
    study, layout = written
    (layout.tables / "pairs.csv").write_text("changed")
    assert differs(study, layout) == "tables/pairs.csv was changed since it was written"
    (layout.tables / "pairs.csv").unlink()
    assert differs(study, layout) == "tables/pairs.csv is missing"


def test_writing_again_gives_the_same_bytes_and_removes_what_is_no_more(
    written: Any, view: View
) -> None:
    study, layout = written
    before = json.loads(layout.record.read_text())["files"]
    (layout.figures / "mine.txt").write_text("a user's own")
    write_analysis(view("in-and-out", study))
    assert json.loads(layout.record.read_text())["files"] == before
    one = study.analysis("in-and-out").model_copy(update={"slices": ["omat24-syn"]})
    config = study.config.model_copy(update={"analyses": {"in-and-out": one}})
    write_analysis(view("in-and-out", Study(config, study.cards)))
    assert not list(layout.figures.glob("*.svg"))
    assert (layout.figures / "mine.txt").exists()


def test_a_slice_that_is_not_finished_or_not_of_today_is_refused(written: Any, view: View) -> None:
    study, layout = written
    layout.slice("omol25-syn").scores.unlink()
    with pytest.raises(IntegrityError, match="matteralign run in-and-out"):
        write_analysis(view("in-and-out", study))
    chosen = study.slice("omat24-syn").model_copy(update={"seed": 5})
    slices = {**study.config.slices, "omat24-syn": chosen}
    other = Study(study.config.model_copy(update={"slices": slices}), study.cards)
    with pytest.raises(IntegrityError):
        write_analysis(view("in-and-out", other))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("in-and-out", "paired_scores"),
        ("dimensions", "dimensions"),
        ("planes", "planes"),
        ("energy-maps", "energy_maps"),
    ],
)
def test_the_page_of_schemas_names_every_column(view: View, name: str, kind: str) -> None:
    found = find(view(name)).tables
    for stem, table in found.items():
        of = "an analysis" if stem in ("models", "missing") else f"`{kind}`"
        if stem == "models":
            assert list(table)[:2] == ["slice", "dataset"]
            continue
        of = "`maps`" if stem in ("maps", "separation") else of
        found_columns = columns(f"`{stem}.parquet` of {of}")
        assert sorted(found_columns) == sorted(table), stem


def test_snakemake_makes_an_analysis(written: Any, project: Path) -> None:
    study, layout = written
    folder = Path(study.config.results).parent
    shutil.rmtree(layout.root)
    command = [
        sys.executable, "-m", "snakemake", str(layout.record), "--cores", "1", "--nolock",
        "--snakefile", str(project / "Snakefile"), "--configfile", "config.yaml",
        "--allowed-rules", "analyze",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "analyze in-and-out: 4 tables" in done.stdout + done.stderr
    assert differs(study, layout) is None
    settle_analysis(study, layout, print)
    assert layout.wanted.stat().st_mtime_ns < layout.record.stat().st_mtime_ns
