"""Chains of the Protein Data Bank, one of each cluster of similar sequences."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matteralign.config.datasets import ProteinArchive, is_address
from matteralign.core.errors import IntegrityError, MatterAlignError, UserError
from matteralign.core.hashing import sha256_file, sha256_json
from matteralign.datasets.base import Rows, Skipped
from matteralign.datasets.chains import chains_of
from matteralign.datasets.mmcif import columns, read_block
from matteralign.datasets.offers import Offers
from matteralign.datasets.rcsb_lists import Entity, Entry, in_order, read_clusters, read_entries
from matteralign.registry.pinned import PinnedFile, UrlSource
from matteralign.sources.wanted import JOBS, Wanted, bring_all
from matteralign.store.structures import Structure

Report = Callable[[str], None]

# Where the methods write the resolution, in Å, the first that is there.
_RESOLUTION = (
    ("refine", "ls_d_res_high"),
    ("em_3d_reconstruction", "resolution"),
    ("reflns", "d_resolution_high"),
)


@dataclass(frozen=True)
class ProteinSource:
    """A choice of chains under a name of the configuration."""

    name: str
    config: ProteinArchive

    @property
    def facts(self) -> dict[str, str]:
        """What is recorded of the data with every slice."""
        prose = self.config
        licence = "CC0-1.0" if prose.licence == "not stated" else prose.licence
        citation = prose.citation
        if citation == "not stated":
            citation = "Berman et al., Nucleic Acids Res. 2000, 28, 235, doi:10.1093/nar/28.1.235"
        return {"level_of_theory": "experiment", "licence": licence, "citation": citation}

    def offers(self) -> Offers:
        """Return what rows have."""
        gives = frozenset({"atoms", "positions", "sequence", "backbone"})
        return Offers(gives, periodic=False)

    def identity(self) -> dict[str, Any]:
        """Return what decides the rows beside the draw and the contents of the files."""
        return {"dataset": self.name, "rcsb": self.config.decisive()}

    def wanted(self) -> list[Wanted]:
        """Return the lists that are fetched; entries are fetched when they are drawn."""
        places = (self.config.entries, self.config.clusters)
        return [_file(place) for place in places if place is not None and is_address(place)]

    def inputs(self) -> list[Path]:
        """Return the lists and entries on this machine, as far as they exist."""
        places = (self.config.entries, self.config.clusters)
        paths = [Path(place) for place in places if place is not None and not is_address(place)]
        folder = Path(self.config.files)
        entries = [] if self.config.remote or not folder.is_dir() else _files(folder)
        return [path for path in paths if path.is_file()] + entries

    def open(self, report: Report) -> Rows:
        """Return the reader, after the lists were fetched.

        Raises
        ------
        UserError
            If a file does not exist.
        FetchError, IntegrityError
            If a list cannot be had or is damaged.
        """
        config = self.config
        entries = None if config.entries is None else read_entries(_place(config.entries, report))
        clusters = None
        if config.clusters is not None:
            clusters = read_clusters(_place(config.clusters, report))
        return ProteinRows(config, entries, clusters, report)

    def record(self, report: Report, jobs: int = JOBS) -> dict[str, object]:
        """Return the record of the lists, hash and size of each, and of a folder as a whole.

        Raises
        ------
        UserError
            If a file does not exist.
        FetchError, IntegrityError
            If a list cannot be had or is damaged.
        """
        found: dict[str, dict[str, object]] = {}
        for place in (self.config.entries, self.config.clusters):
            if place is not None:
                path = _place(place, report)
                found[place] = {"sha256": sha256_file(path), "size": path.stat().st_size}
        if not self.config.remote:
            # One hash of all: a copy of the archive has more files than a record should have lines.
            entries = _folder(Path(self.config.files))
            hashes = {entry: sha256_file(path) for entry, path in sorted(entries.items())}
            size = sum(path.stat().st_size for path in entries.values())
            found[self.config.files] = {"sha256": sha256_json(hashes), "size": size}
        return {"dataset": self.name, "licence": self.facts["licence"], "files": found}


class ProteinRows(Rows):
    """One chain of each cluster: the first member, in their order, that fits.

    A row is named by the first of its cluster's members in alphabetical order, which need not
    be the one that is taken.
    """

    def __init__(
        self,
        config: ProteinArchive,
        entries: Mapping[str, Entry] | None,
        clusters: Sequence[list[Entity]] | None,
        report: Report,
    ) -> None:
        self._config, self._report = config, report
        self._entries = entries or {}
        self._folder = None if config.remote else _folder(Path(config.files))
        if clusters is None:
            if entries is None and self._folder is None:
                raise UserError("entries: without it and clusters there is nothing to choose from")
            names = entries if self._folder is None else self._folder
            clusters = [[Entity(entry, 0)] for entry in names or {}]
        kept = ([m for m in cluster if self._may(m, entries)] for cluster in clusters)
        self._clusters = {str(min(members)): members for members in kept if members}

    def ids(self) -> Sequence[str]:
        """Return the name of every cluster of which an entry can be had."""
        return list(self._clusters)

    def take(self, ids: Sequence[str]) -> list[Structure | Skipped]:
        """Return a chain for each cluster, or why none of its members fits."""
        if self._folder is None:
            firsts = [in_order(self._clusters[name], self._entries)[0].entry for name in ids]
            self._report(f"fetching {len(set(firsts)):,} entries of the Protein Data Bank")
            for found in bring_all(map(self._remote, firsts), _quiet).values():
                if isinstance(found, MatterAlignError):
                    raise found
        return [self._chain(name) for name in ids]

    def _may(self, member: Entity, entries: Mapping[str, Entry] | None) -> bool:
        """Return whether the lists let a member through, before its file is read."""
        if self._folder is not None and member.entry not in self._folder:
            return False
        if entries is None:
            return True
        if member.entry not in entries:
            return False
        told = entries[member.entry]
        methods, worst = self._config.methods, self._config.resolution
        if told.method is not None and methods and told.method not in map(str.upper, methods):
            return False
        return told.resolution is None or worst is None or told.resolution <= worst

    def _chain(self, name: str) -> Structure | Skipped:
        members = in_order(self._clusters[name], self._entries)
        reasons = []
        for member in members[: self._config.tries]:
            try:
                return self._read(member)
            except (IntegrityError, _UnfitError) as error:
                reasons.append(f"{member}: {error}")
        more = len(members) - len(reasons)
        return Skipped(
            f"cluster of {name}",
            "; ".join(reasons) + (f"; {more} more members were not looked at" if more else ""),
        )

    def _read(self, member: Entity) -> Structure:
        path = self._path(member.entry)
        block = read_block(path)
        _check(block, path, self._config)
        asym = columns(block, "struct_asym", path)
        of = dict(zip(asym.get("id", []), asym.get("entity_id", []), strict=True))
        chains = [
            chain
            for chain in chains_of(block, path)
            if not member.number or str(of.get(chain.id.rpartition("_")[2])) == str(member.number)
        ]
        # A, B, … Z, AA: the shortest first.
        chains.sort(key=lambda chain: (len(chain.id), chain.id))
        if not chains:
            raise _UnfitError("no protein chain with coordinates")
        for chain in chains:
            if self._config.residues.holds(len(chain.sequence or "")):
                return chain
        raise _UnfitError(f"{len(chains[0].sequence or '')} residues")

    def _path(self, entry: str) -> Path:
        return self._remote(entry).bring(_quiet) if self._folder is None else self._folder[entry]

    def _remote(self, entry: str) -> Wanted:
        return _file(f"{self._config.files.rstrip('/')}/{entry}.cif.gz")


class _UnfitError(Exception):
    """An entry that the configuration does not want."""


def _check(block: Any, path: Path, config: ProteinArchive) -> None:
    methods = [str(m).upper() for m in columns(block, "exptl", path).get("method", [])]
    if config.methods and not set(methods) & {m.upper() for m in config.methods}:
        raise _UnfitError(f"method {' and '.join(methods) or 'not stated'}")
    if config.resolution is None:
        return
    for category, name in _RESOLUTION:
        for text in columns(block, category, path).get(name, []):
            try:
                resolution = float(text)
            except ValueError:
                continue  # the file says ? or . for no value
            if resolution > config.resolution:
                raise _UnfitError(f"resolution {resolution:g} Å")
            return
    raise _UnfitError("no resolution")


def _file(address: str) -> Wanted:
    name = address.rstrip("/").rpartition("/")[2]
    return Wanted(PinnedFile(name=name, sources=[UrlSource(url=address)]))


def _place(place: str, report: Report) -> Path:
    if is_address(place):
        return _file(place).bring(report)
    if not Path(place).is_file():
        raise UserError(f"{place}: file does not exist")
    return Path(place)


def _folder(path: Path) -> dict[str, Path]:
    """Return the files of a folder by entry, at any depth, as mirrors of the archive lie."""
    if not path.is_dir():
        raise UserError(f"{path}: folder does not exist")
    found: dict[str, Path] = {}
    for file in _files(path):
        entry = file.name.split(".")[0].upper()
        if entry in found:
            raise UserError(f"{found[entry]} and {file} are both entry {entry}")
        found[entry] = file
    if not found:
        raise UserError(f"{path}: no .cif or .cif.gz in it")
    return found


def _files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*.cif*") if p.name.endswith((".cif", ".cif.gz")))


def _quiet(_: str) -> None:
    """Say nothing of single entries: there are thousands."""
