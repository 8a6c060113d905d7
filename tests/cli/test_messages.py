"""The command line as a user meets it: a process, its exit code and what it prints."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import yaml

from matteralign.cli.app import main
from matteralign.cli.shared.passed_on import check_passed_on
from matteralign.datasets.base.catalogue import dataset_names, load_datasets
from matteralign.registry.load import load_cards

Done = subprocess.CompletedProcess[str]
SLICE = {"dataset": "qm9", "n": 4, "seed": 0, "panel": ["random", "ecfp4"]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, {"slices": {"qm9-demo": SLICE}})
    return tmp_path


def write(folder: Path, raw: Any) -> None:
    (folder / "config.yaml").write_text(yaml.safe_dump(raw))


def call(folder: Path, *arguments: str, **variables: str) -> Done:
    program = Path(sys.executable).with_name("matteralign")
    environment = os.environ | {"COLUMNS": "200"} | variables
    return subprocess.run(
        [str(program), *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def inside(folder: Path, *arguments: str) -> Done:
    """Call the program in this process: the same text and exit code, without its start."""
    out, err = io.StringIO(), io.StringIO()
    code: object = 0
    with (
        pytest.MonkeyPatch.context() as patch,
        # Verbs set variables for the processes that they start.
        mock.patch.dict(os.environ),
        contextlib.chdir(folder),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        patch.setattr(sys, "argv", ["matteralign", *arguments])
        try:
            main()
        except SystemExit as stop:
            code = stop.code
    return subprocess.CompletedProcess(list(arguments), code or 0, out.getvalue(), err.getvalue())


def snakemake(folder: Path, project: Path, *arguments: str) -> Done:
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(project / "Snakefile")]
    command += ["--configfile", "config.yaml", "--cores", "1", "--dry-run", *arguments]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=300
    )


def one_line(done: Done) -> str:
    """Return the only line that a user error prints."""
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    assert done.stdout == ""
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1
    return lines[0]


WRONG: list[tuple[Sequence[str], str]] = [
    (["sample", "qm9-dmeo"], "error: unknown slice 'qm9-dmeo': did you mean 'qm9-demo'?"),
    (["run", "qm9-dmeo"], "error: unknown slice 'qm9-dmeo': did you mean 'qm9-demo'?"),
    (["score", "zzz"], "error: unknown slice 'zzz': known are qm9-demo"),
    (
        ["embed", "qm9-demo", "mace-mp-smal"],
        "error: unknown model 'mace-mp-smal': did you mean 'mace-mp-small'?",
    ),
    (
        ["summarize", "qm9-demo", "mace-mp-smal"],
        "error: unknown model 'mace-mp-smal': did you mean 'mace-mp-small'?",
    ),
    (
        ["run", "qm9-demo", "--snakefile", "nope"],
        "error: nope: no workflow here; run this in the project's folder",
    ),
    (["fetch", "--model", "randm"], "error: unknown model 'randm': did you mean 'random'?"),
    (["fetch", "--dataset", "qm8"], "error: unknown dataset 'qm8': did you mean 'qm9'?"),
    (
        ["fetch"],
        "error: name what to fetch: --models KEY ..., --all, --slice NAME, --dataset NAME",
    ),
    (["fetch", "--slice", "qm9-dmeo"], "error: unknown slice 'qm9-dmeo': did you mean 'qm9-demo'?"),
    (
        ["fetch", "--dataset", "omol25@neutral"],
        "error: unknown dataset 'omol25@neutral': did you mean 'omol25@neutral-val'?",
    ),
    (
        ["fetch", "--dataset", "rcsb@cluster-30"],
        "error: unknown dataset 'rcsb@cluster-30': did you mean 'rcsb@clusters-30'?",
    ),
    (
        ["fetch", "--models", "random", "ecfp4", "--accept", "ab"],
        "error: --accept is for the weights of one model: name it with --model",
    ),
    (
        ["fetch", "--models", "random", "ecfp4", "--out", "x.json"],
        "error: --out writes the record of one model or dataset: name only one",
    ),
    (
        ["embed", "qm9-demo", "random", "--device", "gpu"],
        "error: unknown device 'gpu'; choose cpu, cuda, cuda:N or auto",
    ),
    (["environment", "mian"], "error: unknown environment 'mian': did you mean 'main'?"),
    (["schema", "cards"], "error: unknown schema 'cards': did you mean 'card'?"),
    (["models", "--config", "nope.yaml"], "error: nope.yaml: configuration file does not exist"),
    (["models", "--config", "."], "error: .: is a folder, not a configuration file"),
]


@pytest.mark.parametrize(("arguments", "expected"), WRONG, ids=[" ".join(a) for a, _ in WRONG])
def test_a_wrong_name_is_one_line_with_the_nearest_match(
    folder: Path, arguments: Sequence[str], expected: str
) -> None:
    assert one_line(inside(folder, *arguments)) == expected
    assert sorted(p.name for p in folder.iterdir()) == ["config.yaml"]


CONFIGS: list[tuple[Any, str]] = [
    ({"slcies": {}}, "error: config.yaml: slcies: unknown key: did you mean 'slices'?"),
    (
        {"slices": {"a": SLICE | {"panle": []}}},
        "error: config.yaml: slices.a.panle: unknown key: did you mean 'panel'?",
    ),
    (
        {"slices": {"a": SLICE | {"panel": ["random", "ecfp"]}}},
        "error: slice 'a': unknown model 'ecfp': did you mean 'ecfp4'?",
    ),
    (
        {"metrics": {"pair": [{"metric": "cnkna", "definition": "text"}]}},
        "error: metrics.pair[0]: unknown metric 'cnkna': did you mean 'cknna'?",
    ),
    (
        {"slices": {"a": SLICE | {"dataset": "qm"}}},
        "error: slice 'a': unknown dataset 'qm': did you mean 'qm9'?",
    ),
    (
        {"datasets": {"rcsb": {"kind": "rcsb", "resolution": 2.0}}},
        "error: datasets.rcsb: a dataset of this name comes with the package",
    ),
    (
        {"datasets": {"sharp": {"kind": "rcsb", "resolutoin": 2.0}}},
        "error: config.yaml: datasets.sharp.resolutoin: unknown key: did you mean 'resolution'?",
    ),
]
TITLES = ["key", "key in a slice", "model", "metric", "dataset", "name taken", "choice of chains"]


@pytest.mark.parametrize(("raw", "expected"), CONFIGS, ids=TITLES)
def test_a_wrong_configuration_is_one_line(folder: Path, raw: Any, expected: str) -> None:
    write(folder, raw)
    assert one_line(inside(folder, "models")) == expected


@pytest.mark.parametrize(("arguments", "expected"), WRONG[:2])
def test_the_installed_program_says_it_too(
    folder: Path, arguments: Sequence[str], expected: str
) -> None:
    assert one_line(call(folder, *arguments)) == expected


@pytest.mark.parametrize(("raw", "expected"), CONFIGS[1:4:2], ids=TITLES[1:4:2])
def test_snakemake_says_the_same(folder: Path, project: Path, raw: Any, expected: str) -> None:
    write(folder, raw)
    done = snakemake(folder, project)
    assert done.returncode != 0
    assert expected in done.stderr.splitlines()
    assert "Traceback" not in done.stderr + done.stdout
    assert not (folder / "results").exists()


def test_snakemake_refuses_a_key_that_stands_twice(folder: Path, project: Path) -> None:
    text = (folder / "config.yaml").read_text()
    (folder / "config.yaml").write_text(text + "\nresults: a\nresults: b\n")
    done = snakemake(folder, project)
    assert done.returncode != 0
    assert "'results' is there twice" in done.stderr


def test_an_unknown_verb_or_a_wrong_option_value_is_a_usage_error(folder: Path) -> None:
    done = inside(folder, "smaple", "qm9-demo")
    assert done.returncode == 2
    assert "sample" in done.stderr
    assert "Traceback" not in done.stderr
    assert inside(folder, "score", "qm9-demo", "--threads", "0").returncode == 2


def test_a_stage_without_its_input_names_the_file(folder: Path) -> None:
    done = inside(folder, "score", "qm9-demo")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "results/qm9-demo/structures.parquet: file is missing" in done.stderr


def test_without_a_network_the_file_and_its_place_are_named(folder: Path, tmp_path: Path) -> None:
    done = call(
        folder,
        "fetch",
        "--dataset",
        "qm9",
        MATTERALIGN_CACHE=str(tmp_path / "cache"),
        UV_CACHE_DIR=str(tmp_path / "client"),
        UV_DEFAULT_INDEX="http://127.0.0.1:9/simple",
        UV_FIND_LINKS="",
        UV_NO_CONFIG="1",
        UV_HTTP_RETRIES="0",
        NO_PROXY="127.0.0.1",
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "could not fetch qm9_part1.csv" in done.stderr
    assert "by hand" in done.stderr
    assert str(tmp_path / "cache" / "files" / "19") in done.stderr


def test_run_without_a_workflow_says_so(folder: Path) -> None:
    done = inside(folder, "run", "qm9-demo")
    assert done.returncode == 2
    assert "Snakefile: no workflow here" in done.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--croes", "2"], "unknown option '--croes': did you mean '--cores'?"),
        (["--snakfile=x"], "unknown option '--snakfile': did you mean '--snakefile'?"),
        (["--frocerun", "sample"], "unknown option '--frocerun': did you mean '--forcerun'?"),
        (["--", "--forcrun", "sample"], "unknown option '--forcrun': did you mean '--forcerun'?"),
        (["--jobs"], "Snakemake refuses --jobs: "),
    ],
)
def test_an_option_that_snakemake_does_not_know_is_one_line(
    folder: Path, project: Path, options: list[str], message: str
) -> None:
    snakefile = str(project / "Snakefile")
    line = one_line(inside(folder, "run", "qm9-demo", "--snakefile", snakefile, *options))
    assert line.startswith(f"error: {message}")
    assert not (folder / "results").exists()


def test_an_option_of_snakemake_goes_to_it(folder: Path, project: Path) -> None:
    snakefile = str(project / "Snakefile")
    options = ["--forcerun", "sample", "-n"]
    assert check_passed_on(options, []) is True
    assert check_passed_on(["-np"], []) is True
    assert check_passed_on(options[:2], []) is False
    done = call(folder, "run", "qm9-demo", "--snakefile", snakefile, "--cores", "1", *options)
    assert done.returncode == 0, done.stderr
    assert "forced:" in done.stdout + done.stderr


def test_a_second_run_at_the_same_time_is_refused(folder: Path, project: Path) -> None:
    from filelock import FileLock

    (folder / "results").mkdir()
    with FileLock(folder / "results" / ".run.lock"):
        done = inside(folder, "run", "qm9-demo", "--snakefile", str(project / "Snakefile"))
    assert done.returncode == 1
    assert "another run is working here" in done.stderr


def test_models_are_listed_for_eyes_and_for_programs(folder: Path) -> None:
    shown = call(folder, "models")
    assert shown.returncode == 0
    listed = json.loads(inside(folder, "models", "--json").stdout)
    assert [card["key"] for card in listed] == list(load_cards())
    assert all(key in shown.stdout for key in ("random", "mace-mp-small", "chgnet-0.3.0"))


def test_datasets_are_listed_for_eyes_and_for_programs(folder: Path) -> None:
    sharp = {"kind": "rcsb", "resolution": 1.8, "title": "Sharp chains"}
    write(folder, {"slices": {"qm9-demo": SLICE}, "datasets": {"sharp": sharp}})
    lines = inside(folder, "datasets").stdout.splitlines()
    shown = {line.split()[0]: line for line in lines}
    assert set(shown) == {"dataset", "sharp", *(n for n in dataset_names() if "@" in n)}
    told = " ".join(shown["rcsb@clusters-30"].split())
    assert "* – 2 0 CC0-1.0 Protein Data Bank: one chain of each cluster" in told
    assert "Sharp chains" in shown["sharp"]
    listed = json.loads(inside(folder, "datasets", "--json").stdout)
    assert [card["key"] for card in listed] == list(load_datasets())


def test_the_lists_of_proteins_are_said_before_they_are_fetched(folder: Path) -> None:
    done = inside(folder, "fetch", "--dataset", "rcsb", "--dry-run", "--offline")
    assert done.stdout.splitlines() == [
        "entries.idx: nowhere while offline",
        "clusters-by-entity-30.txt: nowhere while offline",
    ]
    assert "to fetch: 2 files (0 are here), size unknown; disk unknown, " in done.stderr
    assert "0 bytes" not in done.stderr
    assert (
        "rcsb: size unknown, not included in these sums: entries, one file for each member"
        in done.stderr
    )


def test_version_and_help(folder: Path) -> None:
    from matteralign import __version__

    assert inside(folder, "--version").stdout.strip() == f"matteralign {__version__}"
    for arguments in (["-h"], ["run", "--help"]):
        assert inside(folder, *arguments).returncode == 0


def test_results_go_to_stdout_and_progress_to_stderr(folder: Path) -> None:
    done = inside(folder, "schema")
    assert done.returncode == 0
    assert json.loads(done.stdout)["title"] == "StudyConfig"
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("name", "title"),
    [("config", "StudyConfig"), ("card", "ModelCard"), ("dataset", "DatasetCard")],
)
def test_a_schema_is_one_json_document(folder: Path, name: str, title: str) -> None:
    done = inside(folder, "schema", name)
    assert json.loads(done.stdout)["title"] == title


def test_what_the_system_refuses_is_one_line(folder: Path) -> None:
    write(folder, {"results": "taken", "slices": {"qm9-demo": SLICE}})
    (folder / "taken").write_text("a file where a folder belongs")
    done = inside(folder, "run", "qm9-demo", "--snakefile", "config.yaml")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: taken/.run.lock: cannot be written: File exists; ")


def test_a_folder_of_cards_that_is_not_there_stops_only_verbs_of_a_slice(folder: Path) -> None:
    write(folder, {"cards": ["my-crads"], "slices": {"s": SLICE}})
    for verb in (["panel", "s"], ["sample", "s"], ["fetch", "--slice", "s"]):
        done = inside(folder, *verb)
        assert done.returncode == 2
        (line,) = done.stderr.splitlines()
        assert line.startswith("error: cards: folder 'my-crads' does not exist (")
        assert str(folder / "my-crads") in line
    for verb in (["models"], ["datasets"], ["prompts"], ["weights", "pin", "ecfp5"]):
        done = inside(folder, *verb)
        told = [line for line in done.stderr.splitlines() if "my-crads" in line]
        warning = "warning: config.yaml: cards: folder 'my-crads' does not exist yet; it has no"
        assert [line.startswith(warning) for line in told] == [True], done.stderr
        assert done.returncode == (2 if verb[0] == "weights" else 0)
    # The one that makes the folder gets as far as its checkpoint.
    done = inside(folder, "new-model", "a", "--family", "mace", "--checkpoint", "no.pth")
    assert done.stderr.splitlines() == ["error: no.pth: there is no such checkpoint file"]
