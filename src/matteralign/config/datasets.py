"""A dataset of the user's own: which files, and what in them is what."""

from __future__ import annotations

import re
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
    charge: str | None = Field(default=None, description="total charge in e; left out: 0")
    spin: str | None = Field(default=None, description="spin multiplicity 2S+1; left out: 1")
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

    @model_validator(mode="after")
    def _fits(self) -> OwnDataset:
        if self.kind == "smiles-csv" and self.columns.smiles is None:
            raise ValueError("columns.smiles names the column of the SMILES; smiles-csv needs it")
        if self.embed_3d and self.kind not in ("sdf", "smiles-csv"):
            raise ValueError(f"embed_3d is for sdf and smiles-csv, not for {self.kind}")
        if self.kind in ("fasta", "structure-folder", "cif-folder"):
            named = [name for name, value in self.columns if value is not None]
            if named:
                raise ValueError(f"columns.{named[0]}: a {self.kind} has no columns")
        return self


class ProteinArchive(Described):
    """Chains of the Protein Data Bank, one of each cluster of sequences."""

    kind: Literal["rcsb"]
    files: str = Field(
        default="https://files.rcsb.org/download",
        description="folder, or address of a mirror, with <ID>.cif.gz",
    )
    entries: str | None = Field(
        default="https://data.rcsb.org/rest/v1/holdings/current/entry_ids",
        description="file or address of the entries to choose from: ids as JSON or one a line, or "
        "the archive's table entries.idx, whose methods and resolutions spare downloads",
    )
    clusters: str | None = Field(
        default="https://cdn.rcsb.org/resources/sequence/clusters/clusters-by-entity-30.txt",
        description="file or address of clusters of entities, one a line; null: one chain of "
        "each entry",
    )
    methods: list[str] = Field(
        default=["X-RAY DIFFRACTION", "ELECTRON MICROSCOPY"],
        description="experimental methods as the entries spell them; none: any",
    )
    resolution: Annotated[float, Field(gt=0)] | None = Field(
        default=3.0, description="worst resolution in Å; entries without one are left out"
    )
    residues: Between = Field(
        default=Between(least=30, most=1024), description="length of the whole chain's sequence"
    )
    tries: int = Field(
        default=10, ge=1, description="members of a cluster looked at before it is left out"
    )

    @property
    def remote(self) -> bool:
        """Whether entries are fetched over a network."""
        return is_address(self.files)


DatasetSection = Annotated[OwnDataset | ProteinArchive, Field(discriminator="kind")]


def is_address(place: str) -> bool:
    """Return whether a place is an address, not a path."""
    return _WEB.fullmatch(place) is not None
