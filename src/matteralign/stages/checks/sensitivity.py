"""Disturb the structures of a slice by growing amounts, and score a model's latents of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from matteralign.core.errors import IntegrityError, UserError
from matteralign.core.hashing import sha256_json
from matteralign.findings.sensitivity import shuffled
from matteralign.registry.card import ModelCard
from matteralign.registry.environments import get_environment
from matteralign.registry.load import get_card
from matteralign.sources.cache import cached_path
from matteralign.stages.adhoc import compare_arrays
from matteralign.stages.runtime.launch import run_worker
from matteralign.stages.runtime.weights import runnable
from matteralign.stages.study.layout import Layout
from matteralign.stages.study.standing import differences, made_by
from matteralign.stages.study.study import Study
from matteralign.store.latent_rows import open_latent
from matteralign.store.structures import Structure, read_structures, write_structures

RATTLES = (0.01, 0.03, 0.1, 0.2, 0.4)
"""Standard deviations in Å of the displacement of each coordinate."""
EXCHANGES = (1, 2, 4, 8)
"""Exchanges of the elements of two atoms."""
SHARES = (0.1, 0.25, 0.5, 0.75, 1.0)
"""Shares of rows that are shuffled."""
RATTLE, EXCHANGE, SHUFFLE = "rattle", "exchange", "shuffle"
UNITS = {RATTLE: "Å", EXCHANGE: "exchanges", SHUFFLE: "share of rows"}

SCORE_COLUMNS = [
    "slice",
    "sample_set_id",
    "model",
    "weights",
    "change",
    "unit",
    "level",
    "n",
    "metric",
    "definition",
    "params",
    "value",
    "null_mean",
    "status",
    "reason",
]
Level = tuple[str, float]
Arrays = dict[Level, npt.NDArray[np.float32]]


def rattled(structure: Structure, deviation: float, seed: int) -> Structure:
    """Move every atom by Gaussian noise; the same seed gives the same directions.

    Parameters
    ----------
    deviation
        Standard deviation of each coordinate's displacement in Å.
    """
    noise = np.random.default_rng(seed).normal(size=structure.positions.shape)
    return replace(
        structure,
        positions=structure.positions + deviation * noise,
        smiles=None,
        selfies=None,
        energy=None,
    )


def exchanged(structure: Structure, times: int, seed: int) -> Structure:
    """Exchange the elements of two atoms, so many times; the composition stays.

    A larger number continues a smaller one of the same seed. A structure of one element is
    left as it is.
    """
    rng = np.random.default_rng(seed)
    numbers = structure.numbers.copy()
    if len(set(numbers.tolist())) > 1:
        for _ in range(times):
            first = rng.integers(len(numbers))
            second = rng.choice(np.flatnonzero(numbers != numbers[first]))
            numbers[[first, second]] = numbers[[second, first]]
    return replace(structure, numbers=numbers, smiles=None, selfies=None, energy=None)


def disturbed(structures: Sequence[Structure]) -> dict[Level, list[Structure]]:
    """Return a sample as it is, and at every level of every change of structures.

    Texts that would no longer be of the structure, and energies, are left out.
    """
    kept = [replace(s, smiles=None, selfies=None, energy=None) for s in structures]
    found: dict[Level, list[Structure]] = {("none", 0.0): kept}
    for deviation in RATTLES:
        found[RATTLE, deviation] = [rattled(s, deviation, i) for i, s in enumerate(structures)]
    for times in EXCHANGES:
        found[EXCHANGE, times] = [exchanged(s, times, i) for i, s in enumerate(structures)]
    return {
        (change, level): [replace(s, id=f"{change}-{level:g}-{s.id}") for s in rows]
        for (change, level), rows in found.items()
    }


@dataclass(frozen=True)
class SelfTest:
    """The test of one slice, and the paths of its files.

    Attributes
    ----------
    study, layout
        The study and the slice.
    rows
        First rows of the slice that are disturbed.
    """

    study: Study
    layout: Layout
    rows: int

    @property
    def folder(self) -> Path:
        """Where tables, figures and latents of the test lie."""
        return self.layout.root / "sensitivity"

    def score(
        self, key: str, *, threads: int, device: str, report: Callable[[str], None]
    ) -> pd.DataFrame:
        """Return every score of a model's disturbed latents against the undisturbed ones.

        Returns
        -------
        DataFrame
            `SCORE_COLUMNS`, one row for each change, level and measure of the slice. Level 0 is
            no change. ``null_mean`` is the mean score of rows paired at random.

        Raises
        ------
        UserError
            If the slice has fewer rows than are asked for, or the model reads no coordinates.
        MatterAlignError
            If the model cannot run.
        """
        card = get_card(key, self.study.cards)
        if card.accepts.needs not in ("positions", "atoms", "nothing"):
            raise UserError(
                f"{key} reads {card.accepts.needs}: moved atoms and exchanged elements do not "
                "change it; choose a model that reads coordinates"
            )
        sample = read_structures(self.layout.structures)
        if len(sample) < self.rows:
            raise UserError(
                f"slice {self.layout.slice!r} has {len(sample)} rows; ask for --rows {len(sample)}"
            )
        card = runnable(card, self.study.weights(self.layout.slice), report)
        arrays = self._latents(card, sample.structures[: self.rows], threads, device, report)
        base = arrays.pop(("none", 0.0))
        rows = [
            row
            for (change, level), changed in _levels(base, arrays)
            for row in self._scores(base, changed, change, level, threads)
        ]
        told = {"slice": self.layout.slice, "sample_set_id": sample.id, "model": key}
        told["weights"] = card.checkpoint.weights
        return pd.DataFrame([told | row for row in rows])[SCORE_COLUMNS]

    def _latents(
        self,
        card: ModelCard,
        structures: Sequence[Structure],
        threads: int,
        device: str,
        report: Callable[[str], None],
    ) -> Arrays:
        levels = disturbed(structures)
        given = self.folder / "structures.parquet"
        rows = [structure for level in levels.values() for structure in level]
        identity = write_structures(
            given, rows, slice_name=self.layout.slice, dataset="disturbed", info={}
        )
        latent = self.folder / "latents" / f"{card.key}.npy"
        by = self.study.embed_identity(card.key, self.layout.slice) | {"card": card.digest()}
        if not _there(latent, identity, by):
            report(f"{card.key}: {len(rows):,} structures: {len(levels)} times {len(structures):,}")
            lock = get_environment(card.environment).lock_digest()
            run_worker(
                "embed",
                card,
                files={pinned.name: cached_path(pinned) for pinned in card.checkpoint.files},
                threads=threads,
                device=device,
                report=report,
                structures=given,
                latent=latent,
                predictions=self.folder / "predictions" / f"{card.key}.parquet",
                shards=latent.parent / ".shards" / card.key / sha256_json([by, identity])[:16],
                identity={
                    "slice": self.layout.slice,
                    "dataset": "disturbed",
                    "sample_set_id": identity,
                    "made_by": by,
                    "environment": {"name": card.environment, "lock_sha256": lock},
                },
            )
        with open_latent(latent, sample_set_id=identity) as opened:
            values = opened[:]
        return {
            level: values[i * self.rows : (i + 1) * self.rows] for i, level in enumerate(levels)
        }

    def _scores(
        self,
        base: npt.NDArray[np.float32],
        changed: npt.NDArray[np.float32],
        change: str,
        level: float,
        threads: int,
    ) -> list[dict[str, object]]:
        both = np.isfinite(base).all(axis=1) & np.isfinite(changed).all(axis=1)
        outcomes = compare_arrays(
            {"whole": base[both], "disturbed": changed[both]},
            self.study.pair_measures(self.layout.slice),
            threads=threads,
            memory_bytes=self.study.memory_bytes,
        )
        # Of a directed score: what the disturbed latents say of the whole ones is another row
        # of the same meaning, and left out.
        told = {"change": change, "unit": UNITS[change], "level": level}
        return [
            told | {k: v for k, v in o.measure.row(o.scored).items() if k in SCORE_COLUMNS}
            for o in outcomes
            if o.forward
        ]


def _levels(
    base: npt.NDArray[np.float32], arrays: Arrays
) -> list[tuple[Level, npt.NDArray[np.float32]]]:
    """Return every level of every change, each change from no change at all on."""
    # Rows that the model could not take stay where they are.
    valid = np.isfinite(base).all(axis=1)
    mixed: Arrays = {}
    for share in SHARES:
        rows = base.copy()
        rows[valid] = shuffled(base[valid], share)
        mixed[SHUFFLE, share] = rows
    found = []
    for change in UNITS:
        found.append(((change, 0.0), base.copy()))
        found += [item for item in (arrays | mixed).items() if item[0][0] == change]
    return found


def _there(latent: Path, sample_set_id: str, by: dict[str, object]) -> bool:
    try:
        with open_latent(latent, sample_set_id=sample_set_id) as opened:
            return not differences(made_by(opened.sidecar), by)
    except IntegrityError:
        return False
