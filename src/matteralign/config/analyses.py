"""What the configuration may ask about several slices together: one class for each kind."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator

from matteralign.config.metrics import MetricRequest
from matteralign.config.slices import Models
from matteralign.config.strict import StrictSection

Need = Literal["scores", "lists", "latents", "predictions"]
"""What an analysis reads of a slice beside its structures: scores; neighbour lists with the
intrinsic dimensions; arrays of latents; predicted energies."""


Scored = Literal["pair", "model"]


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

    def requests(self) -> dict[str, tuple[Scored, list[MetricRequest]]]:
        """Return the metrics that it reads, of pairs or of models, by their key."""
        return {}


class PairedScores(AnalysisSection):
    """Scores of each pair of models in one slice against the same scores in another."""

    needs = ("scores",)
    version = 1

    kind: Literal["paired_scores"]
    scores: list[MetricRequest] = Field(
        min_length=1, description="metrics of a pair that both slices have, each with one k"
    )

    def requests(self) -> dict[str, tuple[Scored, list[MetricRequest]]]:
        """Return the metrics that it reads, of pairs or of models, by their key."""
        return {"scores": ("pair", self.scores)}


class Dimensions(AnalysisSection):
    """Intrinsic dimension over models, by slice and by kind of embedding."""

    needs = ("lists",)
    version = 1

    kind: Literal["dimensions"]
    estimates: list[MetricRequest] = Field(
        min_length=1, description="metrics of a model that all slices have"
    )

    def requests(self) -> dict[str, tuple[Scored, list[MetricRequest]]]:
        """Return the metrics that it reads, of pairs or of models, by their key."""
        return {"estimates": ("model", self.estimates)}


class Planes(AnalysisSection):
    """Planes of information imbalance, one for each slice, coloured by other scores."""

    needs = ("scores",)
    version = 1

    kind: Literal["planes"]
    plane: MetricRequest = Field(description="the information imbalance, with one k")
    colours: list[MetricRequest] = Field(
        min_length=1, description="similarities of a pair that colour its point"
    )
    border: float = Field(
        default=0.5, gt=0, lt=1, description="imbalance below which a corner of the plane counts"
    )

    @field_validator("plane")
    @classmethod
    def _is_imbalance(cls, asked: MetricRequest) -> MetricRequest:
        if asked.metric != "information_imbalance":
            raise ValueError(f"must be information_imbalance, found {asked.metric!r}")
        several = isinstance(asked.params.get("k"), list)
        if several:
            raise ValueError("needs one k; a plane is of one score")
        return asked

    def requests(self) -> dict[str, tuple[Scored, list[MetricRequest]]]:
        """Return the metrics that it reads, of pairs or of models, by their key."""
        return {"plane": ("pair", [self.plane]), "colours": ("pair", self.colours)}


class Maps(AnalysisSection):
    """Maps (UMAP) of each model's latents of all slices together, coloured by slice."""

    needs: ClassVar[tuple[Need, ...]] = ("latents",)
    version = 1

    kind: Literal["maps"]
    rows: int | None = Field(
        default=None, ge=8, description="take the first so many rows of each slice; null: all"
    )
    neighbors: int = Field(default=15, ge=2, description="neighbours of a row, itself not counted")
    min_dist: float = Field(
        default=0.1, ge=0, le=1, description="how closely points may lie together"
    )
    seed: int = Field(default=0, ge=0, description="of the layout")
    normalize: Literal["none", "row_max", "row_max_abs", "l2"] = Field(
        default="none",
        description="scaling of each row. Scalings by one number for a whole array change no map",
    )


class EnergyMaps(Maps):
    """Maps as `maps`, coloured by the error of each model's energies as well."""

    needs = ("latents", "predictions")

    kind: Literal["energy_maps"]  # type: ignore[assignment]


class Claims(AnalysisSection):
    """The study's claims, each tested under every choice that the slices offer."""

    needs = ("scores", "lists", "predictions")
    version = 1

    kind: Literal["claims"]


Analysis = Annotated[
    PairedScores | Dimensions | Planes | Maps | EnergyMaps | Claims, Field(discriminator="kind")
]
"""One analysis; its key `kind` says which."""
