"""A full study of known structure: real cards, real file formats, planted latents.

No model runs. The latents of a model are its place in a planted tree: training set, architecture
group and the model itself each add a Gaussian factor. So the findings have known signs, and
figures can be looked at with as many models as the study has.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from matteralign.config.load import load_config
from matteralign.core.hashing import canonical_json
from matteralign.registry.card import ModelCard
from matteralign.stages.score import score_slice
from matteralign.stages.study.layout import Layout
from matteralign.stages.study.study import Study, open_study
from matteralign.stages.summarize import summarize_model
from matteralign.store.latents import MaskedRow, write_latent
from matteralign.store.predictions import write_predictions
from matteralign.store.structures import Structure, write_structures

DATASETS = {"qm9": 5, "omat24": 10, "salex": 8, "omol25": 10, "rcsb@entries": 7}
"""Dataset and the dimension of its planted structure space."""

_ELEMENTS = {"qm9": [1, 6, 7, 8, 9], "rcsb@entries": [1, 6, 7, 8, 16]}
_CRYSTAL = [3, 8, 11, 12, 13, 14, 16, 22, 26, 29]
METRICS: dict[str, Any] = {
    "pair": [
        {
            "metric": "cknna",
            "definition": "printed",
            "params": {"k": [25, 2, 50]},
            "normalize": "row_max",
        },
        {"metric": "cknna", "definition": "huh2024", "params": {"k": 25}, "normalize": "l2"},
        {"metric": "dcor", "definition": "squared", "normalize": "row_max"},
        {"metric": "cka", "definition": "plain", "normalize": "row_max"},
        {
            "metric": "information_imbalance",
            "definition": "rank",
            "params": {"k": [1, 50]},
            "normalize": "row_max",
        },
        {
            "metric": "idcor",
            "definition": "basile2024",
            "params": {"permutations": 20},
            "normalize": "row_max",
        },
    ],
    "model": [
        {"metric": "twonn", "definition": "fit", "normalize": "row_max"},
        {
            "metric": "mle",
            "definition": "levina_bickel",
            "params": {"k": 50},
            "normalize": "row_max",
        },
    ],
}


@dataclass(frozen=True)
class Planted:
    """A synthetic study on disk."""

    config: Path
    study: Study

    def layout(self, name: str) -> Layout:
        """Return the paths of a slice."""
        return Layout(Path(self.study.config.results), name)


def build(
    folder: Path,
    *,
    n: int = 150,
    datasets: Sequence[str] = tuple(DATASETS),
    panel: Any = None,
    metrics: Mapping[str, Any] | None = None,
    extra: Mapping[str, Any] | None = None,
    report: Callable[[str], None] = lambda _: None,
) -> Planted:
    """Write a study below a folder, up to its scores.

    Parameters
    ----------
    n
        Structures of each slice.
    datasets
        One slice each, named ``<dataset>-syn``.
    panel
        Keys of the models, or such a list by dataset; None: every row of the study.
    metrics
        In place of `METRICS`.
    extra
        Further sections of the configuration.
    """
    slices = {
        slice_of(dataset): {
            "dataset": dataset,
            "n": n,
            "seed": 0,
            "panel": (panel.get(dataset) if isinstance(panel, dict) else panel) or {"study": True},
        }
        for dataset in datasets
    }
    raw = {
        "results": str(folder / "results"),
        "slices": slices,
        "metrics": dict(metrics or METRICS),
        **(extra or {}),
    }
    config = folder / "config.yaml"
    folder.mkdir(parents=True, exist_ok=True)
    config.write_text(yaml.safe_dump(raw, sort_keys=False))
    planted = Planted(config, open_study(load_config(config)))
    for dataset in datasets:
        name = slice_of(dataset)
        _fill(planted, name, dataset, n)
        for card in planted.study.panel(name):
            summarize_model(planted.study, planted.layout(name), card.key, threads=1)
        score_slice(planted.study, planted.layout(name), threads=2, report=report)
        report(f"{name}: scored")
    return planted


def slice_of(dataset: str) -> str:
    """Return the name of a dataset's slice."""
    return f"{dataset.partition('@')[0]}-syn"


