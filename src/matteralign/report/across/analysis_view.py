"""Everything that an analysis reads of its slices, read once, and what it found."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from matteralign.config.analyses import Analysis, AnalysisSection
from matteralign.core.errors import IntegrityError
from matteralign.report.analysis.calibration import once_per_pair
from matteralign.report.analysis.matrices import ScoreMatrix, score_matrix, select_scores
from matteralign.report.analysis.tables import models_table
from matteralign.report.slice_findings.results import Drawing
from matteralign.report.slice_view import SliceView
from matteralign.stages.study.across import analysis_made_of
from matteralign.stages.study.layout import AnalysisLayout
from matteralign.stages.study.measure import Measure
from matteralign.stages.study.standing import require_today
from matteralign.stages.study.study import Study
from matteralign.store.tidy import STATISTICS

Section = TypeVar("Section", bound=AnalysisSection)


@dataclass(frozen=True)
class Missing:
    """Something that an analysis asks for and does not have.

    Attributes
    ----------
    slice
        Where; "" for all of them.
    model_a, model_b
        Of which models; "" where it is of one only, or of none in particular.
    what
        What is missing, such as a score.
    status
        ``absent``, ``not_applicable`` or ``failed``.
    reason
        Why.
    """

    slice: str
    model_a: str
    model_b: str
    what: str
    status: str
    reason: str


@dataclass
class Findings:
    """What an analysis found: tables by file stem, figures, and what is missing."""

    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    drawings: list[Drawing] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)

    def missing_table(self) -> pd.DataFrame:
        """Return what is missing, one row each, with the fields of `Missing`."""
        columns = list(Missing.__dataclass_fields__)
        return pd.DataFrame([asdict(row) for row in self.missing], columns=columns, dtype=object)


@dataclass(frozen=True)
class AnalysisView:
    """An analysis and the finished slices that it reads.

    Attributes
    ----------
    study, layout
        The study and where the files of the analysis lie.
    threads
        How many threads it may use.
    say
        Called with a line of progress.
    """

    study: Study
    layout: AnalysisLayout
    threads: int = 1
    say: Callable[[str], None] = lambda _: None

    @property
    def asked(self) -> Analysis:
        """The section of the configuration."""
        return self.study.analysis(self.layout.analysis)

    def section(self, kind: type[Section]) -> Section:
        """Return the section of the configuration as the class of its kind."""
        asked = self.asked
        if not isinstance(asked, kind):
            raise TypeError(f"{self.layout.analysis} is of kind {asked.kind}")
        return asked

    @cached_property
    def slices(self) -> Mapping[str, SliceView]:
        """The slices by name, each checked to be of today's configuration."""
        found = {}
        # A table of scores is of a whole panel; else the models of the analysis are enough.
        read = None if "scores" in self.asked.needs else frozenset(self.models)
        for name in self.asked.slices:
            place = self.layout.slice(name)
            require_today(self.study, place, read)
            found[name] = SliceView(self.study, place, read)
        return found

    @cached_property
    def models(self) -> list[str]:
        """The models that are asked for, lowest index first."""
        return self.study.analysis_models(self.layout.analysis)

    def models_in(self, slice_name: str) -> list[str]:
        """Return the models that are on the panel of a slice."""
        there = set(self.slices[slice_name].keys)
        return [key for key in self.models if key in there]

    def measures(self, key: str) -> tuple[Measure, ...]:
        """Return the scores under a key of the section."""
        return self.study.analysis_measures(self.layout.analysis, key)

    def made_of(self) -> dict[str, object]:
        """Return what the analysis is made from; see `analysis_made_of`.

        Raises
        ------
        IntegrityError
            If a slice is not finished as far as the analysis needs it.
        """
        try:
            return analysis_made_of(self.study, self.layout)
        except FileNotFoundError as error:
            raise IntegrityError(
                f"{error.filename}: file is missing; run `matteralign run {self.layout.analysis}`"
            ) from error

    def dataset(self, slice_name: str) -> str:
        """Return the dataset of a slice."""
        return self.study.slice(slice_name).dataset

    @cached_property
    def facts(self) -> pd.DataFrame:
        """What is shown of each model, one row per slice and model.

        Columns: slice, dataset, those of `models_table`.
        """
        parts = []
        for name, view in self.slices.items():
            there = self.models_in(name)
            table = models_table(fact for fact in view.facts if fact.model in there)
            table.insert(0, "slice", name)
            table.insert(1, "dataset", self.dataset(name))
            parts.append(table)
        return pd.concat(parts, ignore_index=True)

    def scores(self, slice_name: str, measure: Measure) -> pd.DataFrame:
        """Return one score of a slice, its models those of the analysis.

        One row per pair, of a metric with a direction one per direction. Where the two
        directions of a similarity differ, the mean of both; too far apart, no value. Rows
        without a value are among them. The column `replicates` has the value without each
        block of structures, an array or None.
        """
        spec, models = measure.spec, self.models_in(slice_name)
        score = spec.metric, spec.definition, measure.params
        rows = select_scores(self.slices[slice_name].replicates, *score)
        once = once_per_pair(rows, models).reset_index(drop=True)
        if spec.info.directional or spec.definition_info.symmetric:
            return once
        matrix = score_matrix(self.slices[slice_name].scores, *score, models)
        return _mean_of_directions(once, matrix, models)

    def not_on_panels(self) -> Iterator[Missing]:
        """Yield the models that a slice does not have, each with the reason."""
        for name in self.slices:
            there = self.models_in(name)
            why = {choice.card.key: choice.reason for choice in self.study.choices(name)}
            for key in self.models:
                if key not in there:
                    reason = f"not on the panel of the slice: {why.get(key)}"
                    yield Missing(name, key, "", "model", "absent", reason)


