"""A dataset of the user's own: which files, and what in them is what."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from matteralign.config.slices import Between
from matteralign.config.strict import StrictSection

_WEB = re.compile(r"https?://\S+")


class Columns(StrictSection):
    """Names that the files use: columns, keys of a comment line, properties, tags."""

    id: str | None = Field(default=None, description="left out: file and number of the record")
    smiles: str | None = None
    energy: str | None = Field(default=None, description="total energy, see energy_unit")
    charge: str | None = Field(
        default=None, description="total charge in e; left out: that of the SMILES, or 0"
    )
    spin: str | None = Field(
        default=None,
        description="spin multiplicity 2S+1; left out: the lowest that the electrons of a "
        "molecule allow",
    )
    split: str | None = None


class Described(StrictSection):
    """What a report says about a dataset."""

    title: str | None = None
    licence: str = "not stated"
    citation: str = "not stated"
    level_of_theory: str = "not stated"

    def decisive(self) -> dict[str, Any]:
        """Return everything else: what decides the rows."""
        return self.model_dump(mode="json", exclude=set(Described.model_fields))


class OwnDataset(Described):
    """Files on this machine."""

    kind: Literal[
        "extxyz", "cif-folder", "ase-db", "sdf", "smiles-csv", "fasta", "structure-folder"
    ]
    path: str = Field(description="file or folder, relative to the folder of the run")
    columns: Columns = Columns()
    energy_unit: Literal["eV", "hartree", "kcal/mol", "kJ/mol"] = "eV"
    embed_3d: bool = Field(
        default=False,
        description="sdf and smiles-csv: coordinates from RDKit's ETKDGv3 where a record has "
        "none; never made otherwise",
    )
    add_hydrogens: bool = Field(
        default=False,
        description="sdf: hydrogens that coordinates in three dimensions lack are placed by "
        "RDKit; left out: such a record is skipped",
    )

    @model_validator(mode="after")
    def _fits(self) -> OwnDataset:
        if self.kind == "smiles-csv" and self.columns.smiles is None:
            raise ValueError("columns.smiles names the column of the SMILES; smiles-csv needs it")
        if self.embed_3d and self.kind not in ("sdf", "smiles-csv"):
            raise ValueError(f"embed_3d is for sdf and smiles-csv, not for {self.kind}")
        if self.add_hydrogens and self.kind != "sdf":
            raise ValueError(f"add_hydrogens is for sdf, not for {self.kind}")
        if self.kind in ("fasta", "structure-folder", "cif-folder"):
            named = [name for name, value in self.columns if value is not None]
            if named:
                raise ValueError(f"columns.{named[0]}: a {self.kind} has no columns")
        return self


def _no_default(schema: dict[str, Any]) -> None:
    del schema["default"]


def _as_on_card(description: str, **limits: Any) -> Any:
    """Return a field that may be left out; None stands for that until `ProteinArchive.over`."""
    return Field(
        default=None,
        description=f"{description}; left out: as on the card of rcsb",
        json_schema_extra=_no_default,
        **limits,
    )


class ProteinArchive(Described):
    """Chains of the Protein Data Bank, one of each cluster or entry, chosen otherwise.

    What is left out is as on the card of the dataset rcsb.
    """

    kind: Literal["rcsb"]
    files: str = _as_on_card("folder, or address of a mirror, with <ID>.cif.gz")
    entries: str | None = _as_on_card(
        "file or address of the entries to choose from: ids as JSON or one a line, or the "
        "archive's table entries.idx, whose methods and resolutions spare downloads; null: all "
        "that clusters or the folder name"
    )
    clusters: str | None = _as_on_card(
        "file or address of clusters of entities, one a line; null: one chain of each entry"
    )
    methods: list[str] = _as_on_card("experimental methods as the entries spell them; none: any")
    resolution: Annotated[float, Field(gt=0)] | None = _as_on_card(
        "worst resolution in Å, entries without one are left out; null: any"
    )
    residues: Between = _as_on_card("length of the whole chain's sequence")
    pick: Literal["first", "drawn"] = _as_on_card(
        "of several chains that fit: the first by name, or one drawn by a hash of entry and chain"
    )
    tries: int = _as_on_card("members of a cluster looked at before it is left out", ge=1)

    @property
    def remote(self) -> bool:
        """Whether entries are fetched over a network."""
        return is_address(self.files)

    def over(self, options: Mapping[str, Any]) -> ProteinArchive:
        """Return the choice with what it leaves out taken from elsewhere.

        Parameters
        ----------
        options
            Values by field, as a card has them.

        Raises
        ------
        ValueError
            If a field is in neither, or a value of `options` is wrong.
        """
        whole = type(self).model_validate({**options, **self.model_dump(exclude_unset=True)})
        missing = set(type(self).model_fields) - set(Described.model_fields)
        missing -= whole.model_fields_set
        if missing:
            raise ValueError(f"{', '.join(sorted(missing))}: not said")
        return whole


DatasetSection = Annotated[OwnDataset | ProteinArchive, Field(discriminator="kind")]


def is_address(place: str) -> bool:
    """Return whether a place is an address, not a path."""
    return _WEB.fullmatch(place) is not None
