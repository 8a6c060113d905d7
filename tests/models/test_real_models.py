"""The real models in their own environment: contract, and agreement with their packages."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

import matteralign
from matteralign.registry.card import ModelCard
from matteralign.registry.load import load_cards
from matteralign.stages.checks.check_records import Checked

pytestmark = [pytest.mark.models, pytest.mark.network, pytest.mark.slow]

HERE = Path(__file__).parent
PACKAGE = Path(matteralign.__file__).parent
CARDS = load_cards((HERE / "data",))


def served(card: ModelCard) -> bool:
    """Return whether a package registry has every file; the others are tried untrained."""
    files = card.checkpoint.files
    return all(source.kind == "package" for f in files for source in f.sources)


# Float32 networks against the package's own single-structure result: relative deviation of
# the latent, eV per atom of the energy. MACE's reference runs in float64.
TOLERANCES: dict[str, tuple[float, float | None]] = {
    "mace-mp-small": (2e-6, 1e-5),
    "mace-off23-small": (2e-6, 1e-5),
    "mace-omat-0-small": (8e-6, 1e-5),
    "sevennet-0": (2e-6, 1e-5),
    "sevennet-l3i5": (5e-6, 1e-5),
    "sevennet-mf-0": (2e-6, 1e-5),
    "chgnet-0.2.0": (5e-6, 1e-5),
    "chgnet-0.3.0": (5e-6, 1e-5),
    "chgnet-r2scan": (5e-6, 1e-5),
    "orb-d3-xs-v2": (5e-6, 1e-5),
    "rxnfp-bert": (5e-6, None),
    "rxnmapper-albert": (5e-6, None),
    "soap": (1e-6, None),
    "dpa3-mptrj": (5e-6, 1e-5),
    "mattersim-1m": (5e-6, 1e-5),
    "minimol": (5e-6, None),
}


Reports = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def compared(
    model_python: Callable[[str], Path],
    checkpoint_files: Callable[[ModelCard], dict[str, Path]],
    qm9_structures: Callable[[int], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str], Reports]:
    """Return what a wrapper's reference script says of its cards, all in one process."""
    found: dict[str, Reports] = {}

    def run(wrapper: str) -> Reports:
        if wrapper in found:
            return found[wrapper]
        cards = [CARDS[key] for key in TOLERANCES if CARDS[key].wrapper == wrapper]
        job = {
            "cards": [card.model_dump(mode="json") for card in cards],
            "files": [{n: str(p) for n, p in checkpoint_files(card).items()} for card in cards],
            "structures": str(qm9_structures(32)),
        }
        folder = tmp_path_factory.mktemp(wrapper)
        path = folder / "job.json"
        path.write_text(json.dumps(job))
        home = folder / "home"
        home.mkdir()
        # Scripts are started by path: their folder leads the module search.
        script = HERE / "reference" / f"{wrapper}_reference.py"
        elsewhere = dict.fromkeys(("XDG_CACHE_HOME", "CACHED_PATH_CACHE_ROOT"), str(folder / "c"))
        done = subprocess.run(
            [str(model_python(cards[0].environment)), "-W", "ignore", str(script), str(path)],
            capture_output=True, text=True, check=False, cwd=home,
            env=os.environ | {"PYTHONPATH": str(PACKAGE.parent), "HOME": str(home)} | elsewhere,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
        assert not list(home.iterdir()), "a package wrote into the home folder"
        found[wrapper] = json.loads(done.stdout.splitlines()[-1])
        return found[wrapper]

    return run


# Models of protein chains are tried on chains, by test_proteins.
REAL = {
    key: card
    for key, card in CARDS.items()
    if served(card) and card.accepts.needs not in ("sequence", "backbone")
}


@pytest.mark.parametrize("key", REAL)
def test_contract(key: str, checked: Callable[[Sequence[str]], dict[str, Checked]]) -> None:
    found = checked(list(REAL))[key]
    assert [c for c in found.checks if c["status"] == "fail"] == []
    assert found.weights in ("trained", "none")


@pytest.mark.parametrize("key", TOLERANCES)
def test_a_batch_agrees_with_the_package_on_each_structure(
    key: str, compared: Callable[[str], Reports]
) -> None:
    card = CARDS[key]
    report = compared(card.wrapper)[key]
    latent, energy = TOLERANCES[key]
    assert report["n"] >= 30
    assert report["latent"] <= latent, report
    if energy is not None:
        assert report["energy"] <= energy, report
    if card.modality == "3d" and key != "mace-off23-small":
        assert report["periodic"] == 3


def test_angles_of_chgnet_are_listed_as_its_package_lists_them(
    model_python: Callable[[str], Path], tmp_path: Path
) -> None:
    done = subprocess.run(
        [str(model_python("main")), "-W", "ignore", str(HERE / "reference/chgnet_angles.py")],
        capture_output=True, text=True, check=False, cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(PACKAGE.parent)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["differ"] == 0
    assert found["angles"] > 10_000
    assert found["without"] >= 3, "crystals without an angle are a case of their own"
