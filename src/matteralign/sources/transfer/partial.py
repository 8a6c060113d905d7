"""The begun part of a download, and what the server reported about the whole file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from matteralign.core.errors import IntegrityError
from matteralign.core.files import read_json, write_json


def part_path(target: Path) -> Path:
    """Return the path of a partial file, used until the file is whole and checked."""
    return target.parent / f".{target.name}.part"


class Partial:
    """A part on disk, with the address and validator of the file.

    Parameters
    ----------
    path
        The part.
    url
        Address it comes from; a part of another address is begun again.
    hashed
        A hash will be compared with the whole, so that parts of two files do not pass for one.
    """

    def __init__(self, path: Path, url: str, hashed: bool) -> None:
        self.path = path
        self.name = path.name.removeprefix(".").removesuffix(".part")
        self.url = url
        self.hashed = hashed
        self.validator: str | None = None
        self.total: int | None = None
        self._notes = path.with_name(path.name + ".json")
        self._read()

    def start(self) -> int:
        """Return how many bytes need not be fetched again."""
        return self.length() if self.hashed or self.validator is not None else 0

    def length(self) -> int:
        """Return the bytes on disk."""
        return self.path.stat().st_size if self.path.exists() else 0

    def headers(self) -> dict[str, str]:
        """Return the headers that ask for the rest, or for the whole when the file changed."""
        start = self.start()
        if not start:
            return {}
        condition = {} if self.validator is None else {"If-Range": self.validator}
        return {"Range": f"bytes={start}-"} | condition

    def fits(self, headers: Mapping[str, str]) -> bool:
        """Return whether an answer is of the same file, as far as it says."""
        return self.validator in (None, _validator(headers) or self.validator)

    def begin(self, headers: Mapping[str, str], total: int | None) -> None:
        """Note a new beginning: the validator of the answer and the size it announces."""
        self.validator = _validator(headers)
        self.total = total
        self.path.unlink(missing_ok=True)
        write_json(self._notes, {"url": self.url, "validator": self.validator, "total": total})

    def discard(self) -> None:
        """Forget the part."""
        self.path.unlink(missing_ok=True)
        self._notes.unlink(missing_ok=True)
        self.validator = self.total = None

    def _read(self) -> None:
        if not self._notes.exists():
            self.path.unlink(missing_ok=True)
            return
        try:
            notes = read_json(self._notes)
        except IntegrityError:
            notes = None
        if not isinstance(notes, dict) or notes.get("url") != self.url:
            self.discard()
            return
        self.validator, self.total = notes.get("validator"), notes.get("total")


def _validator(headers: Mapping[str, str]) -> str | None:
    etag = headers.get("ETag")
    # A weak tag does not vouch for the same bytes.
    strong = etag if etag and not etag.startswith("W/") else None
    return strong or headers.get("Last-Modified")
