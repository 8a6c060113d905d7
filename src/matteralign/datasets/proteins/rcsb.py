"""Chains of the Protein Data Bank: one of each cluster of sequences, or of each entry."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from matteralign.config.datasets import ProteinArchive
from matteralign.core.errors import MatterAlignError, UserError
from matteralign.datasets.base.attempt import BadRecordError, RecordWarning, attempt
from matteralign.datasets.base.card import DatasetCard, Version
from matteralign.datasets.base.dataset import Dataset, Skipped
from matteralign.datasets.drawing.sample import rank
from matteralign.datasets.proteins.chains import Chain, chains_of
from matteralign.datasets.proteins.mmcif import columns, read_block, read_entry
from matteralign.datasets.proteins.rcsb_lists import (
    Entity,
    Entry,
    in_order,
    read_clusters,
    read_entries,
)
from matteralign.registry.pinned import PinnedFile, UrlSource
from matteralign.sources.wanted import Wanted, bring_all
from matteralign.store.structures import Structure

# Where the methods write the resolution, in Å, the first that is there.
_RESOLUTION = (
    ("refine", "ls_d_res_high"),
    ("em_3d_reconstruction", "resolution"),
    ("reflns", "d_resolution_high"),
)


class ProteinDataBank(Dataset):
    """One chain of each cluster: the first member, in their order, that fits; or of each entry.

    A row is named by the first of its cluster's members in alphabetical order, which need not
    be the one that is taken. The options of a version are the fields of `ProteinArchive`;
    `entries` and `clusters` name two of its files.
    """

    def __init__(self, card: DatasetCard, version: Version, raw: Mapping[str, Path]) -> None:
        super().__init__(card, version, raw)
        self._config = config = ProteinArchive(kind="rcsb").over(version.options)
        entries = None if config.entries is None else read_entries(raw[config.entries])
        clusters = None if config.clusters is None else read_clusters(raw[config.clusters])
        self._entries = entries or {}
        self._methods = frozenset(method.upper() for method in config.methods)
        self._folder = None if config.remote else entry_files(Path(config.files))
        if clusters is None:
            if entries is None and self._folder is None:
                raise UserError("entries: without it and clusters there is nothing to choose from")
            names = entries if self._folder is None else self._folder
            clusters = [[Entity(entry, 0)] for entry in names or {}]
        kept = ([m for m in cluster if self._may(m, entries)] for cluster in clusters)
        self._clusters = {str(min(members)): members for members in kept if members}

    def ids(self) -> Sequence[str]:
        """Return the name of every cluster with at least one available entry."""
        return list(self._clusters)

    def take(self, ids: Sequence[str]) -> list[Structure | Skipped]:
        """Return a chain for each cluster, or why none of its members fits."""
        if self._folder is None:
            firsts = [in_order(self._clusters[name], self._entries)[0].entry for name in ids]
            if self.report is not None:
                self.report(f"fetching {len(set(firsts)):,} entries of the Protein Data Bank")
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
        worst = self._config.resolution
        if told.methods and self._methods and not told.methods & self._methods:
            return False
        return told.resolution is None or worst is None or told.resolution <= worst

    def _chain(self, name: str) -> Structure | Skipped:
        members = in_order(self._clusters[name], self._entries)
        place = f"cluster of {name}" if self._config.clusters else f"entry {name}"
        reasons, warned = list[str](), tuple[str, ...]()
        for member in members[: self._config.tries]:
            # Outside: a file that is damaged here must not make another row than elsewhere.
            path = self._path(member.entry)
            read = attempt(partial(self._read, member, path), str(member), warned)
            warned = read.warnings
            if read.value is not None:
                return self.settled(place, read)
            reasons.append(f"{member}: {read.reason}")
        more = len(members) - len(reasons)
        return Skipped(
            place,
            "; ".join(reasons) + (f"; {more} more members were not looked at" if more else ""),
            warned,
        )

    def _read(self, member: Entity, path: Path) -> Structure:
        block = read_block(path)
        self._check(block, path)
        chains = [
            chain
            for chain in chains_of(read_entry(block, path), path, member.entry)
            if not member.number or chain.entity == str(member.number)
        ]
        # A, B, … Z, AA: the shortest first.
        chains.sort(key=lambda chain: (len(chain.name), chain.name))
        fit = {
            chain: chain.made
            for chain in chains
            if isinstance(chain.made, Structure)
            and self._config.residues.holds(len(chain.made.sequence or ""))
        }
        if not fit:
            raise _UnfitError(_unfit(chains))
        chosen = next(iter(fit))
        if self._config.pick == "drawn":
            # Not by the draw's seed: a row must not depend on the slice that asks for it.
            chosen = min(fit, key=lambda chain: rank(0, f"{member.entry}_{chain.name}"))
        for text in chosen.warnings:
            warnings.warn(text, RecordWarning, stacklevel=2)
        return fit[chosen]

    def _path(self, entry: str) -> Path:
        return self._remote(entry).bring(_quiet) if self._folder is None else self._folder[entry]

    def _remote(self, entry: str) -> Wanted:
        return remote_file(f"{self._config.files.rstrip('/')}/{entry}.cif.gz")

    def _check(self, block: Any, path: Path) -> None:
        """Raise when method or resolution of an entry are not wanted."""
        methods = [str(m).upper() for m in columns(block, "exptl", path).get("method", [])]
        if self._methods and not self._methods.intersection(methods):
            raise _UnfitError(f"method {' and '.join(methods) or 'not stated'}")
        worst = self._config.resolution
        if worst is None:
            return
        for category, name in _RESOLUTION:
            for text in columns(block, category, path).get(name, []):
                try:
                    resolution = float(text)
                except ValueError:
                    continue  # the file says ? or . for no value
                if resolution > worst:
                    raise _UnfitError(f"resolution {resolution:g} Å")
                return
        raise _UnfitError("no resolution")


def _unfit(chains: Sequence[Chain]) -> str:
    """Return why none of an entry's chains is taken."""
    if not chains:
        return "no protein chain with coordinates"
    made = chains[0].made
    if isinstance(made, str):
        return f"chain {chains[0].name}: {made}"
    return f"{len(made.sequence or '')} residues"


