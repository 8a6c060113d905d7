"""A file that is wanted, with what of it is unpacked."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from matteralign.core.errors import MatterAlignError
from matteralign.registry.pinned import PinnedFile
from matteralign.sources.cache import ensure, in_cache
from matteralign.sources.unpacked import ensure_unpacked, is_unpacked

JOBS = 4
"""Files that are fetched side by side."""

Report = Callable[[str], None]


@dataclass(frozen=True)
class Wanted:
    """One file.

    Attributes
    ----------
    pinned
        The file.
    unpack
        Patterns of the members that are unpacked; none: the file itself is used.
    unpacked_size
        Bytes of those members, where they are known.
    """

    pinned: PinnedFile
    unpack: tuple[str, ...] = ()
    unpacked_size: int | None = None

    def __hash__(self) -> int:
        return hash((self.pinned.origin(), self.unpack))

    def fetched(self) -> bool:
        """Return whether the file itself is on this machine."""
        return in_cache(self.pinned)

    def here(self) -> bool:
        """Return whether nothing of it is to be done."""
        return is_unpacked(self.pinned, self.unpack) if self.unpack else self.fetched()

    def bring(self, report: Report) -> Path:
        """Return the path of the file, or of the folder of its members.

        Raises
        ------
        FetchError, IntegrityError
            If it cannot be fetched or is damaged.
        """
        if self.unpack:
            return ensure_unpacked(self.pinned, self.unpack, report)
        return ensure(self.pinned, report)


def bring_all(
    wanted: Iterable[Wanted], report: Report, jobs: int = JOBS
) -> dict[Wanted, Path | MatterAlignError]:
    """Bring files side by side; one that fails does not stop the others.

    Returns
    -------
    dict
        For each file its path, or the error that says why there is none.
    """

    def one(item: Wanted) -> Path | MatterAlignError:
        try:
            return item.bring(report)
        except MatterAlignError as error:
            return error

    unique = list(dict.fromkeys(wanted))
    with ThreadPoolExecutor(max(1, jobs)) as pool:
        return dict(zip(unique, pool.map(one, unique), strict=True))
