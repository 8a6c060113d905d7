"""The dataset card: one YAML file per dataset, checked field by field."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, field_validator, model_validator

from matteralign.core.patterns import NAME
from matteralign.registry.elements import ElementRanges
from matteralign.registry.pinned import PinnedFile, Strict
from matteralign.sources.wanted import Wanted

Name = Annotated[str, StringConstraints(pattern=NAME)]
SEPARATOR = "@"

EV: dict[str, float] = {"eV": 1.0, "hartree": 27.211386245988}
"""One unit of energy in eV; the hartree is that of CODATA 2018."""


class DatasetFile(PinnedFile):
    """One file of a dataset, and what is needed of it when it is an archive."""

    unpack: list[str] = Field(
        default=[], description="shell patterns of the members needed; none: the file as it is"
    )
    unpacked_size: int | None = Field(
        default=None, gt=0, description="bytes of those members, for the estimate of disk space"
    )

    def wanted(self) -> Wanted:
        """Return the file as the download layer takes it."""
        return Wanted(self, tuple(self.unpack), self.unpacked_size)


class Version(Strict):
    """One way a dataset is published: a split, an edition or another container."""

    about: str = Field(description="what this version holds, one line")
    reader: str = Field(description="which reader understands the files")
    files: list[DatasetFile] = Field(min_length=1)
    rows: int | None = Field(default=None, gt=0, description="structures, as published")
    later: str | None = Field(
        default=None, description="what is fetched only when rows are drawn, said with the cost"
    )
    split: str = Field(description="the authors' name of this part, such as val; all: no split")
    options: dict[str, Any] = Field(default={}, description="what the reader is told")

    @field_validator("files")
    @classmethod
    def _names_differ(cls, files: list[DatasetFile]) -> list[DatasetFile]:
        names = [f.name for f in files]
        if len(set(names)) < len(names):
            raise ValueError("two files share a name")
        return files


class DatasetUnits(Strict):
    """Units of the files; what is kept is in Å and eV."""

    length: Literal["angstrom"]
    energy: Literal["eV", "hartree"] | None = Field(
        default=None, description="left out: records have no energies"
    )


class DatasetCard(Strict):
    """Everything the project knows about one dataset."""

    key: Name
    title: str
    kind: Literal["molecules", "crystals", "proteins"]
    revision: int = Field(
        ge=1, description="raised when the same files would give other rows: slices are drawn again"
    )
    licence: str
    licence_url: str | None = None
    citation: str
    level_of_theory: str
    units: DatasetUnits
    offers: list[Literal["positions", "smiles", "selfies", "sequence", "backbone"]] = Field(
        min_length=1, description="what rows have; models that read none of it are left out"
    )
    elements: ElementRanges | None = Field(
        default=None, description="atomic numbers that occur, such as '1,6-9'; null: not stated"
    )
    default: Name = Field(description="the version that the key alone means")
    versions: dict[Name, Version] = Field(min_length=1)
    notes: list[str] = Field(default=[], description="what a user should know")

    @model_validator(mode="after")
    def _default_exists(self) -> DatasetCard:
        if self.default not in self.versions:
            raise ValueError(f"default: no version is called {self.default!r}")
        return self

    @model_validator(mode="after")
    def _energies_have_a_unit(self) -> DatasetCard:
        if self.units.energy is None and self.kind != "proteins":
            raise ValueError("units.energy: only proteins may be without")
        return self

    def names(self) -> list[str]:
        """Return what a configuration may call it: the key, then the key with each version."""
        return [self.key, *(f"{self.key}{SEPARATOR}{version}" for version in self.versions)]
