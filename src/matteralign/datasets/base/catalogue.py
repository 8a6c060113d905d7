"""The datasets by name: their cards, and the readers of their files."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from matteralign.core.errors import MatterAlignError, UserError
from matteralign.core.strict_yaml import read_yaml_file
from matteralign.core.suggest import require_known, unknown
from matteralign.core.validation import validated
from matteralign.datasets.base.card import SEPARATOR, DatasetCard, Version
from matteralign.datasets.base.dataset import Dataset
from matteralign.datasets.base.offers import Offers
from matteralign.registry.elements import parse_ranges
from matteralign.sources.recorded import known
from matteralign.sources.wanted import JOBS, Wanted, bring_all

Report = Callable[[str], None]
BUILTIN = Path(__file__).resolve().parents[1] / "cards"

# Imported when first used: the command line names datasets without reading molecules.
_READERS = {
    "aselmdb": "matteralign.datasets.ase_lmdb.reader:AseLmdb",
    "qm9-csv": "matteralign.datasets.qm9.table:Qm9Table",
    "qm9-xyz": "matteralign.datasets.qm9.original:Qm9Original",
    "rcsb": "matteralign.datasets.proteins.rcsb:ProteinDataBank",
}


@dataclass(frozen=True)
class Chosen:
    """One version of a dataset, as a configuration names it.

    Attributes
    ----------
    name
        ``key`` or ``key@version``.
    """

    name: str
    card: DatasetCard
    version: Version

    def wanted(self) -> list[Wanted]:
        """Return the files as the download layer takes them."""
        return [pinned.wanted() for pinned in self.version.files]

    @property
    def facts(self) -> dict[str, str]:
        """Level of theory, licence and citation."""
        return {
            "level_of_theory": self.card.level_of_theory,
            "licence": self.card.licence,
            "citation": self.card.citation,
        }

    @property
    def later(self) -> str | None:
        """What is fetched only when rows are drawn; None: nothing."""
        return self.version.later

    def inputs(self) -> list[Path]:
        """Return no local files: fetched files are in the cache."""
        return []

    def listing(self) -> str | None:
        """Return None: there are no local files."""
        return None

    def open(self, report: Report) -> Dataset:
        """Return the reader, after the files were fetched."""
        return open_dataset(self, report)

    def record(self, report: Report, jobs: int = JOBS) -> dict[str, object]:
        """Bring the files into the cache and return the record of what is there.

        Raises
        ------
        FetchError, IntegrityError
            If a file cannot be fetched or is damaged.
        """
        _bring(self, report, jobs)
        files = [known(pinned) or pinned for pinned in self.version.files]
        return {
            "dataset": self.name,
            "licence": self.card.licence,
            "version": self.card.revision,
            "files": {f.name: {"sha256": f.sha256, "size": f.size} for f in files},
        }

    def offers(self) -> Offers:
        """Return what rows have."""
        elements = self.card.elements
        return Offers(
            frozenset({"atoms", *self.card.offers}),
            None if elements is None else parse_ranges(elements),
            periodic=self.card.kind == "crystals",
        )

    def identity(self) -> dict[str, Any]:
        """Return what decides the rows beside the draw."""
        return {
            "dataset": self.name,
            "dataset_version": self.card.revision,
            "files": {pinned.name: pinned.sha256 for pinned in self.version.files},
        }


def dataset_names() -> list[str]:
    """Return every name that a configuration may use."""
    return [name for card in load_datasets().values() for name in card.names()]


def get_dataset(name: str) -> Chosen:
    """Return a dataset by its key, or one of its versions by ``key@version``.

    Raises
    ------
    UserError
        If there is no such dataset or version; the nearest name is offered.
    """
    key, _, version = name.partition(SEPARATOR)
    card = load_datasets().get(key)
    if card is None or (version or card.default) not in card.versions:
        raise UserError(unknown("dataset", name, dataset_names()))
    return Chosen(name, card, card.versions[version or card.default])


def open_dataset(chosen: Chosen, report: Report, jobs: int = JOBS) -> Dataset:
    """Bring what is missing of a dataset's files and return its reader.

    Raises
    ------
    FetchError, IntegrityError
        If a file cannot be fetched or is damaged.
    """
    return reader_class(chosen.version.reader)(
        chosen.card, chosen.version, _bring(chosen, report, jobs)
    )


def reader_class(name: str) -> type[Dataset]:
    """Import and return a reader.

    Raises
    ------
    UserError
        If there is no such reader; the nearest name is offered.
    """
    require_known("reader", name, _READERS)
    module, _, attribute = _READERS[name].partition(":")
    found: type[Dataset] = getattr(importlib.import_module(module), attribute)
    return found


@cache
def load_datasets() -> Mapping[str, DatasetCard]:
    """Return every dataset card by key.

    Raises
    ------
    UserError
        If a card is not valid or two share a key.
    """
    cards: dict[str, DatasetCard] = {}
    for path in sorted(BUILTIN.glob("*.yaml")):
        card = read_dataset_card(path)
        if card.key in cards:
            raise UserError(f"{path}: key {card.key!r} is already taken")
        cards[card.key] = card
    return cards


def read_dataset_card(path: Path) -> DatasetCard:
    """Read and validate one dataset card.

    Raises
    ------
    UserError
        If the file is not YAML, a field is missing, unknown or of the wrong kind, or it names
        a reader that does not exist.
    """
    card = validated(DatasetCard, read_yaml_file(path, shipped=BUILTIN in path.parents), path)
    for name, version in card.versions.items():
        if version.reader not in _READERS:
            raise UserError(
                f"{path}: versions.{name}: {unknown('reader', version.reader, _READERS)}"
            )
    return card


def _bring(chosen: Chosen, report: Report, jobs: int) -> dict[str, Path]:
    found = bring_all(chosen.wanted(), report, jobs)
    paths: dict[str, Path] = {}
    for wanted, path in found.items():
        if isinstance(path, MatterAlignError):
            raise path
        paths[wanted.pinned.name] = path
    return paths
