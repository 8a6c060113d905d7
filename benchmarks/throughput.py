"""Structures per second of the wrappers beside their packages' own loops, on real molecules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import child
from benchmarks.report import met, number, spread, table
from benchmarks.settings import Settings

MODELS = ("mace-mp-small", "sevennet-0", "chgnet-0.3.0", "orb-d3-xs-v2", "rxnfp-bert")
BATCHED_BAR, ALONE_BAR = 0.95, 3.0
SIZES = (8, 32, 128)
"""Batch sizes of the package's loop; the best counts."""

ALONE = 24
"""Structures that are tried one at a time."""

LATTICES = (
    ("Si", "diamond", 5.43), ("NaCl", "rocksalt", 5.64), ("Cu", "fcc", 3.61), ("Fe", "bcc", 2.87),
    ("GaAs", "zincblende", 5.65), ("CsCl", "cesiumchloride", 4.12), ("MgO", "rocksalt", 4.21),
    ("Al", "fcc", 4.05),
)  # fmt: skip

CELLS = {
    1: ((2, 2, 1), (2, 2, 2), (3, 2, 2), (3, 3, 2), (3, 3, 3), (4, 3, 3)),
    2: ((2, 1, 1), (2, 2, 1), (3, 2, 1), (3, 3, 1), (4, 3, 1), (5, 2, 2)),
}
"""Supercells of 4 to 40 atoms, by the atoms of the cell: about the mean of OMat24's, 19."""

TINY = {1: ((1, 1, 1), (2, 1, 1)), 2: ((1, 1, 1), (2, 1, 1))}


def molecules(n: int, folder: Path) -> Path:
    """Return ``structures.parquet`` of QM9's draw with seed 0."""
    from matteralign.config.schema import StudyConfig
    from matteralign.registry.load import load_cards
    from matteralign.stages.sample import sample_slice
    from matteralign.stages.study.layout import Layout
    from matteralign.stages.study.study import Study

    chosen = {"dataset": "qm9", "n": n, "seed": 0, "panel": ["random", "ecfp4"]}
    config = StudyConfig.model_validate({"slices": {f"qm9-{n}": chosen}})
    layout = Layout(folder, f"qm9-{n}")
    sample_slice(Study(config, load_cards()), layout, print)
    return layout.structures


def crystals(n: int, path: Path, repeats: Mapping[int, Sequence[tuple[int, int, int]]]) -> Path:
    """Write `n` rattled crystals of the supercells that `repeats` gives for a cell's atoms."""
    from ase.build import bulk

    from matteralign.store.structures import Structure, write_structures

    rng, made = np.random.default_rng(0), []
    for i in range(n):
        name, lattice, a = LATTICES[i % len(LATTICES)]
        cell = bulk(name, lattice, a=a)
        choices = repeats[len(cell)]
        atoms = cell * choices[i % len(choices)]
        made.append(
            Structure(
                f"{name}-{i}", atoms.numbers.astype(np.uint8),
                atoms.positions + rng.normal(0, 0.1, atoms.positions.shape),
                np.array(atoms.cell), np.array(atoms.pbc),
            )
        )  # fmt: skip
    write_structures(path, made, slice_name="crystals", dataset="rattled")
    return path


def measure(settings: Settings) -> dict[str, Any]:
    """Measure every model in its environment, printing each as it comes."""
    from matteralign.registry.environments import get_environment
    from matteralign.registry.load import load_cards
    from matteralign.sources.cache import ensure
    from matteralign.stages.runtime.environments import ensure_environment

    n, found = settings.throughput_n, []
    samples = {
        "QM9": str(molecules(n, settings.scratch)),
        "rattled crystals": str(crystals(n // 2, settings.scratch / "cells.parquet", CELLS)),
        "tiny crystals": str(crystals(n, settings.scratch / "tiny.parquet", TINY)),
    }
    cards = load_cards()
    for key in settings.models_measured:
        card = cards[key]
        arguments = {
            "source": str(child.ROOT / "src"),
            "card": card.model_dump(mode="json"),
            "files": {f.name: str(ensure(f, print)) for f in card.checkpoint.files},
            "samples": samples if card.modality == "3d" else {"QM9": samples["QM9"]},
            "sizes": SIZES,
            "repeats": settings.repeats,
            "alone": ALONE,
            "threads": settings.threads,
        }
        python = ensure_environment(get_environment(card.environment))
        result = child.run_foreign(
            python, "throughput_model.py", arguments, threads=settings.threads
        )
        found.append({"key": key} | result)
        for row in cells(found[-1]):
            print(" | ".join(row), flush=True)
    return {"models": found, "threads": settings.threads}


HEAD = (
    "model", "structures", "wrapper, 1/s", "package, batched, 1/s", "batch",
    "batches of one, 1/s", "public call, 1/s", "wrapper / batched", "wrapper / batches of one",
    "wrapper / public call", "package: batched / batches of one",
)  # fmt: skip


def cells(found: dict[str, Any]) -> list[list[str]]:
    """Return one row for each sample of a model."""
    rows = []
    for sample, measured in found["samples"].items():
        rates = measured["rates"]
        best = max(
            (f"batches of {size}" for size in SIZES), key=lambda task: float(np.median(rates[task]))
        )
        ours = rates["wrapper"]
        rows.append(
            [
                found["key"],
                f"{measured['n']} {sample}, {measured['atoms']} atoms",
                spread(ours),
                spread(rates[best]),
                best.removeprefix("batches of "),
                spread(rates["batches of one"]),
                spread(rates["public call"]),
                _against(_ratio(ours, rates[best]), BATCHED_BAR),
                _against(_ratio(ours, rates["batches of one"]), ALONE_BAR),
                _against(_ratio(ours, rates["public call"]), ALONE_BAR),
                number(_ratio(rates[best], rates["batches of one"])),
            ]
        )
    return rows


def _ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Return the median over turns of the ratio within a turn."""
    return float(np.median(np.array(ours) / np.array(theirs)))


def _against(ratio: float, bar: float) -> str:
    return f"**{number(ratio)}** (bar ≥ {bar:g}, {met(ratio >= bar)})"


def section(found: dict[str, Any]) -> str:
    """Return the Markdown of this section."""
    versions = {name: v for model in found["models"] for name, v in model["packages"].items()}
    first = found["models"][0]
    return "\n\n".join(
        [
            f"Structures per second from ASE-like records to latents, {found['threads']} "
            "thread(s), median (least–most) of turns; a ratio is the median of those within a "
            "turn. The wrapper runs through `extract`, with "
            "shards, hashes and pooling; the package makes its own graphs, collates and runs the "
            f"same network without forces, at its best of the batch sizes {SIZES}, and drops the "
            "result: the same loop with batches of one beside it. The public call is what a user "
            "writes for one structure, with its defaults: `MACECalculator.get_descriptors`, "
            "`CHGNet.predict_structure`, the ASE calculators of SevenNet and Orb and the lines of "
            "rxnfp's `convert`; all but the last compute forces as well. The last column is what "
            "batches alone give the package: on one thread a network near the limit of its "
            "arithmetic gains little, and a wrapper that runs the same network no more. "
            "The rattled crystals are supercells of 4 to 40 atoms, the tiny ones of 1 to 4; 0.1 Å "
            "of noise on each coordinate. "
            f"torch kernels {first['kernel']}; "
            + ", ".join(f"{name} {v}" for name, v in sorted(versions.items()))
            + ".",
            table(HEAD, [row for model in found["models"] for row in cells(model)]),
        ]
    )
