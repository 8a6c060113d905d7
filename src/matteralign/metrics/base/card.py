"""The card of a metric: every fact about it that another module needs, in one place."""

from __future__ import annotations

import importlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from matteralign.core.scaling import Scaling
from matteralign.core.suggest import unknown
from matteralign.metrics.base.errors import MetricSpecError

ParamValue = int | float | str

Neighbours = Literal["euclid", "inner"]
"""What makes a row a near neighbour: a small distance, or a large inner product."""


@dataclass(frozen=True)
class ParamInfo:
    """One parameter of a definition: its default and what it may be.

    Attributes
    ----------
    default : int, float or str
        Value taken when the parameter is not given.
    low, high : float, optional
        Inclusive bounds of an integer, exclusive bounds of a float.
    choices : tuple of str
        Allowed values of a string parameter.
    """

    default: ParamValue
    low: float = -math.inf
    high: float = math.inf
    choices: tuple[str, ...] = ()

    def check(self, where: str, value: object) -> ParamValue:
        """Return `value` as this parameter's type, or raise MetricSpecError."""
        if isinstance(self.default, str):
            if not isinstance(value, str):
                raise MetricSpecError(f"{where} must be a string, got {value!r}")
            if value not in self.choices:
                raise MetricSpecError(unknown(where, value, self.choices))
            return value
        if isinstance(value, bool) or not hasattr(value, "__float__"):
            raise MetricSpecError(f"{where} must be a number, got {value!r}")
        number = float(value)
        if isinstance(self.default, int):
            if not number.is_integer() or not self.low <= number <= self.high:
                raise MetricSpecError(f"{where} must be an integer >= {self.low:g}, got {value!r}")
            return int(number)
        if not self.low < number < self.high:
            raise MetricSpecError(
                f"{where} must lie between {self.low:g} and {self.high:g} (exclusive), "
                f"got {value!r}"
            )
        return number


@dataclass(frozen=True)
class NeighbourLists:
    """Reads lists of the nearest neighbours of every row.

    Attributes
    ----------
    kind : {"euclid", "inner"}
    length : str or int
        Neighbours per row: the parameter that says how many, or their number.
    entries : bool
        Reads the kernel's entries at these neighbours too.
    """

    kind: Neighbours
    length: str | int = "k"
    entries: bool = False


@dataclass(frozen=True)
class Ranks:
    """Reads the ranks in one embedding of the nearest neighbours in the other.

    Attributes
    ----------
    length : str or int
        Neighbours per row, by distance, as in `NeighbourLists`.
    """

    kind: Neighbours = field(default="euclid", init=False)
    length: str | int = "k"


@dataclass(frozen=True)
class Sums:
    """Reads sums over a symmetric n x n matrix of each embedding, of the one pass over tiles.

    Attributes
    ----------
    matrix : {"distances", "kernels"}
    """

    matrix: Literal["distances", "kernels"]


@dataclass(frozen=True)
class Rows:
    """Reads whole arrays of the rows that both embeddings have.

    Attributes
    ----------
    split : bool
        Fits on one half of the rows and is scored, and counted, on the other. A row that
        repeats an earlier one in both embeddings is then left out.
    """

    split: bool = False


Reads = NeighbourLists | Ranks | Sums | Rows


@dataclass(frozen=True)
class Citation:
    """One reference: what for, text, link (shown, never loaded)."""

    use: str
    text: str
    url: str


