"""What the configuration may ask about several slices together: one class for each kind."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, field_validator

from matteralign.config.metrics import MetricRequest
from matteralign.config.slices import Models
from matteralign.config.strict import StrictSection

Need = Literal["scores", "lists", "latents", "predictions"]
"""What an analysis reads of a slice beside its structures: scores; neighbour lists with the
intrinsic dimensions; arrays of latents; predicted energies."""


class AnalysisSection(StrictSection):
    """What every kind of analysis has.

    Attributes
    ----------
    needs
        Results of the slices that it is made from.
    version
        Raised when its tables come out otherwise from the same results.
    """

    needs: ClassVar[tuple[Need, ...]]
    version: ClassVar[int]

    slices: list[str] = Field(min_length=1, description="names of slices, in order")
    models: Models = Field(
        default="all",
        description="keys of models, or which, by their cards, of those on the panels of the "
        "slices; all: every one",
    )

    @field_validator("slices")
    @classmethod
    def _named_once(cls, names: list[str]) -> list[str]:
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"names {', '.join(twice)} more than once")
        return names

    def requests(self) -> dict[str, list[MetricRequest]]:
        """Return the scores that it reads, by the key under which they stand."""
        return {}


class PairedScores(AnalysisSection):
    """Scores of each pair of models in one slice against the same scores in another."""

    needs = ("scores",)
    version = 1

    kind: Literal["paired_scores"]
    scores: list[MetricRequest] = Field(
        min_length=1, description="metrics of a pair that both slices have, each with one k"
    )

    def requests(self) -> dict[str, list[MetricRequest]]:
        """Return the scores that it reads, by the key under which they stand."""
        return {"scores": self.scores}


Analysis = PairedScores
"""One analysis; its key `kind` says which."""
