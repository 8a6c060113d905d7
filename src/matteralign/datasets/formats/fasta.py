"""Protein sequences as FASTA."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from functools import partial
from pathlib import Path

import numpy as np
from biotite.file import InvalidFileError
from biotite.sequence.io.fasta import FastaFile

from matteralign.core.errors import IntegrityError
from matteralign.datasets.own import BadRecordError, Format, Record
from matteralign.store.structures import Structure

# Ambiguous and rare residues, as the letter for those that are none of the twenty.
_RARE = str.maketrans("BJOUZ", "XXXXX")
_LETTERS = re.compile(r"[ACDEFGHIKLMNPQRSTVWYX]+")


class Fasta(Format):
    """The id is the first word of a header."""

    def records(self, places: Collection[str] | None = None) -> Iterator[Record]:
        """Yield the sequences in their order."""
        for number, (header, sequence) in enumerate(_entries(self.path)):
            place = f"{self.path.name}, record {number}"
            if places is None or place in places:
                identifier = header.split()[0] if header.split() else None
                yield Record(place, identifier, partial(_make, identifier, sequence, place))


def _entries(path: Path) -> Iterator[tuple[str, str]]:
    try:
        with open(path, encoding="utf-8") as lines:
            yield from FastaFile.read_iter(lines)
    except (InvalidFileError, UnicodeDecodeError, ValueError) as error:
        raise IntegrityError(f"{path}: not readable as FASTA: {error}") from error


def _make(identifier: str | None, sequence: str, place: str) -> Structure:
    letters = sequence.upper().removesuffix("*").translate(_RARE)
    if not letters:
        raise BadRecordError("no residues")
    if not _LETTERS.fullmatch(letters):
        wrong = sorted(set(_LETTERS.sub("", letters)))
        raise BadRecordError(
            f"{', '.join(map(repr, wrong))} is none of the twenty amino acids or X"
        )
    return Structure(
        id=identifier or place,
        numbers=np.empty(0, np.uint8),
        positions=np.empty((0, 3)),
        sequence=letters,
        source=place,
    )