class _UnfitError(BadRecordError):
    """An entry that the configuration does not want."""


def remote_file(address: str) -> Wanted:
    """Return a file of an address as the download layer takes it."""
    name = address.rstrip("/").rpartition("/")[2]
    return Wanted(PinnedFile(name=name, sources=[UrlSource(url=address)]))


def mmcif_files(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Yield the mmCIF files of a folder, at any depth, as the system lists them.

    Raises
    ------
    UserError
        If one is a link to nothing.
    """
    with os.scandir(folder) as listed:
        for entry in listed:
            if entry.is_dir(follow_symlinks=False):
                yield from mmcif_files(Path(entry.path))
            elif entry.name.endswith((".cif", ".cif.gz")):
                if not entry.is_file():
                    raise UserError(f"{entry.path}: not a file, or a link to one that is gone")
                yield entry


def entry_files(folder: Path) -> dict[str, Path]:
    """Return the files of a folder by entry, at any depth, as mirrors of the archive lie.

    Raises
    ------
    UserError
        If the folder does not exist, has no entries, or two files are of one entry.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: folder does not exist")
    found: dict[str, Path] = {}
    for path in sorted(Path(listed.path) for listed in mmcif_files(folder)):
        entry = path.name.split(".")[0].upper()
        if entry in found:
            raise UserError(f"{found[entry]} and {path} are both entry {entry}")
        found[entry] = path
    if not found:
        raise UserError(f"{folder}: no .cif or .cif.gz in it")
    return found


def _quiet(_: str) -> None:
    """Say nothing of single entries: there are thousands."""
