"""Records of QM9 written as its authors wrote them, from the rows of the registry's tables."""

from __future__ import annotations

import csv
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

PROPERTIES = (
    "RotA_GHz", "RotB_GHz", "RotC_GHz", "Dipole_debye", "Polarizability_bohr3", "HOMO_au",
    "LUMO_au", "HOMO_LUMO_gap_au", "R2_bohr2", "ZPVE_au", "InternalEnergy_0K_au",
    "InternalEnergy_298K_au", "Enthalphy_298K_au", "GibbsFreeEnergy_298K_au",
    "Heatcapacity_Cv_cal_mol_K",
)  # fmt: skip


def rows(path: Path, numbers: set[int], exponents: int) -> list[dict[str, str]]:
    """Return rows by their index, and the first with an exponent in a coordinate."""
    with open(path, newline="", encoding="utf-8") as handle:
        head = handle.readline()
        picked = []
        for line in handle:
            odd = exponents > 0 and "E-" in line.split('"[[', 1)[1].split("]]", 1)[0]
            exponents -= odd
            if odd or int(line.split(",", 2)[1]) in numbers:
                picked.append(line)
    return list(csv.DictReader([head, *picked]))


def xyz(row: Mapping[str, str]) -> bytes:
    """Return a row as its xyz file: tabs, `*^` for the exponent, two SMILES, two InChI."""

    def number(text: str) -> str:
        return text.strip().replace("E", "*^")

    elements = json.loads(row["Elements"].replace("'", '"'))
    triples = [part.split(",") for part in row["XYZ_Ang"].strip("[]").split("],[")]
    charges = row["Mulliken_pop"].strip("[]").split(",")
    lines = [
        str(len(elements)),
        f"gdb {row['Index']}\t" + "\t".join(number(row[name]) for name in PROPERTIES) + "\t",
    ]
    for element, triple, charge in zip(elements, triples, charges, strict=True):
        lines.append("\t".join([element, *map(number, triple), number(charge)]))
    lines.append("\t".join(map(number, row["Harmonic_Freq_cmi"].strip("[]").split(","))))
    # The second SMILES is that of the relaxed geometry: another text for the same molecule.
    lines.append(f"{row['SMILES']}\t{row['SMILES'].swapcase()}\t")
    lines.append(f"{row['InChi']}\t{row['InChi']}")
    return ("\n".join(lines) + "\n").encode()


def archive(members: Sequence[tuple[int, bytes]]) -> bytes:
    """Return ``dsgdb9nsd.xyz.tar.bz2`` with these records."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:bz2") as bundle:
        for index, content in members:
            info = tarfile.TarInfo(f"dsgdb9nsd_{index:06d}.xyz")
            info.size = len(content)
            bundle.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def uncharacterized(numbers: Sequence[int]) -> bytes:
    """Return a list in the layout of ``uncharacterized.txt``."""
    head = (
        "List of molecules among the 133885 GDB9 molecules for which the Corina generated\n\n"
        + "=" * 40
        + "\n#   Index      GDB17 SMILES      SMILES for B3LYP XYZ      D_IJ\n"
        + "=" * 40
        + "\n"
    )
    body = "".join(f"{n:8d}      NC(=N)C#N      NC(=N)C#N      6.036217\n" for n in numbers)
    return (head + body + "=" * 40 + "\n").encode()
