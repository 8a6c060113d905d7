"""The cache of pinned files: one place per content, whatever the file is called elsewhere."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from matteralign.core.errors import FetchError, IntegrityError
from matteralign.core.files import atomic_path, place_file
from matteralign.core.hashing import md5_file, sha256_file
from matteralign.core.paths import cache_root
from matteralign.registry.pinned import PinnedFile
from matteralign.sources.bring import EMPTY, bring
from matteralign.sources.recorded import hand_path, known, record

Report = Callable[[str], None]


def cached_path(pinned: PinnedFile) -> Path:
    """Return the path in the cache of a file of known hash."""
    if pinned.sha256 is None:
        raise FetchError(f"{pinned.name}: its hash is not known yet; fetch it first")
    return cache_root() / "files" / pinned.sha256[:2] / pinned.sha256 / pinned.name


def in_cache(pinned: PinnedFile) -> bool:
    """Return whether the file is available without a network."""
    found = known(pinned)
    return hand_path(pinned).exists() if found is None else cached_path(found).exists()


def adopt(path: Path, pinned: PinnedFile) -> PinnedFile:
    """Move a file of any hash into the cache; return it pinned by what it hashes to."""
    size, digest = path.stat().st_size, sha256_file(path)
    found = pinned.model_copy(update={"sha256": digest, "size": size})
    target = cached_path(found)
    # What a person linked, or may only read, stays as it is.
    if path.is_symlink() or not os.access(path, os.W_OK):
        with atomic_path(target) as temporary:
            shutil.copyfile(path, temporary)
        path.unlink()
    else:
        place_file(path, target)
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
        Receives a line now and then while something is fetched.

    Raises
    ------
    IntegrityError
        If the file in the cache does not have the pinned hash.
    FetchError
        If no source can give it; the message says where to put it by hand.
    """
    found = known(pinned) or _first_seen(pinned, report)
    target = cached_path(found)
    if not target.exists():
        with _alone(target, report):
            if not target.exists():
                bring(found, target, report)
                return target
    verify(target, found)
    return target


def _first_seen(pinned: PinnedFile, report: Report) -> PinnedFile:
    place = hand_path(pinned)
    with _alone(place, report):
        found = known(pinned)  # another process may have been first
        if found is None:
            if not place.exists():
                bring(pinned, place, report)
            elif pinned.md5 is not None and md5_file(place) != pinned.md5:
                raise IntegrityError(
                    f"{place}: does not have the md5 {pinned.md5} that its authors publish; "
                    "delete it and fetch again"
                )
            elif not place.stat().st_size:
                raise IntegrityError(f"{place}: {EMPTY}")
            found = adopt(place, pinned)
            record(pinned, found)
            report(f"{pinned.name}: first seen, recorded with sha256 {found.sha256}")
    return found


@contextmanager
def _alone(target: Path, report: Report) -> Iterator[None]:
    """Hold the lock of a file; say so when another process has it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(target.parent / ".lock")
    try:
        lock.acquire(timeout=1)
    except Timeout:
        report(f"{target.name}: another process is fetching it; waiting")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def verify(path: Path, pinned: PinnedFile) -> None:
    """Check size and hash of a file against its pin.

    Raises
    ------
    IntegrityError
        If either differs; the message names the file and both hashes.
    """
    size = path.stat().st_size
    if size == 0:
        raise IntegrityError(f"{path}: {EMPTY}")
    found = sha256_file(path)
    if found != pinned.sha256:
        raise IntegrityError(
            f"{path}: expected {pinned.size} bytes with sha256 {pinned.sha256}, found {size} with "
            f"{found}. The file is damaged or another version: delete it and fetch again"
        )
    if pinned.size not in (None, size):
        raise IntegrityError(
            f"{path}: has the right sha256 {found} and {size} bytes, but size {pinned.size} "
            "stands beside that hash: correct the size on the card or in the lock of weights"
        )
