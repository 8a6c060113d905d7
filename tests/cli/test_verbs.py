"""The table of verbs, and what is imported before a verb works."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest

from matteralign.cli.shared.verbs import VERBS, Verb, registered

HEAVY = {
    "ase", "biotite", "gemmi", "jinja2", "jsonschema", "lmdb", "matplotlib", "numba", "numpy",
    "pandas", "pyarrow", "pydantic", "rdkit", "requests", "scipy", "selfies", "skbio",
    "snakemake", "torch", "yaml",
}  # fmt: skip


def imported(folder: Path, *arguments: str) -> set[str]:
    """Call the program in a process of its own; return the packages it has imported at its end."""
    code = (
        "import atexit, json, sys\n"
        "def tell():\n"
        "    names = sorted({name.partition('.')[0] for name in sys.modules})\n"
        "    open('imported.json', 'w').write(json.dumps(names))\n"
        "atexit.register(tell)\n"
        "sys.argv[0] = 'matteralign'\n"
        "from matteralign.cli.app import main\n"
        "main()\n"
    )
    subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=folder,
        capture_output=True,
        check=False,
        timeout=300,
    )
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
    assert loaded & HEAVY == set()
