"""A small network that Geom2Vec's authors trained and published, where its file is at hand."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import matteralign
from matteralign.core.hashing import sha256_file
from matteralign.registry.card import ModelCard
from matteralign.registry.load import load_cards
from matteralign.registry.pinned import PinnedFile

pytestmark = [pytest.mark.models, pytest.mark.assets, pytest.mark.network]

NAME = "visnet_l6_h64_rbf64_r75.pth"
SHA256 = "b8f1ef9b591c57f7687566bd60d3664800956ac280cf2ae8e64f54196cd8d417"


def test_the_published_small_network_keeps_the_contract(
    assets: Path,
    model_python: Callable[[str], Path],
    qm9_structures: Callable[[int], Path],
    tmp_path: Path,
) -> None:
    path = assets / "geom2vec" / NAME
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    assert sha256_file(path) == SHA256
    card = load_cards()["geom2vec"]
    pinned = PinnedFile(name=NAME, sha256=SHA256, sources=card.checkpoint.files[0].sources)
    changes = {
        "checkpoint": card.checkpoint.model_copy(update={"files": [pinned]}),
        "parameters": card.parameters.model_copy(update={"measured": 415_808}),
        "latent": card.latent.model_copy(update={"dim": 64}),
    }
    small = ModelCard.model_validate(card.model_copy(update=changes).model_dump())
    task = {
        "card": small.model_dump(mode="json"),
        "files": {NAME: str(path)},
        "structures": str(qm9_structures(32)),
        "result": str(tmp_path / "result.json"),
    }
    job = tmp_path / "job.json"
    job.write_text(json.dumps({"verb": "check", "tasks": [task]}))
    worker = Path(matteralign.__file__).parent / "models" / "worker.py"
    done = subprocess.run(
        [str(model_python("main")), "-W", "ignore", str(worker), str(job)],
        capture_output=True, text=True, check=False, env=os.environ | {"HOME": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    checks = json.loads((tmp_path / "result.json").read_text())["checks"]
    assert [c for c in checks if c["status"] == "fail"] == []
