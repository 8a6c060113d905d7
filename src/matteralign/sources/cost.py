"""Cost of fetching, reported before it begins: bytes, disk, and time if known."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from rich.filesize import decimal

from matteralign.core.errors import FetchError
from matteralign.core.paths import cache_root
from matteralign.core.progress import spoken
from matteralign.registry.pinned import PackageSource
from matteralign.sources.package import archive_address, archive_here
from matteralign.sources.transfer.disk import free_bytes, need_room
from matteralign.sources.transfer.places import Place, places
from matteralign.sources.transfer.rates import known_rate
from matteralign.sources.transfer.settings import Settings, settings
from matteralign.sources.wanted import Wanted


@dataclass(frozen=True)
class Cost:
    """What is still to be done.

    Attributes
    ----------
    files, here
        Files to fetch; files that are here already.
    download, disk
        Bytes over the network, and bytes that the disk will hold more.
    unknown
        Files of unknown size; they are in neither sum.
    seconds
        By the speed that each server gave last; None where one of them is new.
    """

    files: int = 0
    here: int = 0
    download: int = 0
    disk: int = 0
    unknown: int = 0
    seconds: float | None = 0.0

    def line(self) -> str:
        """Return the cost as one line."""
        if not self.files:
            return f"nothing to fetch: {self.here} of {self.here} files are here"
        time = "time unknown" if self.seconds is None else f"about {spoken(self.seconds)}"
        return (
            f"to fetch: {self.files} files ({self.here} are here), {self._sizes()}, "
            f"{decimal(free_bytes(cache_root()))} free; {time}"
        )

    def _sizes(self) -> str:
        """Return what is known; an unknown size is never written as 0 bytes."""
        if not self.unknown:
            return f"{decimal(self.download)}; {decimal(self.disk)} on disk"
        if not self.disk:
            return "size unknown; disk unknown"
        return (
            f"{decimal(self.download)} and {self.unknown} of unknown size; more than "
            f"{decimal(self.disk)} on disk"
        )

    def refuse_full_disk(self) -> None:
        """Raise if the disk is too small for the files of known size.

        Raises
        ------
        FetchError
            With what is needed and what is free.
        """
        need_room(cache_root(), self.disk, f"fetching {self.files} files")


def cost_of(wanted: Sequence[Wanted]) -> Cost:
    """Return what fetching costs; servers are asked for sizes that no card has."""
    found = settings()
    here = [w for w in wanted if w.here()]
    missing = list(dict.fromkeys(w for w in wanted if not w.here()))
    with ThreadPoolExecutor(8) as pool:
        parts = list(pool.map(lambda w: _part(w, found), missing))
    seen: dict[str, _Part] = {part.key: part for part in parts}  # an archive counts once
    times = [part.seconds for part in seen.values()]
    return Cost(
        files=len(missing),
        here=len(here),
        download=sum(part.download or 0 for part in seen.values()),
        disk=sum(part.download or 0 for part in seen.values())
        + sum(w.unpacked_size or 0 for w in missing)
        + sum(w.pinned.size or 0 for w, p in zip(missing, parts, strict=True) if p.archive),
        unknown=sum(part.download is None for part in parts),
        seconds=None if None in times else sum(t for t in times if t is not None),
    )


@dataclass(frozen=True)
class _Part:
    key: str
    download: int | None
    seconds: float | None
    archive: bool = False


def _part(wanted: Wanted, found: Settings) -> _Part:
    pinned = wanted.pinned
    if wanted.fetched():
        return _Part(pinned.origin(), 0, 0.0)
    options = [p for p in places(pinned, found) if p.path is None or p.path.exists()]
    if not options:
        return _Part(pinned.origin(), pinned.size, None)
    first = _first(options)
    if first.package is not None:
        return _package(first.package, pinned.size, found)
    if first.path is not None:
        return _Part(pinned.origin(), pinned.size or first.path.stat().st_size, 0.0)
    from matteralign.sources.transfer.http import size_of

    url = first.url or ""
    size = pinned.size or (size_of(url, found) if url else None)
    rate = known_rate(url)
    return _Part(pinned.origin(), size, size / rate if size and rate else None)


def _first(options: Sequence[Place]) -> Place:
    """Return the place that will most likely serve: a folder that has it, else the authors'."""
    on_disk = next((place for place in options if place.path is not None), None)
    own = [place for place in options if place.path is None]
    return on_disk or own[-1]


def _package(source: PackageSource, size: int | None, found: Settings) -> _Part:
    key = source.archive_sha256
    if archive_here(source) is not None:
        return _Part(key, 0, 0.0, archive=True)
    try:
        url, total = ("", 0) if found.offline else archive_address(source)
    except FetchError:
        url, total = "", 0  # the fetch itself says so, with the reason
    rate, total = known_rate(url), total or size or 0
    return _Part(key, total or None, total / rate if total and rate else None, archive=True)
