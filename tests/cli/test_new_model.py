"""A new model as a new user adds one: card, check, slice; and a family of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import yaml

import matteralign
from matteralign.registry.load import FIRST_OWN, load_cards, next_index, read_card
from matteralign.sources.cache import ensure
from matteralign.store.latent_rows import open_latent

Done = subprocess.CompletedProcess[str]
PACKAGE = Path(matteralign.__file__).parent
PROJECT = PACKAGE.parents[1]
CONFIG = """
results: results
cards: [my-cards]
slices:
  few: {dataset: qm9, n: 6, seed: 0, panel: [random, chgnet-mine]}
"""


def program(folder: Path, arguments: Sequence[str], package: Path = PACKAGE) -> Done:
    code = "import sys; sys.argv[0] = 'matteralign'; from matteralign.cli.app import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True, text=True, check=False, cwd=folder,
        env=os.environ | {"PYTHONPATH": str(package.parent), "COLUMNS": "160"},
    )  # fmt: skip


@pytest.fixture
def here(tmp_path: Path) -> Callable[..., Done]:
    return lambda *arguments: program(tmp_path, arguments)


@pytest.mark.models
@pytest.mark.network
def test_a_checkpoint_of_a_known_family_becomes_a_model_of_a_slice(
    here: Callable[..., Done], tmp_path: Path
) -> None:
    (pinned,) = load_cards()["chgnet-0.3.0"].checkpoint.files
    shutil.copy(ensure(pinned), tmp_path / "mine.pth")
    (tmp_path / "config.yaml").write_text(CONFIG)
    done = here(
        "new-model", "chgnet-mine", "--family", "chgnet", "--checkpoint", "mine.pth",
        "--licence", "MIT", "--training-set", "MPTrj", "--elements", "1-89",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    path = tmp_path / "my-cards" / "chgnet-mine.yaml"
    assert done.stdout.split() == ["my-cards/chgnet-mine.yaml"]
    assert "next: matteralign check-model chgnet-mine" in done.stderr
    card = read_card(path)
    assert card.index == FIRST_OWN
    # Template: an older release; the count is that of the file.
    assert card.parameters.measured == load_cards()["chgnet-0.3.0"].parameters.measured
    assert card.checkpoint.files[0].sha256 == pinned.sha256
    assert (card.checkpoint.licence, card.training_sets) == ("MIT", ["MPTrj"])
    assert card.accepts.elements == "1-89"

    checked = here("check-model", "chgnet-mine")
    assert checked.returncode == 0, checked.stdout
    assert "1 of 1 extras pass (1 on their weights)" in checked.stdout
    assert "energies of the package  pass" in checked.stdout

    for verb in (["sample", "few"], ["embed", "few", "chgnet-mine"]):
        done = here(*verb)
        assert done.returncode == 0, done.stderr
    assert open_latent(tmp_path / "results" / "few" / "latents" / "chgnet-mine.npy").valid.all()


@pytest.mark.models
@pytest.mark.network
@pytest.mark.parametrize("modality", ["3d", pytest.param("smiles", marks=pytest.mark.slow)])
def test_a_new_family_runs_before_anything_is_replaced(modality: str, tmp_path: Path) -> None:
    for part in ("src/matteralign", "envs", "tests/models/data"):
        shutil.copytree(PROJECT / part, tmp_path / part)
    for part in ("pyproject.toml", "tests/conftest.py", "tests/models/conftest.py"):
        shutil.copy(PROJECT / part, tmp_path / part)
    package = tmp_path / "src" / "matteralign"
    done = program(
        tmp_path,
        ["new-model", "toy-net-1", "--new-family", "toy-net", "--modality", modality,
         "--url", "https://example.org/weights.pt"],
        package,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    written = [Path(line) for line in done.stdout.splitlines()]
    assert len(written) == 6
    assert "still to be filled in: architecture, checkpoint.licence, latent.layer" in done.stderr
    for arguments in (["check", *written[:5]], ["format", "--check", *written[:5]]):
        lint = subprocess.run(
            ["ruff", *map(str, arguments)],
            capture_output=True, text=True, check=False, cwd=tmp_path,
            env=os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        )  # fmt: skip
        assert lint.returncode == 0, lint.stdout
    card = read_card(written[5])
    builtin = [c for c in load_cards().values() if c.index < FIRST_OWN]
    assert card.index == max(c.index for c in builtin) + 1
    # The test that was written, in the tree that was written to.
    tried = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", str(written[2])],
        capture_output=True, text=True, check=False, cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(package.parent)},
    )  # fmt: skip
    assert tried.returncode == 0, tried.stdout
    assert "1 passed" in tried.stdout
    again = program(
        tmp_path,
        ["new-model", "toy-net-2", "--new-family", "toy-net", "--url", "https://e.org/w.pt"],
        package,
    )
    assert again.returncode == 2
    assert "is there already" in again.stderr


@pytest.mark.slow
def test_the_types_of_a_new_family_hold(tmp_path: Path) -> None:
    shutil.copytree(PROJECT / "src", tmp_path / "src")
    shutil.copy(PROJECT / "pyproject.toml", tmp_path)
    (tmp_path / "tests" / "models").mkdir(parents=True)
    shutil.copytree(PROJECT / "envs", tmp_path / "envs")
    new = ["new-model", "toy-1", "--new-family", "toy", "--url", "https://example.org/weights.pt"]
    done = program(tmp_path, new, tmp_path / "src" / "matteralign")
    assert done.returncode == 0, done.stderr
    checked = subprocess.run(
        [sys.executable, "-m", "mypy"], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["x"], "name one of --family, --like and --new-family"),
        (["x", "--family", "chgnet", "--like", "orb-v2"], "name one of"),
        (["x", "--family", "chgnet"], "name where the weights are"),
        (["x", "--family", "chgnet", "--url", "https://e.org/w.pt"], "give --parameters"),
        (["x", "--family", "chgnt", "--checkpoint", "w.pt"], "did you mean 'chgnet'?"),
        (["x", "--family", "chgnet", "--checkpoint", "none.pt"], "no such checkpoint file"),
        (["orb-v2", "--family", "orb", "--checkpoint", "w.pt"], "is there already"),
        (["X y", "--family", "orb", "--checkpoint", "w.pt"], "key: "),
        (["x", "--like", "orb-v22", "--checkpoint", "w.pt"], "did you mean 'orb-v2'?"),
        (["x", "--family", "orb", "--checkpoint", "w.pt", "--option", "a"], "NAME=VALUE"),
        (
            ["x", "--family", "orb", "--checkpoint", "w.pt", "--option", "a=["],
            "--option 'a=[': no value of YAML: line 1, column 2",
        ),
        (["x", "--new-family", "class", "--url", "https://e.org/w.pt"], "is a word of Python"),
        (["x", "--new-family", "Bad!", "--url", "https://e.org/w.pt"], "lower-case"),
        (
            ["x", "--new-family", "a", "--modality", "4d", "--url", "https://e.org/w.pt"],
            "did you mean '3d'?",
        ),
        (
            ["x", "--new-family", "orb", "--url", "https://e.org/w.pt"],
            "choose another name for the family",
        ),
    ],
)
def test_what_cannot_be_written_is_said(arguments: list[str], message: str, tmp_path: Path) -> None:
    (tmp_path / "w.pt").write_bytes(b"weights")
    (tmp_path / "config.yaml").write_text("cards: [my-cards]\n")
    done = program(tmp_path, ["new-model", *arguments])
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert done.stdout == ""
    assert not (tmp_path / "my-cards").exists()


def test_cards_need_a_folder_that_is_read(here: Callable[..., Done], tmp_path: Path) -> None:
    (tmp_path / "w.pt").write_bytes(b"weights")
    new = ["new-model", "x", "--family", "orb", "--url", "https://e.org/w.pt", "--parameters", "5"]
    done = here(*new)
    assert done.returncode == 2
    assert "add `cards: [my-cards]`" in done.stderr
    done = here(*new, "--into", "elsewhere", "--option", "architecture=orb-v2")
    assert done.returncode == 0, done.stderr
    assert "add this folder to config.yaml" in done.stderr
    card = read_card(tmp_path / "elsewhere" / "x.yaml")
    assert card.options["architecture"] == "orb-v2"
    assert card.parameters.measured == 5
    fields = yaml.safe_load((tmp_path / "elsewhere" / "x.yaml").read_text())
    assert fields["checkpoint"]["files"] == [
        {"name": "w.pt", "sources": [{"url": "https://e.org/w.pt"}]}
    ]


def test_indices_of_users_and_of_the_package_do_not_meet() -> None:
    cards = load_cards().values()
    assert next_index(cards, own=True) == FIRST_OWN
    assert next_index(cards, own=False) == max(card.index for card in cards) + 1
    assert next_index([], own=False) == 0
