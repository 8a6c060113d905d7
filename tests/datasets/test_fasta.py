"""Sequences that are not of proteins, and those that only look like it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.datasets.test_own import good, reasons, take


def read(tmp_path: Path, letters: str) -> str:
    path = tmp_path / "a.fasta"
    path.write_text(f">x\n{letters}\n")
    found = take("fasta", path)
    return str(good(found)["x"].sequence) if good(found) else reasons(found)["a.fasta, record 0"]


NUCLEOTIDES = {
    "DNA": "ATGGCCATTGTAATGGGCCGCTGAAAGGGTGCCCGATAG",
    "RNA": "AUGGCCAUUGUAAUGGGCC",
    "small letters": "atggccattgtaatgggcc",
    "codes of IUPAC": "ATGGCCATTGTAATGGGCCRYATTGACCATG",
    "unknown letters": "ATGNNNNNNNNNATGC",
    "over lines": "ATGGC\nCATTG\nTAATG",
}


@pytest.mark.parametrize("kind", NUCLEOTIDES)
def test_dna_and_rna_are_no_protein(kind: str, tmp_path: Path) -> None:
    told = read(tmp_path, NUCLEOTIDES[kind])
    assert told.startswith("it looks like DNA or RNA: ")


# Silk of Bombyx mori, the antifreeze protein of Tenebrio molitor (P-class repeats of TCT), chain A
# of human insulin, and stretches of one or two kinds.
PROTEINS = {
    "silk": "GAGAGSGAGAGSGAGAGS",
    "glycine and alanine": "GAGAGAGAGAGAGAGA",
    "alanine": "AAAAAAAAAAAAAAAA",
    "antifreeze": "QCTGGADCTSCTGACTGCGNCPNAVTCTNSQHCVKANTCTGSTDCNTAQTCTNSKDCFEANTC",
    "short": "GATTACA",
    "insulin": "GIVEQCCTSICSLYQLENYCN",
}


@pytest.mark.parametrize("kind", PROTEINS)
def test_proteins_of_few_kinds_of_residues_are_read(kind: str, tmp_path: Path) -> None:
    assert read(tmp_path, PROTEINS[kind]) == PROTEINS[kind]


@given(st.text("ACGT", min_size=60, max_size=200))
def test_long_dna_is_never_read_as_protein(
    tmp_path_factory: pytest.TempPathFactory, letters: str
) -> None:
    told = read(tmp_path_factory.mktemp("f"), letters)
    assert told == letters if len(set(letters)) < 3 else "DNA or RNA" in told


@pytest.mark.parametrize(
    ("letters", "reason"),
    [
        ("MKT*AYI", "'*' is none of the twenty"),
        ("MKT--AYI", "'-' is none of the twenty"),
        ("10 MKTAY", "'0', '1' is none of the twenty"),
        ("", "no residues"),
        ("*", "no residues"),
    ],
)
def test_what_is_no_letter_of_a_residue_is_named(letters: str, reason: str, tmp_path: Path) -> None:
    assert reason in read(tmp_path, letters)
