"""Where a file can be fetched from, in the order in which the places are tried."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from matteralign.registry.pinned import HubSource, PackageSource, PinnedFile, Source, UrlSource
from matteralign.sources.transfer.settings import Settings

HUB = "https://huggingface.co"
ENDPOINT_VARIABLE = "HF_ENDPOINT"


@dataclass(frozen=True)
class Place:
    """One place of a file.

    Attributes
    ----------
    told
        What a message calls it.
    url
        Address of the file itself, or None.
    package
        Archive that holds it, or None.
    """

    told: str
    url: str | None = None
    package: PackageSource | None = None

    @property
    def path(self) -> Path | None:
        """Path of a place on this machine, or None."""
        return None if self.url is None else local_path(self.url)


def places(pinned: PinnedFile, settings: Settings) -> list[Place]:
    """Return the places of a file: mirrors first, and of these folders before servers.

    Offline, only folders are left.
    """
    urls = [address(source) for source in pinned.sources]
    found = [
        Place(mirrored, mirrored)
        for mirror in settings.mirrors
        for url in urls or [None]
        for mirrored in mirror.addresses(url, pinned.name, pinned.sha256)
    ]
    found.sort(key=lambda place: place.path is None)
    found += [_own(source) for source in pinned.sources]
    if settings.offline:
        found = [place for place in found if place.path is not None]
    return list(dict.fromkeys(found))


def address(source: Source, endpoint: str = HUB) -> str | None:
    """Return the address of a source, or None if it has none."""
    if isinstance(source, HubSource):
        return source.address(endpoint)
    return source.url if isinstance(source, UrlSource) else None


def told_source(source: Source) -> str:
    """Return a source in words: its address, or the archive of a registry and the member."""
    url = address(source)
    if url is None and isinstance(source, PackageSource):
        return f"{source.package} {source.version} ({source.archive}): {source.member}"
    return url or "built here"


def endpoint() -> str:
    """Return the hub of this machine: ``$HF_ENDPOINT``, else Hugging Face."""
    return os.environ.get(ENDPOINT_VARIABLE) or HUB


def local_path(url: str) -> Path | None:
    """Return the path of a ``file://`` address, else None."""
    parts = urlsplit(url)
    return Path(unquote(parts.path)) if parts.scheme == "file" else None


def _own(source: Source) -> Place:
    url = address(source, endpoint())
    if url is not None:
        return Place(url, url)
    if isinstance(source, PackageSource):
        return Place(f"{source.package} {source.version} ({source.archive})", package=source)
    return Place(f"architecture of {getattr(source, 'by', 'a wrapper')}")
