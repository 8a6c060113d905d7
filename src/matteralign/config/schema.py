"""Everything ``config.yaml`` may hold. Unknown keys are refused."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator

from matteralign.config.datasets import DatasetSection
from matteralign.config.slices import Slice
from matteralign.config.strict import Name, StrictSection
from matteralign.core.mirrors import parse_mirror
from matteralign.core.weights import Weights

Scaling = Literal["max", "l2", "none"]


class MetricRequest(StrictSection):
    """One metric with its definition and parameters."""

    metric: str = Field(description="name of the metric, such as cknna")
    definition: str = Field(description="which of the definitions in circulation")
    params: dict[str, int | float | str | bool | list[int]] = Field(
        default={},
        description="parameters such as k; what is left out takes the default. A list of k "
        "asks for one score for each",
    )
    normalize: Scaling | None = Field(
        default=None,
        description="scaling of a latent for this metric alone; left out, it is what the "
        "definition's source does (cknna huh2024: l2), else metrics.normalize",
    )


class Metrics(StrictSection):
    """What is computed for each pair of models and for each model."""

    normalize: Scaling = Field(
        default="max",
        description="scaling of a latent before comparison: largest element 1 (the study), "
        "unit rows, or none",
    )
    statistics: bool = Field(
        default=True,
        description="for every score of a pair a floor, a debiased value, a p-value and an "
        "interval, where its definition has them",
    )
    sweep: bool = Field(
        default=False,
        description="every score of a pair at growing sample sizes as well (sweep.parquet)",
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="cpu",
        description="what makes the tiles of the metrics: cpu, cuda (needs the extra gpu), or "
        "auto, cuda where torch sees one; scores agree within rounding",
    )
    memory_gb: float = Field(
        default=4.0,
        ge=0.001,
        allow_inf_nan=False,
        description="bound on the working memory of the metrics, in GiB",
    )
    pair: list[MetricRequest] = Field(
        min_length=1,
        default=[
            MetricRequest(metric="cknna", definition="huh2024", params={"k": 25}),
            MetricRequest(metric="cknna", definition="text", params={"k": 25}),
            MetricRequest(metric="dcor", definition="root"),
            MetricRequest(metric="dcor", definition="squared"),
            MetricRequest(metric="cka", definition="plain"),
            MetricRequest(metric="information_imbalance", definition="rank", params={"k": 1}),
        ],
        description="metrics of two models",
    )
    model: list[MetricRequest] = Field(
        default=[
            MetricRequest(metric="twonn", definition="fit", params={"fraction": 0.9}),
            MetricRequest(metric="mle", definition="levina_bickel", params={"k": 50}),
        ],
        description="metrics of one model: its intrinsic dimension",
    )


class Tree(StrictSection):
    """The evolutionary tree of models."""

    alpha: float = Field(default=0.5, ge=0, le=1, description="weight of rows against columns")
    epsilon: float = Field(default=1e-6, gt=0, description="added before normalising")


class StudyConfig(StrictSection):
    """The whole configuration of a study."""

    include: list[str] = Field(
        default=[], description="further files, relative to this one, whose slices are added"
    )
    results: str = Field(default="results", description="output folder, relative to the run")
    cards: list[str] = Field(default=[], description="further folders of model cards")
    mirrors: list[str] = Field(
        default=[],
        description="asked before a file's own sources: folders (absolute) or addresses (file://, "
        "http://, https://) with the same files below, or PREFIX=ADDRESS for those of one prefix",
    )
    weights: Weights = Field(
        default="trained",
        description="trained: a model whose weights cannot be had stops the run; "
        "untrained-where-missing: an untrained network of its architecture runs instead, "
        "labelled so in every table, figure and report",
    )
    metrics: Metrics = Metrics()
    tree: Tree = Tree()
    datasets: dict[Name, DatasetSection] = Field(
        default={}, description="datasets of the user's own by name"
    )
    slices: dict[Name, Slice] = Field(default={}, description="slices by name")

    @field_validator("mirrors")
    @classmethod
    def _mirrors_parse(cls, value: list[str]) -> list[str]:
        for mirror in value:
            parse_mirror(mirror)
        return value

    def digest_of(self, *parts: str) -> dict[str, Any]:
        """Return the named sections as plain values, for hashing and for rule parameters."""
        dump = self.model_dump(mode="json")
        return {part: dump[part] for part in parts}
