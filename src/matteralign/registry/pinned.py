"""Files pinned by their own hash, and the places they can be had from."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, StringConstraints, Tag

from matteralign.core.hashing import sha256_json
from matteralign.core.patterns import ADDRESS, FILE_NAME, MD5, REPOSITORY, SHA256

Sha256 = Annotated[str, StringConstraints(pattern=SHA256)]
Md5 = Annotated[str, StringConstraints(pattern=MD5)]


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
    url: Annotated[str, StringConstraints(pattern=ADDRESS)]


class HubSource(Strict):
    """A file of a Hugging Face repository at a fixed revision."""

    kind: Literal["huggingface"] = "huggingface"
    repo: Annotated[str, StringConstraints(pattern=REPOSITORY)]
    revision: str = Field(description="commit or tag; a branch moves")
    path: str = Field(description="path inside the repository")
    type: Literal["model", "dataset"] = "model"

    def address(self, endpoint: str) -> str:
        """Return the file's address on a hub such as ``https://huggingface.co``."""
        folder = "datasets/" if self.type == "dataset" else ""
        return f"{endpoint.rstrip('/')}/{folder}{self.repo}/resolve/{self.revision}/{self.path}"


class BuiltSource(Strict):
    """A file that the model's own package wrote here, with untrained weights."""

    kind: Literal["built"] = "built"
    by: str = Field(description="the wrapper whose architecture module builds it")


# The kind may be left out: its keys tell it.
_KEYS = {"package": "package", "url": "url", "repo": "huggingface", "by": "built"}


def _kind_of_source(value: Any) -> str | None:
    if not isinstance(value, dict):
        return getattr(value, "kind", None)
    return value.get("kind") or next((kind for key, kind in _KEYS.items() if key in value), None)


Source = Annotated[
    Annotated[PackageSource, Tag("package")]
    | Annotated[UrlSource, Tag("url")]
    | Annotated[HubSource, Tag("huggingface")]
    | Annotated[BuiltSource, Tag("built")],
    Discriminator(
        _kind_of_source,
        custom_error_type="source",
        custom_error_message="must have the keys of a source: package, url or repo",
    ),
]


class PinnedFile(Strict):
    """One file, pinned by its own hash wherever it comes from.

    The hash may be left out where it was never seen: it is then recorded at the first
    download and enforced from then on.
    """

    # It names a file of the cache: never one outside.
    name: Annotated[str, StringConstraints(pattern=FILE_NAME)]
    sha256: Sha256 | None = None
    md5: Md5 | None = Field(
        default=None, description="where the authors publish no better hash; checked as well"
    )
    size: int | None = Field(default=None, gt=0, description="bytes")
    sha256_from: str | None = Field(
        default=None, description="who saw the hash, where this project has not had the file"
    )
    sources: list[Source] = Field(min_length=1)
    locked: Sha256 | None = Field(
        default=None, description="hash in the user's lock of weights; set by the program"
    )
    locked_size: int | None = Field(default=None, gt=0, description="bytes, of the lock as well")

    def origin(self) -> str:
        """Return the hash of name and sources: the identity of a file of unknown bytes."""
        # Without what is not given: a field added later changes no identity.
        sources = [source.model_dump(mode="json", exclude_none=True) for source in self.sources]
        return sha256_json({"name": self.name, "sources": sources})
