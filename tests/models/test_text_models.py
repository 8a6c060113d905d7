"""Models of text on untrained networks: which tokens are averaged, and what is refused."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import matteralign
from matteralign.registry.load import load_cards

pytestmark = [pytest.mark.models, pytest.mark.network]

SCRIPT = Path(__file__).parent / "reference" / "text_models.py"
TRIED = ("chemberta", "chemgpt-1.2b")


@pytest.fixture(scope="module")
def found(
    model_python: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """Return what the script measured, in one process for all tests."""
    folder = tmp_path_factory.mktemp("text")
    job = folder / "cards.json"
    job.write_text(json.dumps([load_cards()[key].model_dump(mode="json") for key in TRIED]))
    done = subprocess.run(
        [str(model_python("main")), "-W", "ignore", str(SCRIPT), str(job), str(folder)],
        capture_output=True, text=True, check=False, cwd=folder,
        env=os.environ | {"PYTHONPATH": str(Path(matteralign.__file__).parents[1])},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return report


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("smiles", "all"), ("smiles", "content"), ("smiles", "first"), ("selfies", "all")],
)
def test_a_padded_batch_is_the_average_of_each_text_alone(
    found: dict[str, Any], text: str, tokens: str
) -> None:
    assert found["molecules"][text][tokens] < 5e-6


@pytest.mark.parametrize(
    ("case", "code", "words"),
    [
        ("unknown", "smiles", "no token for '[Si]'"),
        ("long", "size", "602 tokens, the model takes at most 512"),
        ("none", "smiles", "has no SMILES"),
        ("selfies unknown", "selfies", "no token for '[Si]'"),
        ("selfies long", "size", "129 tokens, the model takes at most 128"),
        ("selfies none", "selfies", "has no SELFIES"),
    ],
)
def test_what_a_model_cannot_read_is_a_masked_row(
    found: dict[str, Any], case: str, code: str, words: str
) -> None:
    refused = found["molecules"]["refused"]
    assert refused[case][0] == code
    assert words in refused[case][1]
    assert refused["taken"] is None
    assert refused["fits"] is None


def test_a_part_that_the_tokeniser_drops_is_no_silent_cut(found: dict[str, Any]) -> None:
    assert found["molecules"]["dropped"] == ["smiles", "the vocabulary has no token for '['"]


def test_the_side_of_the_padding_changes_nothing(found: dict[str, Any]) -> None:
    assert found["molecules"]["padded left"] == 0.0


def test_weights_that_lack_a_layer_are_refused(found: dict[str, Any]) -> None:
    message = found["molecules"]["incomplete"]
    assert "lacks" in message
    assert "layer.1.output" in message
