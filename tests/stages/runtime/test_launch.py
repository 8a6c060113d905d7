"""The worker as a process of its own, with the models that need no model package."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from matteralign.core.errors import MatterAlignError, UserError
from matteralign.registry.card import ModelCard
from matteralign.registry.load import load_cards
from matteralign.stages.runtime import launch
from matteralign.store.latent_rows import open_latent
from matteralign.store.structures import Structure, read_structures, write_structures

Start = Callable[..., Path]


@pytest.fixture
def start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_molecules: list[Structure]
) -> Start:
    """Run ``embed`` with this interpreter in the place of a built environment."""
    monkeypatch.setattr(launch, "ensure_environment", lambda *_: Path(sys.executable))
    structures = tmp_path / "structures.parquet"
    write_structures(structures, small_molecules, slice_name="s", dataset="g2")

    def embed(card: ModelCard, **job: Any) -> Path:
        latent = tmp_path / "latents" / f"{card.key}.npy"
        paths = {
            "structures": structures,
            "latent": latent,
            "predictions": tmp_path / "p.parquet",
            "shards": tmp_path / "shards",
            "identity": {"slice": "s", "dataset": "g2"},
        }
        launch.run_worker(
            "embed", card, files={}, threads=1, device="cpu", report=print, **(paths | job)
        )
        return latent

    return embed


@pytest.mark.parametrize("key", ["random", "ecfp4"])
def test_the_worker_writes_what_the_stages_read(start: Start, key: str, tmp_path: Path) -> None:
    latent = open_latent(start(load_cards()[key]))
    sample = read_structures(tmp_path / "structures.parquet")
    assert latent.sidecar["sample_set_id"] == sample.id
    assert latent.sidecar["model"] == key
    assert latent.sidecar["environment"]["packages"]["numpy"] == np.__version__
    assert latent.valid.all()
    assert (tmp_path / "p.parquet").exists()
    assert not list((tmp_path / "shards").rglob("*")) or not (tmp_path / "shards").exists()


def test_settings_of_another_project_do_not_leak(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trap = tmp_path / "trap"
    trap.mkdir()
    (trap / "numpy.py").write_text("raise SystemExit('leaked')")
    (trap / "startup.py").write_text("raise SystemExit('leaked')")
    monkeypatch.setenv("PYTHONPATH", str(trap))
    monkeypatch.setenv("PYTHONSTARTUP", str(trap / "startup.py"))
    assert start(load_cards()["random"]).exists()


def test_a_worker_may_write_the_bytecode_of_its_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setattr(launch, "ensure_environment", lambda *_: Path(sys.executable))
    worker = tmp_path / "worker.py"
    worker.write_text("import sys; sys.exit(sys.dont_write_bytecode)")
    monkeypatch.setattr(launch, "_WORKER", worker)
    with launch.started("main", {}, 1, lambda _: None) as process:
        assert process.wait() == 0


def test_a_job_for_another_sample_set_fails(
    start: Start, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(MatterAlignError, match="random: embed failed with exit code 1"):
        start(load_cards()["random"], identity={"sample_set_id": "f" * 64})
    said = capfd.readouterr().err
    assert "error: " in said
    assert "structures.parquet" in said
    assert "Traceback" not in said


def test_an_option_the_wrapper_does_not_know_is_the_users_error(
    start: Start, capfd: pytest.CaptureFixture[str], make_card: Callable[..., ModelCard]
) -> None:
    with pytest.raises(UserError):
        start(make_card("mine", 900, options={"sede": 1}))
    said = capfd.readouterr().err
    assert "did you mean 'seed'" in said
    assert "Traceback" not in said


def test_nothing_is_left_in_the_temporary_folder(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    monkeypatch.setattr("tempfile.tempdir", None)
    start(load_cards()["random"])
    assert list(scratch.iterdir()) == []
