"""Protein sequences as FASTA."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from matteralign.core.errors import IntegrityError
from matteralign.datasets.base.attempt import BadRecordError
from matteralign.datasets.base.text import flaw, open_text
from matteralign.datasets.own.own import Format, Record
from matteralign.datasets.proteins.residues import OTHER_LETTERS
from matteralign.store.structures import Structure

_OTHERS = str.maketrans(dict(OTHER_LETTERS))
_LETTERS = re.compile(r"[ACDEFGHIKLMNPQRSTVWYX]+")
_CODES = frozenset("ACGTUNRYKMSWBDHV")  # of IUPAC, a nucleotide or a choice of several
_LEAST_JUDGED = 10
_PLAIN_SHARE = 0.9
_MOST_RESIDUES = 100_000
"""More than any protein has."""


@dataclass
class _Entry:
    """A header without its ``>``, and the lines below it that are kept."""

    header: str
    lines: list[str] = field(default_factory=list)
    residues: int = 0

    def add(self, line: str) -> None:
        letters = "".join(line.split())
        self.residues += len(letters)
        if self.residues <= _MOST_RESIDUES:
            self.lines.append(letters)

    @property
    def name(self) -> str | None:
        """The first word of the header."""
        word = next(iter(self.header.split()), "")
        return word if word and flaw(word) is None else None


class Fasta(Format):
    """The id is the first word of a header."""

    def records(self, places: Collection[str] | None = None) -> Iterator[Record]:
        """Yield the sequences in their order, those without a residue among them."""
        for number, entry in enumerate(self._entries()):
            place = f"{self.path.name}, record {number}"
            if places is None or place in places:
                yield Record(place, entry.name, partial(_make, entry, place))

    def _entries(self) -> Iterator[_Entry]:
        found: _Entry | None = None
        with open_text(self.path) as lines:
            for number, line in enumerate(lines, 1):
                if line.startswith(">"):
                    if found is not None:
                        yield found
                    found = _Entry(line[1:])
                elif line.startswith(";") or not line.strip():
                    continue  # a remark, as the first programs wrote them
                elif found is None:
                    raise IntegrityError(
                        f"{self.path}, line {number}: not readable as FASTA: "
                        f"{line.strip()[:40]!r} stands before the first header (>)"
                    )
                else:
                    found.add(line)
        if found is not None:
            yield found


def _make(entry: _Entry, place: str) -> Structure:
    wrong = flaw(" ".join(entry.header.split()[:1]))
    if wrong is not None:
        raise BadRecordError(f"its header {entry.header.strip()[:60]!a} {wrong}")
    if entry.residues > _MOST_RESIDUES:
        raise BadRecordError(
            f"{entry.residues:,} residues; from 1 to {_MOST_RESIDUES:,} can be read"
        )
    letters = "".join(entry.lines).upper().removesuffix("*").translate(_OTHERS)
    if not letters:
        raise BadRecordError("no residues")
    if not _LETTERS.fullmatch(letters):
        strange = sorted(set(_LETTERS.sub("", letters)))[:10]
        raise BadRecordError(
            f"{', '.join(map(repr, strange))} is none of the twenty amino acids or X"
        )
    if _nucleotides("".join(entry.lines).upper()):
        raise BadRecordError(
            f"it looks like DNA or RNA: {len(letters)} letters, all codes of nucleotides; give the "
            "sequence of the protein"
        )
    return Structure(
        id=entry.name or place,
        numbers=np.empty(0, np.uint8),
        positions=np.empty((0, 3)),
        sequence=letters,
        source=place,
    )


def _nucleotides(letters: str) -> bool:
    """Return whether letters are those of DNA or RNA.

    A protein of ten residues has only these in one of some hundred thousand cases. Of less than
    three kinds there are repeats in proteins, as in silk.
    """
    plain = sum(letters.count(letter) for letter in "ACGTUN")
    return (
        len(letters) >= _LEAST_JUDGED
        and set(letters) <= _CODES
        and plain >= _PLAIN_SHARE * len(letters)
        and len(set(letters.replace("U", "T")) & set("ACGT")) >= 3
    )