def quality(card: ModelCard) -> float:
    """Return how good a model is, from 0 to 1: it decides its noise and its energy error."""
    parameters = max(card.parameters.measured, 1)
    return float(np.clip((np.log10(parameters) - 5) / 4.5, 0.05, 1))


def _fill(planted: Planted, name: str, dataset: str, n: int) -> None:
    study, layout = planted.study, planted.layout(name)
    space = np.random.default_rng(_seed(dataset)).normal(size=(n, DATASETS[dataset]))
    structures = _structures(dataset, space)
    info = {
        "seed": "0",
        "drawn": canonical_json(study.sample_identity(name)),
        "level_of_theory": "" if dataset.startswith("rcsb") else "synthetic",
    }
    sample = write_structures(
        layout.structures, structures, slice_name=name, dataset=dataset, info=info
    )
    energies = np.array([s.energy if s.energy is not None else np.nan for s in structures])
    for card in study.panel(name):
        rng = np.random.default_rng(_seed(dataset, card.key))
        masked = rng.choice(n, n // 20, replace=False) if card.group == "MACE" else []
        rows = [MaskedRow(int(r), structures[r].id, "element", "element Na") for r in masked]
        identity = {
            "slice": name,
            "dataset": dataset,
            "sample_set_id": sample,
            "model": card.key,
            "card_sha256": card.digest(),
            "made_by": study.embed_identity(card.key, name),
            "checkpoint": {"weights": card.checkpoint.weights},
            "prompt": {"words": "study"},
        }
        values = latents_of(card, dataset, space)
        write_latent(layout.latent(card.key), values, rows, identity)
        predicted = None
        if "energy" in card.predicts and np.isfinite(energies).all():
            error = rng.normal(size=n) * 0.3 * (1.1 - quality(card))
            counts = np.array([len(s.numbers) for s in structures])
            predicted = energies + error + 0.7 * counts
        write_predictions(
            layout.predictions(card.key),
            [s.id for s in structures],
            predicted,
            {row.row: row.reason for row in rows},
            {
                "slice": name,
                "sample_set_id": sample,
                "model": card.key,
                "card_sha256": card.digest(),
            },
        )


def latents_of(card: ModelCard, dataset: str, space: np.ndarray) -> np.ndarray:
    """Return a model's planted latents, shape (n, 24): random ones for a random baseline."""
    own = np.random.default_rng(_seed(dataset, card.key))
    n, dim = space.shape
    if card.embedding == "random":
        return own.normal(size=(n, 24)).astype(np.float32)
    parts = [space @ _map(dim, "all")]
    for factor, weight in (
        (card.modality, 0.6),
        (",".join(card.training_sets), 0.5),
        (card.group or card.family, 0.3),
        (card.key, 0.2),
    ):
        parts.append(weight * np.tanh(1.5 * space @ _map(dim, factor)))
    noise = own.normal(size=(n, 24)) * 0.8 * (1.1 - quality(card))
    return (np.add.reduce(parts) + noise).astype(np.float32)


def _map(dim: int, factor: str) -> np.ndarray:
    return np.random.default_rng(_seed(factor)).normal(size=(dim, 24)) / np.sqrt(dim)


def _structures(dataset: str, space: np.ndarray) -> list[Structure]:
    elements = _ELEMENTS.get(dataset, _CRYSTAL)
    rng = np.random.default_rng(_seed(dataset, "structures"))
    atomic = {z: -10.0 - z for z in elements}
    found = []
    for row, place in enumerate(space):
        numbers = rng.choice(elements, size=int(rng.integers(3, 12))).astype(np.uint8)
        energy = sum(atomic[int(z)] for z in numbers) + float(place[0])
        found.append(
            Structure(
                id=f"{dataset}-{row}",
                numbers=numbers,
                positions=rng.normal(size=(len(numbers), 3)) * 3,
                energy=None if dataset.startswith("rcsb") else energy,
            )
        )
    return found


def _seed(*parts: str) -> int:
    return zlib.crc32("/".join(parts).encode())
