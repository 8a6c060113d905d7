"""Files that are either whole or absent: temporary name, fsync, rename."""

from __future__ import annotations

import errno
import json
import os
import tempfile
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from matteralign.core.errors import IntegrityError, WriteError, told

_UMASK = threading.Lock()
_FREE = "free space on that disk"
_ALLOW = "make its folder writable, or choose another folder"
_REMEDIES: Mapping[int | None, str] = {
    errno.ENOSPC: _FREE,
    errno.EDQUOT: "free space within your quota",
    errno.EROFS: _ALLOW,
    errno.EACCES: _ALLOW,
    errno.EPERM: _ALLOW,
    None: _FREE,  # numpy says only how many values it could not write
}


def _umask() -> int:
    # It can only be read by setting it: to the strictest, for a file that another thread makes
    # meanwhile.
    with _UMASK:
        current = os.umask(0o077)
        os.umask(current)
    return current


@contextmanager
def writing(path: str | Path) -> Iterator[None]:
    """Tell what the system refuses the writer of `path`: which file, why, and what to do.

    Arrow, numpy and a flush name no file, and a temporary file has a name that says nothing.

    Raises
    ------
    WriteError
        In place of an OSError of the block that names no file, or `path`, its temporary file
        or a folder above it. Others are let through.
    """
    target = Path(path)
    try:
        yield
    except OSError as error:
        if error.filename is not None:
            named = Path(os.fsdecode(error.filename))
            own = named == target or named.name.startswith(f".{target.name}.")
            if not own and named not in target.parents:
                raise
        why = told(error) if error.errno is None else os.strerror(error.errno)
        remedy = _REMEDIES.get(error.errno, "see to its folder and disk")
        raise WriteError(
            f"{target}: cannot be written: {why}; {remedy}, then run again (finished work is kept)"
        ) from error


@contextmanager
def atomic_path(path: str | Path, *, flush: bool = True) -> Iterator[Path]:
    """Give a temporary path beside `path`; rename it into place when the block ends well.

    The file is flushed to disk before the rename, so a reader sees the old file, the new
    one, or none. When the block raises, the temporary file is removed. The block only writes.

    Parameters
    ----------
    flush
        False leaves it to the system when the bytes reach the disk: a killed process loses
        nothing, but where power fails the file may be damaged. For files whose reader notices
        and makes them again.

    Examples
    --------
    >>> with atomic_path("out.txt") as tmp:  # doctest: +SKIP
    ...     tmp.write_text("whole")
    """
    target = Path(path)
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(
            prefix=f".{target.name}.", suffix=f".tmp{target.suffix}", dir=target.parent
        )
        os.close(descriptor)
        temporary = Path(name)
        try:
            yield temporary
            place_file(temporary, target, flush=flush)
        finally:
            temporary.unlink(missing_ok=True)


def place_file(temporary: Path, target: Path, *, flush: bool = True) -> None:
    """Flush a finished file to disk and rename it into place, on the same disk.

    Raises
    ------
    WriteError
        If the system refuses the file.
    """
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        if flush:
            with open(temporary, "rb+") as handle:
                os.fsync(handle.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(target)
        if flush:
            _sync_folder(target.parent)


def write_bytes(path: str | Path, data: bytes) -> None:
    """Write `data` to `path` atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: str | Path, text: str) -> None:
    """Write `text` as UTF-8 to `path` atomically."""
    write_bytes(path, text.encode())


def write_json(path: str | Path, value: Any) -> None:
    """Write `value` as readable JSON with sorted keys: the same value gives the same bytes."""
    text = json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n")


def read_json(path: str | Path) -> Any:
    """Read a JSON file.

    Raises
    ------
    IntegrityError
        If the file is missing or is not JSON; the message names the file.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise IntegrityError(f"{path}: file is missing; run the stage that writes it") from error
    except IsADirectoryError as error:
        raise IntegrityError(f"{path}: is a folder, not a file; remove it") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise IntegrityError(
            f"{path}: not valid JSON ({error}); delete it and run its stage again"
        ) from error


def read_record(path: str | Path, needed: Collection[str] = ()) -> dict[str, Any]:
    """Read a JSON file that holds named values.

    Raises
    ------
    IntegrityError
        If the file is missing, is not JSON, holds something else or lacks one of the `needed`
        names.
    """
    found = read_json(path)
    if not isinstance(found, dict):
        raise IntegrityError(
            f"{path}: holds no record of named values; delete it and run its stage again"
        )
    missing = [name for name in needed if name not in found]
    if missing:
        raise IntegrityError(
            f"{path}: lacks {', '.join(missing)}; delete it and run its stage again"
        )
    return found


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
