"""What the findings of a slice are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure

from matteralign.findings.replicates.matrices import ScoreMatrix as Replicated
from matteralign.report.analysis.energies import SliceEnergies
from matteralign.report.analysis.matrices import ScoreMatrix, both_ways, score_matrix
from matteralign.report.analysis.tables import ModelFacts, models_table, score_specs
from matteralign.report.figures.style import ModelLabel, labels_of


@dataclass(frozen=True)
class Drawing:
    """One figure before it is rendered."""

    stem: str
    title: str
    caption: str
    figure: Figure


@dataclass(frozen=True)
class SliceResults:
    """Scores and facts of one slice.

    Attributes
    ----------
    dataset
        Name of the dataset.
    facts
        Models of the panel, in order.
    scores
        Tidy score table.
    specs
        The pair metrics of the slice (metric, definition, params), in the order of the
        configuration.
    energies
        Energies of DFT and of the models; None where they were not read.
    convergence
        The score that is compared with errors of energies (None: there is none), and the model
        that the others are compared with (None: the best).
    replicates
        The scores with what they are without each block of structures, see
        `matteralign.findings.replicates.matrices.with_replicates`; None where they were not read.
    """

    dataset: str
    facts: Sequence[ModelFacts]
    scores: pd.DataFrame
    specs: Sequence[tuple[str, str, str]]
    energies: SliceEnergies | None = None
    convergence: tuple[tuple[str, str, str] | None, str | None] = (None, None)
    replicates: pd.DataFrame | None = None

    @cached_property
    def models(self) -> pd.DataFrame:
        """The table of models."""
        return models_table(self.facts)

    @cached_property
    def labels(self) -> dict[str, ModelLabel]:
        """How each model is shown."""
        return labels_of(self.models)

    @property
    def keys(self) -> list[str]:
        """Models of the panel, in order."""
        return [fact.model for fact in self.facts]

    @property
    def baselines(self) -> list[str]:
        """Random baselines among them."""
        return [fact.model for fact in self.facts if fact.baseline]

    def of_metric(self, *names: str) -> list[tuple[str, str, str]]:
        """Return the scores of some metrics, in the order of the configuration."""
        there = set(score_specs(self.scores))
        return [spec for spec in self.specs if spec[0] in names and spec in there]

    def matrix(self, spec: tuple[str, str, str], column: str = "value") -> ScoreMatrix:
        """Return one score as a matrix of all models of the panel."""
        return score_matrix(
            self.scores, *spec, self.keys, column="debiased" if column == "debiased" else "value"
        )

    def without_blocks(self, spec: tuple[str, str, str]) -> npt.NDArray[np.float64] | None:
        """Return one score without each block of structures, shape (m, m, B).

        The mean of both directions, models as in `keys`; None where there are no replicates.
        """
        rows = self.replicates
        if rows is None:
            return None
        same = rows[(rows[["metric", "definition", "params"]] == list(spec)).all(axis=1)]
        found = Replicated.of(same, self.keys).undirected().replicates
        return found if found.size else None

    def symmetric(self, spec: tuple[str, str, str], column: str = "value") -> pd.DataFrame:
        """Return one score, the mean of both directions, without the baselines."""
        kept = [key for key in self.keys if key not in self.baselines]
        return both_ways(self.matrix(spec, column).values).loc[kept, kept]
