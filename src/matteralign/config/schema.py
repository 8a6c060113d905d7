"""Everything ``config.yaml`` may hold. Unknown keys are refused."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator

from matteralign.config.analyses import Analysis
from matteralign.config.datasets import DatasetSection
from matteralign.config.metrics import Metrics
from matteralign.config.slices import Slice
from matteralign.config.strict import Name, StrictSection
from matteralign.core.mirrors import parse_mirror
from matteralign.core.weights import Weights

RESERVED = (
    "all", "analyze", "embed", "environment", "fetch", "figures", "report", "sample", "score",
    "summarize", "tables", "take", "weights",
)  # fmt: skip
"""Targets that the workflow has of its own."""


class Tree(StrictSection):
    """The evolutionary tree of models."""

    alpha: float = Field(default=0.5, ge=0, le=1, description="weight of rows against columns")
    epsilon: float = Field(default=1e-6, gt=0, description="added before normalising")


class Prompts(StrictSection):
    """Files with the words of the study's prompts, which the paper prints (B.2, B.3)."""

    long: str | None = Field(default=None, description="the long system prompt")
    blank: str | None = Field(default=None, description="the system prompt of one sentence")
    atoms: str | None = Field(default=None, description="the words before an atomic structure")


class StudyConfig(StrictSection):
    """The whole configuration of a study."""

    include: list[str] = Field(
        default=[],
        description="further files, relative to this one, whose slices and analyses are added",
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
        description="trained: a model whose weights are not available stops the run; "
        "untrained-where-missing: an untrained network of its architecture runs instead, "
        "labelled so in every table, figure and report",
    )
    weights_lock: str | None = Field(
        default=None,
        description="file with the hashes of weights, written by `matteralign weights pin`; null: "
        "weights.lock.yaml beside this file, where it is",
    )
    prompts: Prompts = Field(
        default=Prompts(),
        description="files with the study's words for chat models; what is not named is looked for "
        "in the folder prompts of the cache, as long.txt, blank.txt and atoms.txt",
    )
    metrics: Metrics = Metrics()
    tree: Tree = Tree()
    datasets: dict[Name, DatasetSection] = Field(
        default={}, description="datasets of the user's own by name"
    )
    slices: dict[Name, Slice] = Field(default={}, description="slices by name")
    analyses: dict[Name, Analysis] = Field(
        default={}, description="questions about several slices together, by name"
    )

    @field_validator("mirrors")
    @classmethod
    def _mirrors_parse(cls, value: list[str]) -> list[str]:
        for mirror in value:
            parse_mirror(mirror)
        return value

    @field_validator("slices", "analyses")
    @classmethod
    def _not_reserved(cls, value: dict[str, Any]) -> dict[str, Any]:
        for name in value:
            if name in RESERVED:
                raise ValueError(f"{name!r} is a target of the workflow; choose another name")
        return value

    def metrics_of(self, name: str) -> Metrics:
        """Return what is computed on a slice: its own lists of metrics in place of the study's."""
        own = self.slices[name].metrics
        chosen = {kind: asked for kind, asked in own if asked is not None} if own else {}
        return self.metrics.model_copy(update=chosen)
