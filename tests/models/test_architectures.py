"""Untrained networks in the genuine file formats, loaded by the code that loads the real files."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

import matteralign
from matteralign.registry.load import load_cards

pytestmark = [pytest.mark.models, pytest.mark.network]

SCRIPT = Path(__file__).parent / "reference" / "architectures.py"
CARDS = load_cards()
# One of each network: the other rows differ in their file and their seed alone.
TRIED = {
    "language": ["chemberta", "chemgpt-1.2b"],
    "mace": [
        "mace-mp-medium-equivariant", "mace-mp-large", "mace-off23-medium", "mace-off23-large",
    ],
    "orb": ["orb-v2", "orb-v3-direct-20-omat-random", "orb-v3-conservative-inf-omat"],
}  # fmt: skip
PRINTED_OTHERWISE = {
    "chemberta",
    "chemgpt-1.2b",
    "esm-if1",
    "esm2-150m",
    "esm2-650m",
    "esm2-8m",
    "esm3-sequence",
    "esm3-structure",
    "esmc-300m",
    "esmc-600m",
    "mace-mp-medium",
    "mace-mp-medium-equivariant",
    "orb-v2",
    "proteinmpnn",
}


@pytest.fixture
def build(model_python: Callable[[str], Path], tmp_path: Path) -> Callable[..., Any]:
    """Build and load cards in their environment; return what the script found of each."""

    def run(keys: Sequence[str]) -> Any:
        job = tmp_path / "cards.json"
        job.write_text(json.dumps([CARDS[key].model_dump(mode="json") for key in keys]))
        (environment,) = {CARDS[key].environment for key in keys}
        done = subprocess.run(
            [str(model_python(environment)), "-W", "ignore", str(SCRIPT), str(job), str(tmp_path)],
            capture_output=True, text=True, check=False, cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(Path(matteralign.__file__).parents[1])},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout.splitlines()[-1])

    return run


@pytest.mark.parametrize("wrapper", TRIED)
def test_an_untrained_network_keeps_the_contract_of_its_card(
    wrapper: str, build: Callable[..., Any]
) -> None:
    found = build(TRIED[wrapper])
    for key in TRIED[wrapper]:
        # The count, the loaded network's against the card's, is a clause of the contract.
        assert [c for c in found[key]["checks"] if c["status"] == "fail"] == [], key
        assert found[key]["weights"] == "untrained"
        assert found[key]["again"] == 0.0, "another build with the same seed differs"


def test_counts_are_those_of_the_study_or_explained() -> None:
    for key, card in CARDS.items():
        count = card.parameters
        if count.study not in (None, count.measured):
            assert key in PRINTED_OTHERWISE
            assert count.note
