"""Untrained networks in the genuine file formats, loaded by the code that loads the real files."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

import matteralign
from matteralign.datasets.examples import crystals, molecules
from matteralign.registry.load import load_cards
from matteralign.stages.checks.check_records import Checked
from matteralign.store.structures import write_structures

pytestmark = [pytest.mark.models, pytest.mark.network]

SCRIPTS = Path(__file__).parent / "reference"
CARDS = load_cards()
# One of each network: the other rows differ in their file and their seed alone.
TRIED = {
    "fairchem1": ["eqv2-small-mp", "eqv2-dens-medium-mp", "esen-mp", "esen-omat"],
    "mace": [
        "mace-mp-medium-equivariant", "mace-mp-large", "mace-off23-medium", "mace-off23-large",
    ],
    "orb": ["orb-v2", "orb-v3-direct-20-omat-random", "orb-v3-conservative-inf-omat"],
    "geom2vec-pet-uma": ["pet-mad", "uma-small", "uma-medium", "geom2vec"],
    "text": [
        "chemberta", "chemgpt-1.2b", "deepseek-r1-distill-llama-8b",
        "qwen3-30b-a3b-thinking-2507-blank", "gpt-oss-20b-blank-atomistic",
    ],
    "text-with-code": ["molformer-xl"],
}  # fmt: skip
# Networks that differ from those in size alone.
SLOW = {
    "fairchem1": ["eqv2-medium-omat", "eqv2-large-ompa", "eqv2-dens-small-mp", "esen-oam"],
}
# Whose stand-ins are smaller than the model: the full one is built for its count.
FULL = {
    wrapper: [key for key, card in CARDS.items() if card.wrapper == wrapper]
    for wrapper in (
        "esm2",
        "esm3",
        "esm_if1",
        "esmc",
        "fairchem1",
        "geom2vec",
        "pet",
        "prostt5",
        "uma",
    )
}
PRINTED_OTHERWISE = {
    "chemberta", "chemgpt-1.2b", "esm-if1", "esm2-150m", "esm2-650m", "esm2-8m", "esm3-sequence",
    "esm3-structure", "esmc-300m", "esmc-600m", "geom2vec", "mace-mp-medium",
    "mace-mp-medium-equivariant", "molformer-xl", "orb-v2", "prostt5-sequence",
    "prostt5-structure", "proteinmpnn",
}  # fmt: skip


@pytest.fixture
def build(model_python: Callable[[str], Path], tmp_path: Path) -> Callable[..., Any]:
    """Run a script on cards in their environment; return what it found of each."""

    def run(keys: Sequence[str], script: str = "architectures.py") -> Any:
        job = tmp_path / "cards.json"
        job.write_text(json.dumps([CARDS[key].model_dump(mode="json") for key in keys]))
        structures = [*molecules(), *crystals()]
        write_structures(
            tmp_path / "structures.parquet", structures, slice_name="few", dataset="examples"
        )
        (environment,) = {CARDS[key].environment for key in keys}
        done = subprocess.run(
            [str(model_python(environment)), "-W", "ignore", str(SCRIPTS / script), str(job),
             str(tmp_path)],
            capture_output=True, text=True, check=False, cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(Path(matteralign.__file__).parents[1])},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout.splitlines()[-1])

    return run


@pytest.mark.parametrize("name", TRIED)
def test_an_untrained_network_keeps_the_contract_of_its_card(
    name: str, checked: Callable[[Sequence[str]], dict[str, Checked]]
) -> None:
    # All are checked by the first of these tests, those of one environment in one process.
    found = checked([key for keys in TRIED.values() for key in keys])
    holds(found, TRIED[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOW)
def test_a_network_of_another_size_keeps_it_too(
    name: str, checked: Callable[[Sequence[str]], dict[str, Checked]]
) -> None:
    holds(checked(SLOW[name]), SLOW[name])


def holds(found: Mapping[str, Checked], keys: Sequence[str]) -> None:
    for key in keys:
        # The count, and that another build with the same seed is the same, are clauses of it.
        assert [c for c in found[key].checks if c["status"] == "fail"] == [], key
        assert found[key].weights == "untrained"
        assert found[key].parameters is not None


# A script `<wrapper>_package.py` knows what the package itself gives for the same file.
PACKAGES = {p.stem.removesuffix("_package") for p in SCRIPTS.glob("*_package.py")}


def compared(groups: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Return by environment the keys of `groups` that a script knows: a process for each."""
    found: dict[str, list[str]] = {}
    for key in (key for keys in groups.values() for key in keys):
        if CARDS[key].wrapper in PACKAGES:
            found.setdefault(CARDS[key].environment, []).append(key)
    return found


@pytest.mark.parametrize(
    "keys",
    [
        *(pytest.param(keys, id=name) for name, keys in compared(TRIED).items()),
        *(
            pytest.param(keys, id=f"{name}-other", marks=pytest.mark.slow)
            for name, keys in compared(SLOW).items()
        ),
    ],
)
def test_a_batch_agrees_with_the_package_on_each_structure(
    keys: Sequence[str], build: Callable[..., Any]
) -> None:
    # Relative deviation of the latent, eV per atom.
    for key, found in build(keys).items():
        assert all(value <= 2e-5 for value in found.values()), (key, found)


@pytest.mark.slow
@pytest.mark.parametrize("wrapper", FULL)
def test_the_full_architecture_has_the_count_of_its_card(
    wrapper: str, build: Callable[..., Any]
) -> None:
    found = build(FULL[wrapper], "full_size.py")
    assert found == {key: CARDS[key].parameters.measured for key in FULL[wrapper]}


def test_counts_are_those_of_the_study_or_explained() -> None:
    for key, card in CARDS.items():
        count = card.parameters
        if count.study not in (None, count.measured):
            # The table rounds chat models to billions.
            assert key in PRINTED_OTHERWISE or card.wrapper == "chat"
            assert count.note
