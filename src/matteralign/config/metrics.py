"""What a configuration may say of metrics: for the whole study, and for one slice."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from matteralign.config.strict import StrictSection
from matteralign.core.scaling import SCALINGS, Scaling

_SCALINGS = "; ".join(f"{name}: {words}" for name, words in SCALINGS.items())


class MetricRequest(StrictSection):
    """One metric with its definition and parameters."""

    metric: str = Field(description="name of the metric, such as cknna")
    definition: str = Field(description="which definition of the metric")
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
        description="scaling of a latent before comparison. " + _SCALINGS + ". max changes "
        "nothing in a metric without a scale of its own (all but cknna huh2024); the study "
        "prints row_max",
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


class SliceMetrics(StrictSection):
    """Metrics of one slice; a list left out is the study's."""

    pair: list[MetricRequest] | None = Field(
        min_length=1, default=None, description="metrics of two models, instead of metrics.pair"
    )
    model: list[MetricRequest] | None = Field(
        default=None, description="metrics of one model, instead of metrics.model"
    )
