"""Requests for scores (MetricSpec) and their outcomes (Scored, PairScore)."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal

from matteralign.core.suggest import unknown
from matteralign.metrics.base.card import (
    DefinitionInfo,
    MetricInfo,
    NeighbourLists,
    Neighbours,
    ParamValue,
    Ranks,
)
from matteralign.metrics.base.errors import MetricSpecError, NotApplicable
from matteralign.metrics.base.registry import metric_info

Status = Literal["ok", "not_applicable", "failed"]


@dataclass(frozen=True)
class MetricSpec:
    """A metric, one of its definitions and all its parameters.

    Names and parameters are checked and defaults filled in on construction, so two specs
    that mean the same compare and hash equal.

    Parameters
    ----------
    metric : str
        Key of METRICS.
    definition : str, optional
        Empty for the metric's default definition.
    params : Mapping, optional
        Parameters that differ from their defaults.

    Raises
    ------
    MetricSpecError
        Unknown metric, definition or parameter (with the nearest match), or a value out
        of range.
    """

    metric: str
    definition: str = ""
    params: Mapping[str, ParamValue] = field(default_factory=dict)

    def __post_init__(self) -> None:
        info = metric_info(self.metric)
        name = self.definition or info.default_definition
        if name not in info.definitions:
            raise MetricSpecError(unknown(f"{self.metric} definition", name, info.definitions))
        known = info.definitions[name].params
        for key in self.params:
            if key not in known:
                raise MetricSpecError(unknown(f"{self.metric} parameter", key, known))
        full = {
            key: param.check(f"{self.metric} {key}", self.params.get(key, param.default))
            for key, param in sorted(known.items())
        }
        object.__setattr__(self, "definition", name)
        object.__setattr__(self, "params", MappingProxyType(full))

    @property
    def info(self) -> MetricInfo:
        """The metric's registry entry."""
        return metric_info(self.metric)

    @property
    def definition_info(self) -> DefinitionInfo:
        """The definition's registry entry."""
        return self.info.definitions[self.definition]

    @property
    def params_json(self) -> str:
        """Parameters as canonical JSON: sorted keys, no blanks, ``{}`` when none."""
        return json.dumps(dict(self.params), sort_keys=True, separators=(",", ":"))

    def integer(self, name: str) -> int:
        """Return integer parameter `name`."""
        return int(self.params[name])

    def neighbors_read(self, kind: Neighbours) -> int:
        """Return how many neighbours of this kind are read per row, 0 for none."""
        reads = self.definition_info.reads
        if not isinstance(reads, NeighbourLists | Ranks) or reads.kind != kind:
            return 0
        return reads.length if isinstance(reads.length, int) else self.integer(reads.length)

    def __hash__(self) -> int:
        return hash((self.metric, self.definition, self.params_json))

    def __reduce__(self) -> tuple[type[MetricSpec], tuple[str, str, dict[str, ParamValue]]]:
        return MetricSpec, (self.metric, self.definition, dict(self.params))

    def __str__(self) -> str:
        shown = ", ".join(f"{k}={v}" for k, v in self.params.items())
        return f"{self.metric}[{self.definition}]({shown})"


@dataclass(frozen=True)
class SweepPoint:
    """A score of the first `n` rows of the sample set that both embeddings have."""

    n: int
    value: float
    debiased: float | None = None


STATISTICS = (
    "debiased",
    "calibrated",
    "null_mean",
    "null_sd",
    "null_p",
    "ci_low",
    "ci_high",
    "debiased_low",
    "debiased_high",
)
"""Fields of `Scored` that calibrate its value."""

NUMBERS = ("value", *STATISTICS)


@dataclass(frozen=True)
class Scored:
    """One score or the reason why there is none.

    Attributes
    ----------
    value : float or None
        Finite when status is ``ok``, else None; never NaN.
    status : {"ok", "not_applicable", "failed"}
    reason : str
        Empty exactly when status is ``ok``.
    n : int
        Rows the score rests on.
    debiased : float or None
        Value with the finite-sample bias removed, where the definition has one; about 0 for
        independent data.
    calibrated : float or None
        What is left above the 95 % quantile of the null, as a share of the way from there to 1,
        see `stats.calibrated`; None for errors and where 1 is no upper end.
    null_mean, null_sd, null_p : float or None
        Mean (the finite-sample floor) and standard deviation under random pairing of the
        rows, and the one-sided p-value against it.
    ci_low, ci_high : float or None
        95 % interval of the value.
    debiased_low, debiased_high : float or None
        95 % interval of the debiased value.
    sweep : tuple of SweepPoint
        The value at growing sample sizes, where asked for.
    note : str
        What to know before the value is used; empty for nothing.
    replicates, debiased_replicates : tuple of float
        Both values without each block of rows in turn, evened so that their jackknife standard
        error is that of the interval (`stats.jackknife.evened`); empty where there are none.
    """

    value: float | None
    status: Status
    reason: str
    n: int
    debiased: float | None = None
    calibrated: float | None = None
    null_mean: float | None = None
    null_sd: float | None = None
    null_p: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    debiased_low: float | None = None
    debiased_high: float | None = None
    sweep: tuple[SweepPoint, ...] = ()
    note: str = ""
    replicates: tuple[float, ...] = field(default=(), compare=False, repr=False)
    debiased_replicates: tuple[float, ...] = field(default=(), compare=False, repr=False)

    def __post_init__(self) -> None:
        ok = self.status == "ok"
        if ok != (self.value is not None) or ok != (self.reason == ""):
            raise ValueError(f"a score has either a value or a reason: {self!r}")
        for name in NUMBERS:
            number = getattr(self, name)
            if number is not None and not math.isfinite(number):
                raise ValueError(f"{name} of a score must be finite: {self!r}")

    @classmethod
    def ok(cls, value: float, n: int, **statistics: Any) -> Scored:
        """Return a computed score; `statistics` are the further fields."""
        return cls(value=value, status="ok", reason="", n=n, **statistics)

    @classmethod
    def not_applicable(cls, reason: str, n: int) -> Scored:
        """Return the absence of a score with its reason."""
        return cls(value=None, status="not_applicable", reason=reason, n=n)

    def number(self) -> float:
        """Return the value, or raise NotApplicable with the reason why there is none."""
        if self.value is None:
            raise NotApplicable(self.reason)
        return self.value

    def swept(self, fewer: Iterable[Scored]) -> Scored:
        """Return the score with its sweep: its values on fewer rows, ascending, then its own."""
        if self.value is None:
            return self
        points = (
            SweepPoint(s.n, s.value, s.debiased) for s in (*fewer, self) if s.value is not None
        )
        return replace(self, sweep=tuple(points))


def interval_fields(
    found: tuple[float, float] | None, of: Literal["ci", "debiased"] = "ci"
) -> dict[str, float]:
    """Return an interval as fields of `Scored`, none where there is no interval."""
    return {} if found is None else {f"{of}_low": found[0], f"{of}_high": found[1]}


@dataclass(frozen=True)
class PairScore:
    """Score of the ordered pair (`a`, `b`) under `spec`."""

    a: str
    b: str
    spec: MetricSpec
    scored: Scored
