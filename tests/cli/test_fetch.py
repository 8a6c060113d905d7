"""`matteralign fetch` over several models and a dataset at once, from a real server."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from matteralign.registry.card import ModelCard
from tests.serving import Server, server

__all__ = ["server"]
BODIES = {f"model-{i}": bytes([i]) * 30_000 for i in range(4)}


@pytest.fixture
def folder(server: Server, tmp_path: Path, make_card: Callable[..., ModelCard]) -> Path:
    """A study with four models of its own, whose weights lie on the server."""
    cards = tmp_path / "cards"
    cards.mkdir()
    for number, (key, body) in enumerate(BODIES.items()):
        file = {
            "name": "w.pt",
            "sha256": hashlib.sha256(body).hexdigest(),
            "sources": [{"url": server.put(f"/{key}/w.pt", body)}],
        }
        checkpoint = {"weights": "trained", "licence": "MIT", "files": [file]}
        card = make_card(key, 9000 + number, checkpoint=checkpoint)
        (cards / f"{key}.yaml").write_text(yaml.safe_dump(card.model_dump(mode="json")))
    slices = {"s": {"dataset": "qm9", "n": 4, "seed": 0, "panel": ["random", "model-1"]}}
    config = {"cards": [str(cards)], "slices": slices}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    return tmp_path


def fetch(folder: Path, *arguments: str, **variables: str) -> Any:
    program = Path(sys.executable).with_name("matteralign")
    return subprocess.run(
        [str(program), "fetch", *arguments],
        cwd=folder,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_a_dry_run_says_the_cost_and_fetches_nothing(server: Server, folder: Path) -> None:
    done = fetch(folder, "--models", "model-0", "model-1", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "to fetch: 2 files (0 are here), 60.0 kB; 60.0 kB on disk" in done.stderr
    assert "time unknown" in done.stderr
    urls = [server.address(f"/{key}/w.pt") for key in ("model-0", "model-1")]
    assert done.stdout.splitlines() == [f"w.pt: {url}" for url in urls]
    assert not server.gets()


def test_many_models_at_once_with_a_summary(server: Server, folder: Path) -> None:
    server.files["/model-1/w.pt"].faults = ["break 10000"]
    server.files["/model-3/w.pt"].faults = ["status 404"] * 5
    done = fetch(folder, "--models", *BODIES, "random")
    assert done.returncode == 1
    lines = dict(line.split() for line in done.stdout.splitlines())
    assert lines == {
        "model-0": "trained", "model-1": "trained", "model-2": "trained", "model-3": "missing",
        "random": "none",
    }  # fmt: skip
    assert "model-3: could not fetch w.pt" in done.stderr
    assert "1 of 5 could not be fetched; the others are here" in done.stderr
    assert "Traceback" not in done.stderr
    again = fetch(folder, "--models", "model-0", "model-1", "model-2")
    assert "nothing to fetch: 3 of 3 files are here" in again.stderr


def test_offline_uses_mirrors_of_the_configuration_and_asks_nobody(
    server: Server, folder: Path
) -> None:
    raw = yaml.safe_load((folder / "config.yaml").read_text())
    digest = hashlib.sha256(BODIES["model-0"]).hexdigest()
    place = folder / "mirror" / "files" / digest[:2] / digest / "w.pt"
    place.parent.mkdir(parents=True)
    place.write_bytes(BODIES["model-0"])
    (folder / "config.yaml").write_text(yaml.safe_dump(raw | {"mirrors": [f"{folder}/mirror"]}))
    done = fetch(folder, "--offline", "--model", "model-0", "--out", "record.json")
    assert done.returncode == 0, done.stderr
    record = json.loads((folder / "record.json").read_text())
    assert record["files"]["w.pt"]["sha256"] == digest
    missing = fetch(folder, "--model", "model-1", MATTERALIGN_OFFLINE="1")
    assert missing.returncode == 1
    assert "no server was asked" in missing.stderr
    assert server.requests == []


def test_a_slice_brings_its_whole_panel_and_its_dataset(server: Server, folder: Path) -> None:
    done = fetch(folder, "--slice", "s", "--dry-run", "--offline")
    assert done.returncode == 0, done.stderr
    names = [line.split(":")[0] for line in done.stdout.splitlines()]
    assert names == ["qm9_part1.csv", "qm9_part2.csv", "qm9_part3.csv", "w.pt"]
