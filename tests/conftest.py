"""Fixtures shared by every room: real structures, real environments, a small study."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase.build import molecule as ase_molecule
from hypothesis import settings

from matteralign.config.schema import StudyConfig
from matteralign.core.hashing import canonical_json
from matteralign.core.paths import CACHE_VARIABLE, cache_root
from matteralign.registry.card import ModelCard
from matteralign.registry.environments import get_environment
from matteralign.registry.load import load_cards
from matteralign.sources.cache import ensure
from matteralign.sources.package import uv_binary
from matteralign.stages.runtime.environments import ensure_environment
from matteralign.stages.sample import sample_slice
from matteralign.stages.study.layout import Layout
from matteralign.stages.study.study import Study
from matteralign.store.latents import MaskedRow, write_latent
from matteralign.store.predictions import write_predictions
from matteralign.store.structures import Structure, write_structures

PROJECT = Path(__file__).resolve().parents[1]

# Without bytecode every process that a test starts would compile its packages anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Time limits per example fail on a busy machine; pytest-timeout guards the whole test.
settings.register_profile("matteralign", deadline=None)
settings.load_profile("matteralign")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with the longest files: beside them the others fill the second core."""
    longest = ("tests/workflow", "tests/models", "tests/metrics")
    first = {folder: place for place, folder in enumerate(longest)}

    def rank(item: pytest.Item) -> int:
        folder = item.path.parent.relative_to(PROJECT).as_posix()
        return first.get(folder, len(longest))

    items.sort(key=rank)


@pytest.fixture(scope="session", autouse=True)
def untouched_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Give the tests an empty home and fail the session when one of them writes to it.

    The caches stay where they are, so nothing is fetched or built a second time.
    """
    home = tmp_path_factory.mktemp("home")
    config = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    # The package client keeps its credentials there, and a lock beside them.
    data = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    packages = subprocess.run(
        [uv_binary(), "cache", "dir"], capture_output=True, text=True, check=True
    )
    moved = {
        CACHE_VARIABLE: str(cache_root()),
        "UV_CACHE_DIR": packages.stdout.strip(),
        "XDG_CONFIG_HOME": config,
        "XDG_DATA_HOME": data,
        "XDG_CACHE_HOME": str(tmp_path_factory.mktemp("caches")),
        "MPLCONFIGDIR": str(tmp_path_factory.mktemp("matplotlib")),
        "HOME": str(home),
        "MATTERALIGN_BACKOFF": "0.01",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in moved.items():
            patch.setenv(name, value)
        yield
    written = [p.relative_to(home).as_posix() for p in home.rglob("*") if not p.is_dir()]
    assert not written, f"tests wrote into the home folder: {written[:5]}"


@pytest.fixture(scope="session")
def project() -> Path:
    """The checkout."""
    return PROJECT


@pytest.fixture(scope="session")
def assets() -> Path:
    """The folder of real records that the environment names; tests that read it are skipped."""
    folder = os.environ.get("MATTERALIGN_ASSETS")
    if not folder:
        pytest.skip("MATTERALIGN_ASSETS does not name a folder of real records")
    return Path(folder)


@pytest.fixture(scope="session")
def model_python() -> Callable[[str], Path]:
    """Return the Python of a named environment, built when it is not there."""
    return lambda name: ensure_environment(get_environment(name))


@pytest.fixture(scope="session")
def checkpoint_files() -> Callable[[ModelCard], dict[str, Path]]:
    """Return the files of a card's checkpoint by name, fetched when they are not there."""
    return lambda card: {pinned.name: ensure(pinned) for pinned in card.checkpoint.files}


@pytest.fixture(scope="session")
def qm9_structures(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Path]:
    """Return ``structures.parquet`` with the first n molecules of QM9's draw with seed 0."""
    made: dict[int, Path] = {}

    def sample(n: int) -> Path:
        if n not in made:
            chosen = {"dataset": "qm9", "n": n, "seed": 0, "panel": ["random", "ecfp4"]}
            config = StudyConfig.model_validate({"slices": {f"qm9-{n}": chosen}})
            layout = Layout(tmp_path_factory.mktemp("qm9"), f"qm9-{n}")
            sample_slice(Study(config, load_cards()), layout, print)
            made[n] = layout.structures
        return made[n]

    return sample


_SMILES = {
    "H2O": "O",
    "CH4": "C",
    "CH3CH2OH": "CCO",
    "NH3": "N",
    "C6H6": "c1ccccc1",
    "CO2": "O=C=O",
    "HCN": "C#N",
    "C2H4": "C=C",
    "C2H2": "C#C",
    "CH3OH": "CO",
    "H2CO": "C=O",
    "CH3COOH": "CC(=O)O",
}


