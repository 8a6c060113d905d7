"""Whole files, plain or gzipped, read with a bound: a small gzip may hold a disk full of zeros."""

from __future__ import annotations

import codecs
import gzip
import zlib
from pathlib import Path

from matteralign.core.errors import IntegrityError, UserError, os_fault, told

LARGEST = 1 << 29
"""Bytes of the largest file, unpacked; the largest entries of the Protein Data Bank have half."""


def read_contents(path: Path, largest: int = LARGEST) -> bytes:
    """Return the bytes of a file, unpacked if it is gzipped, without the mark of UTF-8.

    Raises
    ------
    IntegrityError
        If its gzip is damaged, or it holds more than `largest` bytes.
    UserError
        If the system does not let it be read.
    """
    try:
        with open(path, "rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            if packed:
                with gzip.GzipFile(fileobj=file) as unpacked:
                    found = unpacked.read(largest + 1)
            else:
                found = file.read(largest + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise IntegrityError(f"{path}: its gzip is damaged: {told(error)}") from error
    except OSError as error:
        # Not damage: what a file holds must not depend on the machine that reads it.
        raise UserError(f"{path}: cannot be read: {os_fault(error)}") from error
    if len(found) > largest:
        raise IntegrityError(f"{path}: holds more than {largest:,} bytes, too many to be read")
    return found.removeprefix(codecs.BOM_UTF8)
