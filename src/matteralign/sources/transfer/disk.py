"""Room on the disk, looked at before anything is written."""

from __future__ import annotations

import shutil
from pathlib import Path

from rich.filesize import decimal

from matteralign.core.errors import FetchError
from matteralign.core.paths import CACHE_VARIABLE

_SPARE = 256 << 20  # a disk filled to the last byte breaks more than a download


def free_bytes(folder: Path) -> int:
    """Return the free bytes on the disk of `folder`, which need not exist yet."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def need_room(folder: Path, size: int, what: str) -> None:
    """Refuse work that would fill the disk.

    Raises
    ------
    FetchError
        If fewer than `size` bytes and a reserve of 256 MiB are free at `folder`.
    """
    free = free_bytes(folder)
    if size + _SPARE > free:
        raise FetchError(
            f"{what} needs {decimal(size)} in {folder}, {decimal(free)} are free there; make "
            f"room, or set {CACHE_VARIABLE} to a folder on a larger disk"
        )
