"""The ledger of a row: finished pairs, kept across kills and re-runs.

Append-only JSON lines. The last line of a killed process may be torn; it is dropped.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from matteralign.core.hashing import canonical_json


class Ledger:
    """Results by key, appended and flushed to disk one by one.

    Parameters
    ----------
    path
        The file; created with its folder when missing.

    Examples
    --------
    >>> with Ledger(Path("row.jsonl")) as ledger:  # doctest: +SKIP
    ...     ledger.add("key", {"value": 1.0})
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._entries, whole = _read(self.path)
        # A torn tail is cut off, or the next line would be glued to it.
        if self.path.exists() and self.path.stat().st_size != whole:
            os.truncate(self.path, whole)
        self._handle: TextIO | None = None

    def __enter__(self) -> Ledger:
        self._handle = open(self.path, "a", encoding="utf-8")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._handle is not None:
            self._handle.close()
            self._handle = None

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: str) -> dict[str, Any] | None:
        """Return the result of a key, or None."""
        return self._entries.get(key)

    def add(self, key: str, result: dict[str, Any]) -> None:
        """Append a result and flush it to disk."""
        if self._handle is None:
            raise ValueError("the ledger is not open for writing")
        self._handle.write(canonical_json({"key": key, "result": result}) + "\n")
        self._handle.flush()
        os.fsync(self._handle.fileno())
        self._entries[key] = result


def _read(path: Path) -> tuple[dict[str, dict[str, Any]], int]:
    """Return the whole entries and how many bytes they take."""
    entries: dict[str, dict[str, Any]] = {}
    whole = 0
    if not path.exists():
        return entries, whole
    for line in path.read_bytes().splitlines(keepends=True):
        if not line.endswith(b"\n"):
            break
        try:
            entry = json.loads(line)
            entries[entry["key"]] = entry["result"]
        except (json.JSONDecodeError, KeyError, TypeError, UnicodeDecodeError):
            break
        whole += len(line)
    return entries, whole
