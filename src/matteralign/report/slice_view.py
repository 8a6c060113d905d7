"""Everything that tables, figures and the report show of one slice, read once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from matteralign.core.errors import IntegrityError
from matteralign.findings.replicates.matrices import with_replicates
from matteralign.registry.card import ModelCard
from matteralign.report.analysis.energies import SliceEnergies
from matteralign.report.analysis.tables import ModelFacts, build_tables, facts_of, told_apart
from matteralign.report.slice_findings import findings_tables
from matteralign.report.slice_findings.results import SliceResults
from matteralign.stages.assemble import check_dimensions, check_scores
from matteralign.stages.study.layout import Layout
from matteralign.stages.study.lists import read_summary
from matteralign.stages.study.measure import Measure
from matteralign.stages.study.standing import Standing, check_weights, energies_made_by
from matteralign.stages.study.study import Study
from matteralign.store.latents import read_sidecar
from matteralign.store.predictions import read_energies
from matteralign.store.replicates import read_replicates
from matteralign.store.structures import read_compositions, read_header
from matteralign.store.tidy import DIMENSIONS, SCORES, SWEEP, read_frame, read_made_of


@dataclass(frozen=True)
class SliceView:
    """A finished slice.

    Attributes
    ----------
    study, layout
        The study and where the slice's files lie.
    models
        Keys of the panel that are read; None: all. Scores are those of the whole panel.
    """

    study: Study
    layout: Layout
    models: frozenset[str] | None = None

    @cached_property
    def cards(self) -> list[ModelCard]:
        """Cards of the models that are read, lowest index first."""
        panel = self.study.panel(self.layout.slice)
        return [card for card in panel if self.models is None or card.key in self.models]

    @cached_property
    def keys(self) -> list[str]:
        """Keys of the models that are read, lowest index first."""
        return [card.key for card in self.cards]

    @property
    def pair_measures(self) -> tuple[Measure, ...]:
        """The metrics of each pair."""
        return self.study.pair_measures(self.layout.slice)

    @property
    def model_measures(self) -> tuple[Measure, ...]:
        """The metrics of each model."""
        return self.study.model_measures(self.layout.slice)

    @cached_property
    def facts(self) -> list[ModelFacts]:
        """What is shown about each model."""
        return told_apart([facts_of(card, self.sidecars[card.key]) for card in self.cards])

    @cached_property
    def identity(self) -> str:
        """Hash of everything that is shown: results, names and settings."""
        return Standing(self.study, self.layout).shown

    @cached_property
    def scores(self) -> pd.DataFrame:
        """The scores, checked to be those of the latents and measures of today."""
        frame = read_frame(self.layout.scores, SCORES)
        self._check(frame, self.layout.scores)
        return frame

    def _check(self, frame: pd.DataFrame, where: Path) -> None:
        check_scores(
            frame.to_dict("records"),
            where,
            sample_set_id=str(self.sidecars[self.keys[0]]["sample_set_id"]),
            latents={key: str(side["sha256"]) for key, side in self.sidecars.items()},
            measures=self.pair_measures,
        )

    @cached_property
    def replicates(self) -> pd.DataFrame:
        """The scores and what they are without each block of rows, checked like the scores."""
        where = self.layout.replicates
        found = read_replicates(where)
        self._check(found, where)
        if read_made_of(where) != read_made_of(self.layout.scores):
            raise IntegrityError(f"{where}: not of {self.layout.scores}; score this slice again")
        return with_replicates(self.scores, found)

    @cached_property
    def sweep(self) -> pd.DataFrame | None:
        """Scores at growing sample sizes, where the study asks for them."""
        if not self.study.config.metrics.sweep:
            return None
        return read_frame(self.layout.sweep, SWEEP)

    @cached_property
    def sidecars(self) -> Mapping[str, Mapping[str, Any]]:
        """Latent sidecars by model, checked to be of the weights of card or lock."""
        found = {}
        for card in self.cards:
            where = self.layout.latent(card.key)
            found[card.key] = read_sidecar(where)
            check_weights(card, found[card.key], where)
        return found

    @cached_property
    def neighbor_sidecars(self) -> Mapping[str, Mapping[str, Any]]:
        """Sidecars of the neighbour lists by model, checked to be of the latents of today."""
        return {
            key: read_summary(
                self.layout,
                key,
                latent_sha256=str(self.sidecars[key]["sha256"]),
                needed=("scalings", "intrinsic"),
            )
            for key in self.keys
        }

    @cached_property
    def dimensions(self) -> pd.DataFrame:
        """Intrinsic dimensions, tidy, checked to be those of the latents and measures of today."""
        rows = []
        for key, side in self.neighbor_sidecars.items():
            where = self.layout.neighbors(key)
            _require_columns(side["intrinsic"], where)
            check_dimensions(side["intrinsic"], where, measures=self.model_measures)
            rows += side["intrinsic"]
        frame = pd.DataFrame.from_records(rows, columns=DIMENSIONS.names)
        frame["weights"] = frame["model"].map({f.model: f.weights for f in self.facts})
        return frame.astype({"value": float, "ci_low": float, "ci_high": float})

    @cached_property
    def energies(self) -> SliceEnergies:
        """Energies of DFT and of each model, checked to be made with the latents of today."""
        structures = read_compositions(self.layout.structures)
        predicted = {
            key: read_energies(
                self.layout.predictions(key), structures.ids, energies_made_by(sidecar)
            )
            for key, sidecar in self.sidecars.items()
        }
        info = read_header(self.layout.structures).info
        cards = self.study.panel(self.layout.slice)
        return SliceEnergies(
            structures,
            predicted,
            level_of_theory=info.get("level_of_theory", ""),
            functional_notes={card.key: card.functional_note or "" for card in cards},
        )

    @cached_property
    def tables(self) -> dict[str, pd.DataFrame]:
        """Every table of the slice by file stem."""
        return self.score_tables | findings_tables(self.results)

    @cached_property
    def score_tables(self) -> dict[str, pd.DataFrame]:
        """The tables beside the findings, which take long: figures and page need these alone."""
        return build_tables(self.scores, self.dimensions, self.sidecars, self.facts)

    @cached_property
    def results(self) -> SliceResults:
        """What the findings of the slice are made of."""
        specs = [(m.spec.metric, m.spec.definition, m.params) for m in self.pair_measures]
        dataset = self.study.slice(self.layout.slice).dataset
        measure, best = self.study.convergence(self.layout.slice)
        known = dict(zip(self.pair_measures, specs, strict=True))
        compared = None if measure is None else known[measure]
        return SliceResults(
            dataset,
            self.facts,
            self.scores,
            specs,
            self.energies,
            (compared, best),
            self.replicates,
        )


def _require_columns(rows: Any, where: Path) -> None:
    needed = set(DIMENSIONS.names) - {"weights"}  # that is the latents' to say
    if not isinstance(rows, list):
        rows = [None]
    for row in rows:
        missing = sorted(needed - set(row)) if isinstance(row, dict) else ["its columns"]
        if missing:
            raise IntegrityError(
                f"{where.with_suffix('.json')}: a dimension lacks {', '.join(missing)}; "
                "summarize this model again"
            )