def one_per_model(facts: pd.DataFrame) -> pd.DataFrame:
    """Return one row per model, as the figures label them.

    A model that ran untrained in any slice is labelled untrained.

    Parameters
    ----------
    facts
        See `AnalysisView.facts`.
    """
    untrained = set(facts.loc[facts["weights"] == "untrained", "model"])
    out = facts.drop_duplicates("model").copy()
    out.loc[out["model"].isin(untrained), "weights"] = "untrained"
    return out.reset_index(drop=True)


def _mean(
    one: npt.NDArray[np.float32] | None, other: npt.NDArray[np.float32] | None
) -> npt.NDArray[np.float64] | None:
    if one is None or other is None:
        return None
    return (np.asarray(one, np.float64) + np.asarray(other, np.float64)) / 2.0


def _mean_of_directions(
    rows: pd.DataFrame, matrix: ScoreMatrix, models: Sequence[str]
) -> pd.DataFrame:
    place = {model: i for i, model in enumerate(models)}
    forward = rows["model_a"].map(place) < rows["model_b"].map(place)
    pair = ["model_a", "model_b"]
    one = rows[forward].set_index(pair)
    back = rows[~forward].rename(columns={"model_a": "model_b", "model_b": "model_a"})
    back = back.set_index(pair).reindex(one.index)
    numbers = [name for name in ("value", *STATISTICS) if name in one]
    out = one.copy()
    out[numbers] = (one[numbers].astype(float) + back[numbers].astype(float)) / 2.0
    both = zip(one["replicates"], back["replicates"], strict=True)
    out["replicates"] = pd.Series([_mean(*pair) for pair in both], out.index, dtype=object)
    for a, b, status, reason in matrix.missing.itertuples(index=False, name=None):
        if (a, b) in out.index:
            out.loc[(a, b), ["value", "status", "reason"]] = [float("nan"), status, reason]
    return out.reset_index()[list(rows.columns)]


def no_score(rows: pd.DataFrame, slice_name: str, what: str) -> Iterator[Missing]:
    """Yield the rows of a score table that have no value."""
    lacking = rows[rows["status"] != "ok"]
    names = ["model_a", "model_b", "status", "reason"]
    for a, b, status, reason in lacking[names].itertuples(index=False, name=None):
        yield Missing(slice_name, a, b, what, status, reason)
