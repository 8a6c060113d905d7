"""The table of verbs, and what is imported before a verb works."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from matteralign.cli.shared.verbs import VERBS, Verb, registered

HEAVY = {
    "ase", "biotite", "gemmi", "jinja2", "jsonschema", "lmdb", "matplotlib", "numba", "pandas",
    "rdkit", "requests", "scipy", "selfies", "skbio", "sklearn", "snakemake", "torch", "umap",
}  # fmt: skip
OF_A_STUDY = {"numpy", "pydantic", "yaml"}
OF_A_FILE = {"pyarrow"}
STUDY = "slices: {s: {dataset: qm9, n: 4, seed: 0, panel: [random, ecfp4]}}"


def imported(folder: Path, *arguments: str, before: str = "", code: int | None = None) -> set[str]:
    """Call the program in a process of its own; return the packages it has imported at its end.

    Parameters
    ----------
    before
        Lines that are run first.
    code
        Exit code that is expected; None: any.
    """
    program = (
        "import atexit, json, sys\n"
        "def tell():\n"
        "    names = sorted({name.partition('.')[0] for name in sys.modules})\n"
        "    open('imported.json', 'w').write(json.dumps(names))\n"
        "atexit.register(tell)\n"
        "sys.argv[0] = 'matteralign'\n"
        f"{before}\n"
        "from matteralign.cli.app import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=folder,
        env=os.environ | {"MATTERALIGN_CACHE": str(folder / "cache"), "MATTERALIGN_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert code in (None, done.returncode), done.stderr
    return set(json.loads((folder / "imported.json").read_text()))


@pytest.mark.parametrize("verb", VERBS, ids=[verb.name for verb in VERBS])
def test_the_table_says_what_a_module_registers(verb: Verb) -> None:
    group = registered(verb.module)
    assert set(group.commands) == {v.name for v in VERBS if v.module == verb.module}
    said = inspect.cleandoc(group.commands[verb.name].help or "")
    assert " ".join(said.split("\n\n")[0].split()) == verb.help


def test_each_verb_is_there_once() -> None:
    assert len({verb.name for verb in VERBS}) == len(VERBS)


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], [], ["modles"], ["--hlep"]])
def test_help_and_a_typo_import_nothing_heavy(tmp_path: Path, arguments: list[str]) -> None:
    loaded = imported(tmp_path, *arguments)
    assert "typer" in loaded
    assert loaded & (HEAVY | OF_A_STUDY | OF_A_FILE) - {"pydantic"} == set()


@pytest.fixture
def study(tmp_path: Path) -> Path:
    (tmp_path / "config.yaml").write_text(STUDY)
    return tmp_path


def test_a_panel_needs_no_tables(study: Path) -> None:
    assert imported(study, "panel", "s", code=0) & (HEAVY | OF_A_FILE) == set()


@pytest.mark.parametrize(
    ("verb", "code"),
    [
        # Each ends where its work would begin: what that needs is not here.
        (["sample", "s"], 1),
        (["embed", "s", "random"], 1),
        (["summarize", "s", "random"], 1),
        (["score", "s"], 1),
        (["tables", "s"], 1),
        (["figures", "s"], 1),
        (["report", "s"], 1),
        (["fetch", "--dataset", "qm9", "--out", "x.json"], 1),
        (["fetch", "--model", "random", "--out", "x.json"], 0),
        (["fetch", "--model", "random", "--weights", "untrained-where-missing"], 0),
        (["environment", "mian"], 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_job_imports_nothing_heavy_before_its_work(
    study: Path, verb: list[str], code: int
) -> None:
    assert imported(study, *verb, code=code) & HEAVY == set()


def test_an_environment_is_recorded_without_heavy_imports(study: Path) -> None:
    there = (
        "import matteralign.stages.runtime.environments as e, pathlib\n"
        "e.ensure_environment = lambda *_: pathlib.Path('python')"
    )
    loaded = imported(study, "environment", "main", "--out", "x.json", before=there, code=0)
    assert loaded & HEAVY == set()
    assert (study / "x.json").exists()


def test_the_workflow_opens_a_study_without_heavy_imports(study: Path, project: Path) -> None:
    rules = (project / "workflow" / "rules" / "common.smk").read_text()
    lines = [line for line in rules.splitlines() if line.startswith("from matteralign")]
    code = (
        "import json, sys\n"
        "from pathlib import Path\n"
        + "\n".join(lines)
        + "\nopen_study(resolve(read_yaml(Path('config.yaml')), origin='', base=Path()))\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=study, capture_output=True, text=True, check=True
    )
    assert set(json.loads(done.stdout)) & HEAVY == set()
