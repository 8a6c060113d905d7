"""Every dataset a configuration may name: those with cards, and its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from matteralign.config.datasets import DatasetSection, ProteinArchive
from matteralign.core.errors import UserError
from matteralign.core.suggest import require_known
from matteralign.datasets.base.catalogue import dataset_names, get_dataset
from matteralign.datasets.base.dataset import Rows
from matteralign.datasets.base.offers import Offers
from matteralign.datasets.own.source import OwnSource
from matteralign.sources.wanted import Wanted


class Source(Protocol):
    """A dataset before anything of it is read."""

    @property
    def name(self) -> str:
        """Name in the configuration."""

    @property
    def facts(self) -> dict[str, str]:
        """Level of theory, licence and citation, recorded with every slice."""

    @property
    def later(self) -> str | None:
        """What is fetched only when rows are drawn, so that no cost has it; None: nothing."""

    def offers(self) -> Offers:
        """Return what rows have."""

    def identity(self) -> dict[str, Any]:
        """Return what decides the rows beside the draw and the contents of local files."""

    def wanted(self) -> list[Wanted]:
        """Return what is fetched before rows are drawn."""

    def inputs(self) -> list[Path]:
        """Return the local files it is read from that exist, unless they are too many."""

    def listing(self) -> str | None:
        """Return what changes when a local file does that `inputs` does not name; None: nothing."""

    def open(self, report: Callable[[str], None]) -> Rows:
        """Return the reader, after what it needs was fetched."""

    def record(self, report: Callable[[str], None], jobs: int) -> dict[str, object]:
        """Bring what it needs and return the record of what is there."""


def find_source(name: str, own: Mapping[str, DatasetSection]) -> Source:
    """Return a dataset by name.

    Parameters
    ----------
    own
        The section ``datasets`` of the configuration.

    Raises
    ------
    UserError
        If there is no such dataset, with the nearest name.
    """
    section = own.get(name)
    if isinstance(section, ProteinArchive):
        from matteralign.datasets.proteins.rcsb_source import ProteinSource

        return ProteinSource(name, section)
    if section is not None:
        return OwnSource(name, section)
    known = [*dataset_names(), *own]
    require_known("dataset", name, known)
    return get_dataset(name)


def check_names(own: Mapping[str, DatasetSection]) -> None:
    """Refuse a dataset of the user's own that has the name of one with a card.

    Raises
    ------
    UserError
        If there is one.
    """
    for name in own:
        if name in dataset_names():
            raise UserError(f"datasets.{name}: a dataset of this name comes with the package")