@dataclass(frozen=True)
class DefinitionInfo:
    """One named definition of a metric, with the properties it claims.

    Attributes
    ----------
    name, summary, source : str
        Name used in configs and tables, one-line formula, where it comes from.
    symmetric : bool
        Whether value(a, b) == value(b, a).
    value_range : tuple of float
        Smallest and largest value that can occur.
    identical : float or None
        Value for two identical embeddings, where it does not depend on the data.
    invariances : frozenset of str
        Among ``rotation``, ``scale`` (isotropic), ``translation``, ``permutation`` (of rows).
    min_n : int
        Fewest rows that give a value.
    reads : NeighbourLists, Ranks, Sums or Rows
        What it is computed from.
    code : str
        ``module:function`` within `matteralign.metrics`, loaded when it is first needed; what
        the function takes and returns follows from `reads`, see docs/adding-a-metric.md.
    params : Mapping
        Parameter name to ParamInfo.
    words : str
        A few words on the definition for captions.
    identical_words : str
        Value for two identical embeddings where `identical` is None.
    scaling : str or None
        Scaling of latents that its source prescribes.
    unstable_above_half : bool
        Whether it has no stable value where k is more than half of the rows.
    above_one : str
        What a value above 1 means where values have no bounds.
    debiased_words : str
        What to know before its debiased values are read.
    """

    name: str
    summary: str
    source: str
    symmetric: bool
    value_range: tuple[float, float]
    identical: float | None
    invariances: frozenset[str]
    min_n: int
    reads: Reads
    code: str
    params: Mapping[str, ParamInfo] = field(default_factory=dict)
    words: str = ""
    identical_words: str = ""
    scaling: Scaling | None = None
    unstable_above_half: bool = False
    above_one: str = ""
    debiased_words: str = ""

    def load(self) -> Any:
        """Return the function that computes it."""
        module, _, function = self.code.partition(":")
        return getattr(importlib.import_module(f"matteralign.metrics.{module}"), function)


@dataclass(frozen=True)
class MetricInfo:
    """One metric: its kind, names, cost, version, figure and definitions.

    Attributes
    ----------
    name : str
    kind : {"pair", "model"}
        Whether it scores a pair of embeddings, or is an intrinsic dimension of one.
    version : int
        Raised when a value could change for the same input.
    cost : str
    display_name, short_name : str
        Name in figures and tables, and where there is little room.
    citation : Citation
        What a report cites for it.
    figure : {"heat map", "plane", "bars"} or None
        What a report draws of its values.
    definitions : Mapping
        Definition name to DefinitionInfo; the first is the default.
    larger_is_closer : bool
        Whether a larger value of a pair says that it is more alike, and not less.
    direction : str
        What the score of the ordered pair (a, b) is, where the other way round is another
        question; empty where it is not.
    no_better : float or None
        What an error is where the first embedding says nothing of the second, so that more is
        no worse; None for similarities.
    diagonal : float or None
        What a matrix of scores holds for a model with itself; None leaves it empty.
    no_figure : str
        Why there is none, where `figure` is None.
    function : str
        ``module:function`` of the public function on two arrays, offered by
        `matteralign.metrics` under the function's name.
    """

    name: str
    kind: Literal["pair", "model"]
    version: int
    cost: str
    display_name: str
    short_name: str
    citation: Citation
    figure: Literal["heat map", "plane", "bars"] | None
    definitions: Mapping[str, DefinitionInfo]
    larger_is_closer: bool = True
    direction: str = ""
    no_better: float | None = None
    diagonal: float | None = None
    no_figure: str = ""
    function: str = ""

    @property
    def default_definition(self) -> str:
        """Definition used when none is named."""
        return next(iter(self.definitions))

    @property
    def symmetric(self) -> bool:
        """Whether every definition is symmetric; see DefinitionInfo for each."""
        return all(d.symmetric for d in self.definitions.values())

    @property
    def directional(self) -> bool:
        """Whether a->b and b->a answer different questions, so that both are to be shown."""
        return bool(self.direction)

    @property
    def value_range(self) -> tuple[float, float]:
        """Range that covers all definitions."""
        ranges = [d.value_range for d in self.definitions.values()]
        return min(r[0] for r in ranges), max(r[1] for r in ranges)

    @property
    def invariances(self) -> frozenset[str]:
        """Invariances that all definitions share."""
        return frozenset.intersection(*(d.invariances for d in self.definitions.values()))

    @property
    def source(self) -> str:
        """Sources of the definitions."""
        return "; ".join(dict.fromkeys(d.source for d in self.definitions.values()))
