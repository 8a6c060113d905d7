"""What a slice may say: how many rows of which dataset, which of them, which models."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    Discriminator,
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    Tag,
    field_validator,
    model_serializer,
    model_validator,
)

from matteralign.config.metrics import MetricRequest, SliceMetrics
from matteralign.config.strict import StrictSection
from matteralign.core.patterns import SYMBOL
from matteralign.core.suggest import unknown
from matteralign.core.weights import Weights

Symbol = Annotated[str, StringConstraints(pattern=SYMBOL)]


class Between(StrictSection):
    """A range of whole numbers, both ends included; an end left out is open."""

    least: int = Field(default=0, ge=0)
    most: int | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _not_empty(self) -> Between:
        if self.most is not None and self.most < self.least:
            raise ValueError(f"most is {self.most}, below least, {self.least}")
        return self

    def holds(self, number: int) -> bool:
        """Return whether a number lies in the range."""
        return self.least <= number and (self.most is None or number <= self.most)


class Elements(StrictSection):
    """Which elements a structure may have."""

    only: list[Symbol] = Field(default=[], description="no element but these")
    without: list[Symbol] = Field(default=[], description="none of these")

    @field_validator("only", "without")
    @classmethod
    def _exist(cls, symbols: list[str]) -> list[str]:
        for symbol in symbols:
            atomic_number(symbol)
        return symbols

    def only_numbers(self) -> frozenset[int]:
        """Return the atomic numbers of `only`."""
        return frozenset(map(atomic_number, self.only))

    def without_numbers(self) -> frozenset[int]:
        """Return the atomic numbers of `without`."""
        return frozenset(map(atomic_number, self.without))


class Filters(StrictSection):
    """Which rows of the dataset may be drawn; a row must pass every filter that is set."""

    elements: Elements = Elements()
    atoms: Between | None = Field(default=None, description="number of atoms")
    residues: Between | None = Field(
        default=None, description="residues of the protein chain; a row without one is dropped"
    )
    split: list[str] = Field(default=[], description="one of these splits of the dataset")
    charge: list[int] = Field(default=[], description="one of these total charges, in e")
    spin: list[Annotated[int, Field(ge=1)]] = Field(
        default=[], description="one of these spin multiplicities 2S+1"
    )


class Selection(StrictSection):
    """Models by what their cards say, by their keys, or both.

    With conditions, the panel is the union of two sets: the models that meet every condition
    and can read what the dataset offers, and those of `keys`. With `keys` alone it is those of
    `keys`; with neither it is all that can read the dataset. `exclude` takes away at the end.
    """

    study: bool | None = Field(
        default=None, description="true: rows of the study's Table 1; false: the others"
    )
    family: list[str] = []
    modality: list[str] = []
    embedding: list[str] = []
    environment: list[str] = []
    group: list[str] = Field(default=[], description="architecture group, such as Orb V3")
    functional: list[str] = Field(
        default=[], description="level of theory learnt, such as PBE_MP; none: it learnt none"
    )
    training: list[str] = Field(default=[], description="trained on one of these datasets")
    keys: list[str] = Field(
        default=[],
        description="models that are on the panel whatever the dataset says: these alone, or "
        "these as well as the models that meet the conditions",
    )
    exclude: list[str] = Field(default=[], description="keys of models that are left out")

    @model_validator(mode="after")
    def _in_or_out(self) -> Selection:
        both = sorted(set(self.keys) & set(self.exclude))
        if both:
            raise ValueError(f"{', '.join(both)}: under keys and under exclude; choose one")
        return self

    @model_validator(mode="before")
    @classmethod
    def _no_empty_condition(cls, given: Any) -> Any:
        if isinstance(given, dict):
            for name, value in given.items():
                if value == [] and name != "exclude":
                    raise ValueError(f"{name} is an empty list; name values, or take it away")
        return given

    @model_serializer(mode="wrap")
    def _conditions_that_are_set(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # A list that nobody wrote is empty, and one that is written empty is refused: what is
        # written down must read back.
        return {name: value for name, value in dump(self).items() if value not in ([], None)}

    @property
    def keys_alone(self) -> bool:
        """Whether nothing but `keys` says who is on the panel."""
        return bool(self.keys) and not self.model_dump(exclude={"keys", "exclude"})


# Tags choose what a value is checked as, so that a mistake is told once and not per alternative.
def _kind_of_panel(value: Any) -> str | None:
    if isinstance(value, dict | Selection):
        return "selection"
    return "keys" if isinstance(value, list) else "word" if value == "all" else None


def _kind_of_rows(value: Any) -> str | None:
    return "word" if value == "all" else "number" if isinstance(value, int | float) else None


Panel = Annotated[
    Annotated[Literal["all"], Tag("word")]
    | Annotated[list[str], Field(min_length=2), Tag("keys")]
    | Annotated[Selection, Tag("selection")],
    Discriminator(
        _kind_of_panel,
        custom_error_type="panel",
        custom_error_message="must be a list of keys, a selection such as {family: [mace]}, or all",
    ),
]
Models = Annotated[
    Annotated[Literal["all"], Tag("word")]
    | Annotated[list[str], Field(min_length=1), Tag("keys")]
    | Annotated[Selection, Tag("selection")],
    Discriminator(
        _kind_of_panel,
        custom_error_type="models",
        custom_error_message="must be a list of keys, a selection such as {family: [mace]}, or all",
    ),
]
Rows = Annotated[
    Annotated[int, Field(ge=2), Tag("number")] | Annotated[Literal["all"], Tag("word")],
    Discriminator(
        _kind_of_rows,
        custom_error_type="rows",
        custom_error_message="must be a whole number of at least 2, or all",
    ),
]


class Convergence(StrictSection):
    """Which score is compared with the errors of energies, and with which model."""

    score: MetricRequest = Field(description="one of the slice's metrics of two models")
    best: str | None = Field(
        default=None,
        description="key of the model that the others are compared with; null: the one with the "
        "smallest error of energies",
    )


class Slice(StrictSection):
    """A named, seeded sample of a dataset with its panel of models: the unit a user reruns."""

    dataset: str = Field(description="name of a dataset, such as qm9, or of one under `datasets`")
    n: Rows = Field(description="number of structures; all: every one that passes the filters")
    seed: int = Field(ge=0, description="with the row ids, decides the draw")
    filters: Filters = Field(default=Filters(), description="which rows may be drawn")
    stratify: Literal["atoms", "composition", "split"] | None = Field(
        default=None,
        description="each group of rows (same number of atoms, same set of elements, same split) "
        "gets its share of the draw; every row of the dataset is read for it",
    )
    panel: Panel = Field(
        description="keys of the models compared, each of which must be able to read the "
        "dataset; or which, by their cards; or all that apply"
    )
    min_coverage: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="share of the dataset's elements that a model must know to be selected, and "
        "share of the rows below which its coverage is pointed out",
    )
    weights: Weights | None = Field(
        default=None, description="overrides the study's choice of weights for this slice"
    )
    metrics: SliceMetrics | None = Field(
        default=None, description="overrides the study's lists of metrics for this slice"
    )
    convergence: Convergence | None = Field(
        default=None,
        description="whether models with smaller errors of energies agree more with the best; "
        "null: by the first cknna of the slice, or else its first dcor",
    )

    @model_validator(mode="after")
    def _no_repeats(self) -> Slice:
        if isinstance(self.panel, list):
            repeated = {key for key in self.panel if self.panel.count(key) > 1}
            if repeated:
                raise ValueError(f"panel names {', '.join(sorted(repeated))} more than once")
        return self


def atomic_number(symbol: str) -> int:
    """Return the atomic number of an element.

    Raises
    ------
    ValueError
        If there is no such element.
    """
    from ase.data import atomic_numbers  # a configuration without elements does without ASE

    if symbol not in atomic_numbers or not atomic_numbers[symbol]:
        raise ValueError(unknown("element", symbol, [s for s, z in atomic_numbers.items() if z]))
    return int(atomic_numbers[symbol])
