"""The state of a long pass over a slice, so that a killed one continues inside a batch.

The file is an ``.npz`` archive followed by the hash of what is being computed and the hash
of the archive: a damaged, stale or foreign one is recognised and left aside.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from matteralign.core.files import atomic_path
from matteralign.core.hashing import sha256_file, sha256_json

_HASH = 64
_TRAILER = 2 * _HASH
_PIECE = 1 << 20


class PassFile:
    """The state of one pass, kept in one file: a `PassState` of the metric engine.

    Parameters
    ----------
    folder
        Folder of the states; made when the first one is saved.
    identity
        What decides the result, as a JSON value; its hash names the file.
    report
        Called with one line when a state is used or cannot be used.
    """

    def __init__(self, folder: str | Path, identity: Any, report: Callable[[str], None]) -> None:
        self._digest = sha256_json(identity)
        self.path = Path(folder) / f"{self._digest[:32]}.npz"
        self._report = report

    def load(self) -> dict[str, npt.NDArray[Any]] | None:
        """Return the arrays saved last, or None when there are none to continue from."""
        if not self.path.exists():
            return None
        fault = self._fault()
        if fault:
            self._report(f"{self.path}: {fault}; this pass starts again")
            return None
        with np.load(self.path, allow_pickle=False) as bundle:
            arrays = {name: bundle[name] for name in bundle.files}
        self._report(f"{self.path}: unfinished pass found, continuing from there")
        return arrays

    def save(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Replace the state on disk, atomically."""
        with atomic_path(self.path) as temporary:
            with open(temporary, "wb") as handle:
                np.savez(handle, allow_pickle=False, **dict(arrays))
            digest = sha256_file(temporary)
            with open(temporary, "ab") as handle:
                handle.write((self._digest + digest).encode("ascii"))

    def remove(self) -> None:
        """Forget the state: its result is safe elsewhere."""
        self.path.unlink(missing_ok=True)

    def _fault(self) -> str:
        """Return what is wrong with the file, or nothing."""
        size = self.path.stat().st_size - _TRAILER
        if size <= 0:
            return "unfinished pass is cut off"
        with open(self.path, "rb") as handle:
            handle.seek(size)
            trailer = handle.read()
            handle.seek(0)
            digest = hashlib.sha256()
            while piece := handle.read(min(_PIECE, size - handle.tell())):
                digest.update(piece)
        if trailer[_HASH:] != digest.hexdigest().encode("ascii"):
            return "unfinished pass is damaged"
        if trailer[:_HASH] != self._digest.encode("ascii"):
            return "unfinished pass of another computation"
        return "" if zipfile.is_zipfile(self.path) else "unfinished pass is no archive"


def forget_passes(folder: str | Path) -> None:
    """Remove every unfinished pass below a folder, and the folder."""
    where = Path(folder)
    if where.is_dir():
        for path in sorted(where.iterdir()):
            path.unlink()
        where.rmdir()
