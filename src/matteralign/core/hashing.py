"""SHA-256 of files, bytes and JSON values."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any


def sha256_bytes(data: bytes) -> str:
    """Return the hex SHA-256 of `data`."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: str | Path) -> str:
    """Return the hex SHA-256 of a file, read in blocks."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def md5_file(path: str | Path) -> str:
    """Return the hex MD5 of a file: for files whose authors publish nothing better."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "md5").hexdigest()


def canonical_json(value: Any) -> str:
    """Return the one JSON text of `value`: sorted keys, no spaces, NaN refused.

    Raises
    ------
    ValueError
        If `value` holds NaN or an infinity, which JSON cannot carry.
    """
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def sha256_json(value: Any) -> str:
    """Return the hex SHA-256 of the canonical JSON of `value`."""
    return sha256_bytes(canonical_json(value).encode())
