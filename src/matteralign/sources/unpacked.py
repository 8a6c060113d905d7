"""What is needed of an archive, unpacked once into the cache."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from filelock import FileLock

from matteralign.core.errors import IntegrityError
from matteralign.core.files import read_record, write_json, writing
from matteralign.core.hashing import sha256_file, sha256_json
from matteralign.core.paths import cache_root
from matteralign.registry.pinned import PinnedFile
from matteralign.sources.archive import read_members, safe_name
from matteralign.sources.cache import ensure
from matteralign.sources.recorded import known
from matteralign.sources.transfer.disk import need_room

_MARK = "members.json"
Report = Callable[[str], None]


def ensure_unpacked(pinned: PinnedFile, patterns: Sequence[str], report: Report = print) -> Path:
    """Return the folder of an archive's needed members, fetching and unpacking when needed.

    What was unpacked is enough: the archive itself may be deleted then.

    Parameters
    ----------
    patterns
        Shell patterns of the members' paths in the archive.

    Raises
    ------
    FetchError
        If the archive cannot be fetched, or the disk is too small.
    IntegrityError
        If the archive is damaged or unsafe, holds no such member, or a member changed since
        it was unpacked.
    """
    folder = unpacked_folder(pinned, patterns)
    if folder is None or not (folder / _MARK).exists():
        archive = ensure(pinned, report)
        folder = unpacked_folder(pinned, patterns)
        assert folder is not None  # noqa: S101  # its hash is known once it is here
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{folder}.lock"):
            if not (folder / _MARK).exists():
                _unpack(archive, patterns, folder, report)
    _verify(folder)
    return folder


def unpacked_folder(pinned: PinnedFile, patterns: Sequence[str]) -> Path | None:
    """Return where an archive's members lie or will lie; None while its hash is unknown."""
    found = known(pinned)
    if found is None or found.sha256 is None:
        return None
    return cache_root() / "unpacked" / f"{found.sha256}-{sha256_json(sorted(patterns))[:8]}"


def is_unpacked(pinned: PinnedFile, patterns: Sequence[str]) -> bool:
    """Return whether an archive's members are here."""
    folder = unpacked_folder(pinned, patterns)
    return folder is not None and (folder / _MARK).exists()


def unpacked_members(folder: Path) -> list[str]:
    """Return the paths of the members below a folder, sorted."""
    return sorted(_marked(folder))


def _unpack(archive: Path, patterns: Sequence[str], folder: Path, report: Report) -> None:
    report(f"unpacking {archive.name}")
    members: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="unpacking-") as made:
        below = Path(made) / "members"
        below.mkdir()
        for member in read_members(archive, lambda name: _matches(name, patterns)):
            need_room(folder.parent, member.size or 0, f"{archive.name}: {member.name}")
            target = below / safe_name(archive, member.name)
            with writing(target):
                target.parent.mkdir(parents=True, exist_ok=True)
                with open(target, "xb") as out:
                    shutil.copyfileobj(member.stream, out, 1 << 20)
            found = target.stat()
            members[member.name] = {
                "size": found.st_size,
                "mtime_ns": found.st_mtime_ns,
                "sha256": sha256_file(target),
            }
        if not members:
            raise IntegrityError(f"{archive}: holds no member like {', '.join(patterns)}")
        write_json(below / _MARK, members)
        shutil.rmtree(folder, ignore_errors=True)
        below.replace(folder)
    report(f"{archive.name}: {len(members)} files unpacked")


def _verify(folder: Path) -> None:
    for name, noted in _marked(folder).items():
        path = folder / name
        found = path.stat() if path.exists() else None
        same = found and (found.st_size, found.st_mtime_ns) == (noted["size"], noted["mtime_ns"])
        # Hashed again only when the file was touched: these are many gigabytes.
        if not same and not (found and sha256_file(path) == noted["sha256"]):
            raise IntegrityError(f"{path}: changed since it was unpacked; delete {folder}")


def _marked(folder: Path) -> dict[str, dict[str, Any]]:
    return read_record(folder / _MARK)


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
