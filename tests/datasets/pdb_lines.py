"""PDB and mmCIF files of a few linked residues, written line by line."""

from __future__ import annotations

from collections.abc import Sequence

from matteralign.datasets.proteins.chains import BACKBONE
from matteralign.datasets.proteins.peptides import peptide

_BOUND = peptide(24, 5)
"""A helix: residues side by side in it have a peptide bond."""


def pdb_lines(
    comps: Sequence[str],
    numbers: Sequence[int | str] | None = None,
    *,
    chain: str = "A",
    record: str = "ATOM",
    shift: float = 0.0,
    first: int = 0,
    alternative: str = "",
    occupancy: float = 1.0,
    element: bool = True,
    segment: str = "",
) -> list[str]:
    """Return the backbone of linked residues as a PDB file has it.

    Parameters
    ----------
    numbers
        With the insertion code, as ``"5A"``; left out: 1, 2, ….
    shift
        Å along every axis: what is far off is not linked to the rest.
    first
        Which residue of the helix comes first.
    """
    assert _BOUND.backbone is not None
    lines: list[str] = []
    for index, comp in enumerate(comps):
        place = str(index + 1 if numbers is None else numbers[index])
        number, code = (place[:-1], place[-1]) if place[-1].isalpha() else (place, " ")
        for name, atom in zip(BACKBONE, _BOUND.backbone[first + index] + shift, strict=True):
            x, y, z = atom
            lines.append(
                f"{record:<6}{len(lines) + 1:>5}  {name:<3}{alternative or ' '}{comp[:3]:>3}"
                f"{comp[3:4] or ' '}{chain or ' '}{number:>4}{code}   {x:8.3f}{y:8.3f}{z:8.3f}"
                f"{occupancy:6.2f}{20:6.2f}      {segment:<4}{name[0] if element else '':>2}"
            )
    return lines


def seqres(comps: Sequence[str], chain: str = "A") -> list[str]:
    """Return the SEQRES records of a chain."""
    return [
        f"SEQRES {row + 1:>3} {chain} {len(comps):>4}  {' '.join(comps[13 * row : 13 * row + 13])}"
        for row in range((len(comps) + 12) // 13)
    ]


def cif_of(
    lines: Sequence[str], *, polymer: Sequence[str] | None = None, label: str | None = None
) -> str:
    """Return an mmCIF file with the atoms of PDB lines.

    Parameters
    ----------
    polymer
        The sequence of entity 1; left out: the file lists no sequence.
    label
        What to write for `label_asym_id` and `label_seq_id`; left out: the PDB file's values.
    """
    head = ["data_x", "_entry.id model"]
    if polymer is not None:
        head += ["loop_", "_entity_poly_seq.entity_id", "_entity_poly_seq.num"]
        head += ["_entity_poly_seq.mon_id", *(f"1 {i} {c}" for i, c in enumerate(polymer, 1))]
    names = [
        *("group_PDB", "id", "type_symbol", "label_atom_id", "label_alt_id", "label_comp_id"),
        *("label_asym_id", "label_entity_id", "label_seq_id", "pdbx_PDB_ins_code", "Cartn_x"),
        *("Cartn_y", "Cartn_z", "occupancy", "auth_seq_id", "auth_asym_id", "pdbx_PDB_model_num"),
    ]
    rows = []
    for line in lines:
        if not line.startswith(("ATOM", "HETATM")):
            continue
        chain, number = line[21].strip() or ".", line[22:26].strip()
        cells = [
            line[:6], line[6:11], line[76:78].strip() or "?", line[12:16], line[16].strip() or ".",
            line[17:21], label or chain, "1" if polymer else "?", label or number,
            line[26].strip() or "?", line[30:38], line[38:46], line[46:54], line[54:60], number,
            chain, "1",
        ]  # fmt: skip
        rows.append(" ".join(cell.strip() for cell in cells))
    return "\n".join([*head, "loop_", *(f"_atom_site.{name}" for name in names), *rows]) + "\n"
