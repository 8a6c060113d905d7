"""Files pinned by their own hash, and the places they can be had from."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Strict(BaseModel):
    """A record that refuses unknown keys and cannot be changed after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PackageSource(Strict):
    """A file inside an archive of a package registry; the package itself is not installed."""

    kind: Literal["package"] = "package"
    package: str
    version: str
    archive: Literal["wheel", "sdist"]
    archive_sha256: Sha256
    member: str = Field(description="path inside the archive")


class PinnedFile(Strict):
    """One file, pinned by its own hash wherever it comes from."""

    name: str
    sha256: Sha256
    size: int = Field(gt=0, description="bytes")
    sources: list[PackageSource] = Field(min_length=1)
