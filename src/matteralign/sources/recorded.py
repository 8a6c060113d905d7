"""Files without a hash on a card: locked by the user, or recorded at the first download."""

from __future__ import annotations

from pathlib import Path

from matteralign.core.errors import IntegrityError
from matteralign.core.files import read_json, write_json
from matteralign.core.paths import cache_root
from matteralign.registry.pinned import PinnedFile


def known(pinned: PinnedFile) -> PinnedFile | None:
    """Return the file with its hash: of the card, else of the lock, else the recorded one.

    Returns
    -------
    PinnedFile or None
        None where there is none of them.

    Raises
    ------
    IntegrityError
        If the record is damaged, or the lock has another hash or size than was recorded here.
    """
    if pinned.sha256 is not None:
        return pinned
    found = recorded(pinned)
    if pinned.locked is None:
        return found
    if found is not None and found.sha256 != pinned.locked:
        raise IntegrityError(
            f"{pinned.name}: hashed to {found.sha256} when it was first fetched here, the lock of "
            f"weights has {pinned.locked}: delete {record_path(pinned)} to fetch the locked file, "
            "or the entry of the lock"
        )
    if found is not None and found.size != pinned.locked_size:
        raise IntegrityError(
            f"{pinned.name}: has {found.size} bytes, the lock of weights has size "
            f"{pinned.locked_size} beside the same sha256 {pinned.locked}: correct the size in "
            "the entry of the lock"
        )
    return pinned.model_copy(update={"sha256": pinned.locked, "size": pinned.locked_size})


def recorded(pinned: PinnedFile) -> PinnedFile | None:
    """Return the file with the hash that was recorded at its first download, or None.

    Raises
    ------
    IntegrityError
        If the record is damaged.
    """
    path = record_path(pinned)
    if not path.exists():
        return None
    record = read_json(path)
    if not isinstance(record, dict) or not {"sha256", "size"} <= set(record):
        raise IntegrityError(f"{path}: not a record of a download; delete it and fetch again")
    return pinned.model_copy(update={"sha256": record["sha256"], "size": record["size"]})


def record(pinned: PinnedFile, found: PinnedFile) -> None:
    """Write down the hash of a file that was seen for the first time.

    Parameters
    ----------
    pinned
        The file as its card has it, without a hash.
    found
        The same with hash and size.
    """
    value = {"name": pinned.name, "sha256": found.sha256, "size": found.size, "accepted": False}
    write_json(record_path(pinned), value)


def accept(pinned: PinnedFile) -> None:
    """Note that a person compared the recorded hash with what the authors publish."""
    path = record_path(pinned)
    write_json(path, read_json(path) | {"accepted": True})


def accepted(pinned: PinnedFile) -> bool:
    """Return whether the hash was on card or lock, or a person vouched for the recorded one."""
    if pinned.sha256 is not None or pinned.locked is not None:
        return True
    return bool(read_json(record_path(pinned))["accepted"])


def record_path(pinned: PinnedFile) -> Path:
    """Return the path of the record of a file of unknown hash."""
    return cache_root() / "recorded" / f"{pinned.origin()}.json"


def hand_path(pinned: PinnedFile) -> Path:
    """Return where a person puts a file of unknown hash."""
    return cache_root() / "by-hand" / pinned.origin()[:16] / pinned.name
