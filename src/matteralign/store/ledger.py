"""The ledger of a slice: finished scores, kept across kills and re-runs.

Append-only JSON lines, one batch a line: what was computed together is there as a whole or
not at all. The last line of a killed process may be torn; it is dropped.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from matteralign.core.files import writing
from matteralign.core.hashing import canonical_json

Entries = dict[str, dict[str, Any]]


class Ledger:
    """Results by key, appended and flushed to disk batch by batch.

    Parameters
    ----------
    path
        The file; created with its folder when missing.

    Raises
    ------
    WriteError
        If the system refuses the file, here or in `add`.

    Examples
    --------
    >>> with Ledger(Path("scores.jsonl")) as ledger:  # doctest: +SKIP
    ...     ledger.add({"key": {"value": 1.0}, "another": {"value": 2.0}})
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        with writing(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._entries, whole = _read(self.path)
            # A torn tail is cut off, or the next line would be glued to it.
            if self.path.exists() and self.path.stat().st_size != whole:
                os.truncate(self.path, whole)
        self._handle: TextIO | None = None

    def __enter__(self) -> Ledger:
        with writing(self.path):
            self._handle = open(self.path, "a", encoding="utf-8")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        handle, self._handle = self._handle, None
        if handle is not None:
            with writing(self.path):  # what a full disk refused is tried once more
                handle.close()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: str) -> dict[str, Any] | None:
        """Return the result of a key, or None."""
        return self._entries.get(key)

    def add(self, batch: Mapping[str, dict[str, Any]]) -> None:
        """Append a batch of results by key as one line and flush it to disk."""
        if self._handle is None:
            raise ValueError("the ledger is not open for writing")
        with writing(self.path):
            self._handle.write(canonical_json({"batch": dict(batch)}) + "\n")
            self._handle.flush()
            os.fsync(self._handle.fileno())
        self._entries |= batch


def _read(path: Path) -> tuple[Entries, int]:
    """Return the whole entries and how many bytes they take."""
    entries: Entries = {}
    whole = 0
    if not path.exists():
        return entries, whole
    with open(path, "rb") as handle:
        for line in handle:
            batch = _batch(line)
            if batch is None:
                break
            entries |= batch
            whole += len(line)
    return entries, whole


def _batch(line: bytes) -> Entries | None:
    """Return the batch of a line, or None when the line is torn or no batch."""
    if not line.endswith(b"\n"):
        return None
    try:
        batch = json.loads(line)["batch"]
    except (json.JSONDecodeError, KeyError, TypeError, UnicodeDecodeError):
        return None
    whole = isinstance(batch, dict) and all(isinstance(entry, dict) for entry in batch.values())
    return batch if whole else None
