"""The ledger of a slice: finished scores, kept across kills and re-runs.

JSON lines that are appended, one batch a line: what was computed together is there as a whole
or not at all. The last line of a killed process may be torn; it is dropped.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, TextIO

from matteralign.core.files import atomic_path, writing
from matteralign.core.hashing import canonical_json

Entries = dict[str, dict[str, Any]]


class Ledger:
    """Results by key, appended and flushed to disk batch by batch.

    Parameters
    ----------
    path
        The file; created with its folder when missing.

    Attributes
    ----------
    written
        Results in the file, those that a later one of the same key superseded included.

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
            batches, whole = _read(self.path)
            # A torn tail is cut off, or the next line would be glued to it.
            if self.path.exists() and self.path.stat().st_size != whole:
                os.truncate(self.path, whole)
        self._entries: Entries = {}
        for batch in batches:
            self._entries |= batch
        self.written = sum(map(len, batches))
        self._handle: TextIO | None = None

    def __enter__(self) -> Ledger:
        with writing(self.path):
            self._handle = open(self.path, "a", encoding="utf-8")
        return self

    def __exit__(self, *_: object) -> None:
        handle, self._handle = self._handle, None
        if handle is not None:
            with writing(self.path):  # what a full disk refused is tried once more
                handle.close()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: str) -> dict[str, Any] | None:
        """Return the result of a key, or None."""
        return self._entries.get(key)

    def entries(self) -> Mapping[str, dict[str, Any]]:
        """Return every result by key."""
        return self._entries

    def add(self, batch: Mapping[str, dict[str, Any]]) -> None:
        """Append a batch of results by key as one line and flush it to disk."""
        if self._handle is None:
            raise ValueError("the ledger is not open for writing")
        with writing(self.path):
            self._handle.write(_line(batch))
            self._handle.flush()
            os.fsync(self._handle.fileno())
        self._entries |= batch
        self.written += len(batch)

    def compact(self, keys: Collection[str]) -> int:
        """Keep the results of these keys alone; return how many were dropped.

        The file is replaced by a shorter one, atomically; what was superseded goes as well.
        """
        if self._handle is None:
            raise ValueError("the ledger is not open for writing")
        before = self.written
        self._entries = {key: entry for key, entry in self._entries.items() if key in keys}
        left = dict(self._entries)
        # From the end: the last result of a key is the one that counts.
        batches = [
            {key: left.pop(key) for key in batch if key in left}
            for batch in reversed(_read(self.path)[0])
        ]
        lines = [_line(batch) for batch in reversed(batches) if batch]
        with atomic_path(self.path) as temporary:
            temporary.write_text("".join(lines), encoding="utf-8")
        # Lines that are added go to the new file.
        self._handle.close()
        self.__enter__()
        self.written = len(self._entries)
        return before - self.written


def _line(batch: Mapping[str, dict[str, Any]]) -> str:
    return canonical_json({"batch": dict(batch)}) + "\n"


def _read(path: Path) -> tuple[list[Entries], int]:
    """Return the whole batches and how many bytes they take."""
    batches: list[Entries] = []
    whole = 0
    if not path.exists():
        return batches, whole
    with open(path, "rb") as handle:
        for line in handle:
            batch = _batch(line)
            if batch is None:
                break
            batches.append(batch)
            whole += len(line)
    return batches, whole


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
