"""The real models in their own environment: contract, and agreement with their packages."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import matteralign
from matteralign.registry.card import ModelCard
from matteralign.registry.load import load_cards

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


@pytest.fixture
def run(
    model_python: Callable[[str], Path],
    checkpoint_files: Callable[[ModelCard], dict[str, Path]],
    qm9_structures: Callable[[int], Path],
    tmp_path: Path,
) -> Callable[..., str]:
    def start(script: Path, card: ModelCard, n: int, **changes: Any) -> str:
        files = {name: str(path) for name, path in checkpoint_files(card).items()}
        job = {
            "verb": "check",
            "card": card.model_dump(mode="json"),
            "files": files,
            "structures": str(qm9_structures(n)),
            "threads": 2,
            "result": str(tmp_path / "result.json"),
        }
        path = tmp_path / "job.json"
        path.write_text(json.dumps(job | changes))
        home = tmp_path / "home"
        home.mkdir()
        # The worker keeps packages out of the home by itself; a reference script does not.
        elsewhere = dict.fromkeys(("XDG_CACHE_HOME", "CACHED_PATH_CACHE_ROOT"), str(tmp_path / "c"))
        caches = {} if script.name == "worker.py" else elsewhere
        done = subprocess.run(
            [str(model_python(card.environment)), "-W", "ignore", str(script), str(path)],
            capture_output=True, text=True, check=False, cwd=home,
            env=os.environ | {"PYTHONPATH": str(PACKAGE.parent), "HOME": str(home)} | caches,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
        assert not list(home.iterdir()), "a package wrote into the home folder"
        return done.stdout

    return start


# Models of protein chains are tried on chains, by test_proteins.
REAL = {
    key: card
    for key, card in CARDS.items()
    if served(card) and card.accepts.needs not in ("sequence", "backbone")
}


@pytest.mark.parametrize("card", REAL.values(), ids=REAL.keys())
def test_contract(card: ModelCard, run: Callable[..., str], tmp_path: Path) -> None:
    printed = run(PACKAGE / "models" / "worker.py", card, 32)
    assert printed == ""
    report = json.loads((tmp_path / "result.json").read_text())
    failed = [c for c in report["checks"] if c["status"] == "fail"]
    assert failed == []


@pytest.mark.parametrize("key", TOLERANCES)
def test_a_batch_agrees_with_the_package_on_each_structure(
    key: str, run: Callable[..., str]
) -> None:
    card = CARDS[key]
    # Scripts are named after wrappers; started by path, their folder leads the module search.
    printed = run(HERE / "reference" / f"{card.wrapper}_reference.py", card, 32)
    report = json.loads(printed.splitlines()[-1])
    latent, energy = TOLERANCES[key]
    assert report["n"] >= 30
    assert report["latent"] <= latent, report
    if energy is not None:
        assert report["energy"] <= energy, report
    if card.modality == "3d" and key != "mace-off23-small":
        assert report["periodic"] == 3
