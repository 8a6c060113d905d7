"""A choice of the user's own among the chains of the Protein Data Bank."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from matteralign.config.datasets import Described, ProteinArchive, is_address
from matteralign.core.errors import UserError
from matteralign.core.hashing import sha256_file, sha256_json
from matteralign.datasets.base.catalogue import Chosen, get_dataset
from matteralign.datasets.base.dataset import Rows
from matteralign.datasets.base.offers import Offers
from matteralign.datasets.proteins.rcsb import (
    ProteinDataBank,
    entry_files,
    mmcif_files,
    remote_file,
)
from matteralign.sources.wanted import JOBS, Wanted

Report = Callable[[str], None]
_CARD = "rcsb"


@dataclass(frozen=True)
class ProteinSource:
    """The dataset of the card, less what the configuration says otherwise, under its own name."""

    name: str
    config: ProteinArchive

    @cached_property
    def _published(self) -> Chosen:
        return get_dataset(_CARD)

    @cached_property
    def _whole(self) -> ProteinArchive:
        return self.config.over(self._published.version.options)

    @cached_property
    def _lists(self) -> dict[str, Wanted | Path]:
        """Return the lists by what the options call them: to be fetched, or on this machine."""
        pinned = {file.name: file.wanted() for file in self._published.version.files}
        found: dict[str, Wanted | Path] = {}
        for role in ("entries", "clusters"):
            place = getattr(self._whole, role)
            if place is None:
                continue
            if role not in self.config.model_fields_set:
                found[place] = pinned[place]
            else:
                found[place] = remote_file(place) if is_address(place) else Path(place)
        return found

    @property
    def facts(self) -> dict[str, str]:
        """What is recorded of the data with every slice."""
        stated = self.config.model_dump(include=set(Described.model_fields), exclude_unset=True)
        return self._published.facts | {
            name: stated[name] for name in self._published.facts if name in stated
        }

    @property
    def later(self) -> str | None:
        """What is fetched only when rows are drawn; None: nothing."""
        return self._published.later if self._whole.remote else None

    def offers(self) -> Offers:
        """Return what rows have."""
        return self._published.offers()

    def identity(self) -> dict[str, Any]:
        """Return what decides the rows beside the draw and the contents of the files."""
        return {
            "dataset": self.name,
            "dataset_version": self._published.card.revision,
            "rcsb": self._whole.decisive(),
        }

    def wanted(self) -> list[Wanted]:
        """Return the lists that are fetched; entries are fetched when they are drawn."""
        return [place for place in self._lists.values() if isinstance(place, Wanted)]

    def inputs(self) -> list[Path]:
        """Return the lists that exist on this machine; for entries see `listing`."""
        paths = [place for place in self._lists.values() if isinstance(place, Path)]
        return [path for path in paths if path.is_file()]

    def listing(self) -> str | None:
        """Return a hash of a folder's entries; None if they are fetched or missing."""
        folder = Path(self._whole.files)
        return (
            None
            if self._whole.remote or not folder.is_dir()
            else str(self._entries_here()["listing"])
        )

    def _entries_here(self) -> dict[str, Any]:
        """Return the number of entries in the folder, their size, and a hash of the listing.

        The hash covers paths, sizes and times, because a copy of the archive takes hours to read.
        Contents enter the slice's ``sample_set_id``: of the rows that are drawn, and no others.
        """
        folder, lies = Path(self._whole.files), {}
        for listed in mmcif_files(folder):
            told = listed.stat()
            lies[listed.path.removeprefix(f"{folder}{os.sep}")] = [told.st_size, told.st_mtime_ns]
        size = sum(size for size, _ in lies.values())
        return {"entries": len(lies), "size": size, "listing": sha256_json(lies)}

    def open(self, report: Report) -> Rows:
        """Return the reader, after the lists were fetched.

        Raises
        ------
        UserError
            If a file does not exist.
        FetchError, IntegrityError
            If a list cannot be fetched or is damaged.
        """
        card, version = self._published.card, self._published.version
        options = self._whole.model_dump(include=set(version.options))
        return ProteinDataBank(
            card, version.model_copy(update={"options": options}), self._brought(report)
        )

    def record(self, report: Report, jobs: int = JOBS) -> dict[str, object]:
        """Return the record of the lists, hash and size of each, and how a folder's entries lie.

        Raises
        ------
        UserError
            If a file does not exist.
        FetchError, IntegrityError
            If a list cannot be fetched or is damaged.
        """
        found: dict[str, dict[str, object]] = {
            place: {"sha256": sha256_file(path), "size": path.stat().st_size}
            for place, path in self._brought(report).items()
        }
        if not self._whole.remote:
            entry_files(Path(self._whole.files))  # says what is wrong with the folder
            found[self._whole.files] = self._entries_here()
        return {"dataset": self.name, "licence": self.facts["licence"], "files": found}

    def _brought(self, report: Report) -> dict[str, Path]:
        paths = {}
        for name, place in self._lists.items():
            if isinstance(place, Path) and not place.is_file():
                raise UserError(f"{place}: file does not exist")
            paths[name] = place if isinstance(place, Path) else place.bring(report)
        return paths