def build(name: str, **changes: Any) -> Structure:
    """Return a molecule of ASE's G2 set; `changes` replace fields."""
    atoms = ase_molecule(name)
    made = Structure(
        id=name,
        numbers=atoms.numbers.astype(np.uint8),
        positions=atoms.positions.astype(np.float64),
        smiles=_SMILES.get(name),
    )
    return replace(made, **changes)


@pytest.fixture(scope="session")
def molecule() -> Callable[..., Structure]:
    """Build a molecule of ASE's G2 set by name; keywords replace fields."""
    return build


@pytest.fixture(scope="session")
def water() -> Structure:
    return build("H2O")


@pytest.fixture(scope="session")
def methane() -> Structure:
    return build("CH4")


@pytest.fixture(scope="session")
def ethanol() -> Structure:
    return build("CH3CH2OH")


@pytest.fixture(scope="session")
def small_molecules() -> list[Structure]:
    """A dozen molecules with SMILES, from two to twelve atoms."""
    return [build(name) for name in _SMILES]


def card_of(key: str, index: int, **changes: Any) -> ModelCard:
    """Return a valid card; `changes` replace fields."""
    fields: dict[str, Any] = {
        "key": key,
        "index": index,
        "name": key,
        "family": "baseline",
        "wrapper": "random",
        "environment": "main",
        "modality": "any",
        "architecture": "none",
        "embedding": "random",
        "parameters": {"measured": 0},
        "checkpoint": {"weights": "none", "licence": "MIT"},
        "latent": {"layer": "none", "documented": "here", "pooling": "none", "dim": 3},
        "claims": {"rotation": "not applicable", "translation": "not applicable"},
        "reference": "none",
    }
    return ModelCard.model_validate(fields | changes)


@pytest.fixture(scope="session")
def make_card() -> Callable[..., ModelCard]:
    """Make a valid card: ``make_card(key, index, **changes)``."""
    return card_of


@dataclass
class TinyStudy:
    """A study in a folder of its own whose latents are written by the test, through the store."""

    study: Study
    layout: Layout
    structures: Sequence[Structure]
    sample_set_id: str

    def write(
        self,
        key: str,
        values: np.ndarray,
        masked: Mapping[int, str] | None = None,
        sample_set_id: str | None = None,
        weights: str = "none",
        energies: np.ndarray | None = None,
    ) -> dict[str, Any]:
        """Write a model's latents and energies.

        `masked` gives reasons by row, `weights` what they ran on.
        """
        rows = [
            MaskedRow(row, self.structures[row].id, "element", reason)
            for row, reason in (masked or {}).items()
        ]
        identity: dict[str, Any] = {
            "slice": self.layout.slice,
            "dataset": "g2",
            "sample_set_id": sample_set_id or self.sample_set_id,
            "model": key,
            "card_sha256": self.study.cards[key].digest(),
            "made_by": self.study.embed_identity(key, self.layout.slice),
            "checkpoint": {"weights": weights},
        }
        write_predictions(
            self.layout.predictions(key),
            [s.id for s in self.structures],
            energies,
            masked or {},
            {name: identity[name] for name in ("model", "slice", "sample_set_id", "card_sha256")},
        )
        return write_latent(self.layout.latent(key), values.astype(np.float32), rows, identity)


def study_in(folder: Path, keys: Sequence[str], n: int = 40, metrics: Any = None) -> TinyStudy:
    """Make a study of `keys` below a folder, on `n` copies of water, each moved further."""
    slices = {"tiny": {"dataset": "qm9", "n": n, "seed": 0, "panel": list(keys)}}
    raw: dict[str, Any] = {"results": str(folder), "slices": slices}
    if metrics is not None:
        raw["metrics"] = metrics
    config = StudyConfig.model_validate(raw)
    study = Study(config, {k: card_of(k, i) for i, k in enumerate(keys)})
    layout = Layout(folder, "tiny")
    base = build("H2O")
    structures = [replace(base, id=f"w{i}", positions=base.positions + 0.01 * i) for i in range(n)]
    info = {"seed": "0", "drawn": canonical_json(study.sample_identity("tiny"))}
    identity = write_structures(
        layout.structures, structures, slice_name="tiny", dataset="g2", info=info
    )
    return TinyStudy(study, layout, structures, identity)


@pytest.fixture(scope="session")
def tiny_study_at() -> Callable[..., TinyStudy]:
    """Make a study below a folder: see `study_in`."""
    return study_in


@pytest.fixture
def tiny_study(tmp_path: Path, tiny_study_at: Callable[..., TinyStudy]) -> Callable[..., TinyStudy]:
    """Make a study in the test's own folder; `root` names it."""

    def make(keys: Sequence[str], n: int = 40, metrics: Any = None, root: str = "r") -> TinyStudy:
        return tiny_study_at(tmp_path / root, keys, n, metrics)

    return make
