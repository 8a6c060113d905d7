"""Files pinned by their own hash, and the places they can be had from."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from matteralign.core.hashing import sha256_json

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


class UrlSource(Strict):
    """A file that its authors serve at a fixed address."""

    kind: Literal["url"] = "url"
    url: Annotated[str, StringConstraints(pattern=r"^https?://")]


class BuiltSource(Strict):
    """A file that the model's own package wrote here, with untrained weights."""

    kind: Literal["built"] = "built"
    by: str = Field(description="the wrapper whose architecture module builds it")


class PinnedFile(Strict):
    """One file, pinned by its own hash wherever it comes from.

    The hash may be left out where it was never seen: it is then recorded at the first
    download and enforced from then on.
    """

    name: str
    sha256: Sha256 | None = None
    size: int | None = Field(default=None, gt=0, description="bytes")
    sources: list[PackageSource | UrlSource | BuiltSource] = Field(min_length=1)

    def origin(self) -> str:
        """Return the hash of name and sources: the identity of a file of unknown bytes."""
        sources = [source.model_dump(mode="json") for source in self.sources]
        return sha256_json({"name": self.name, "sources": sources})
