"""What is of a chain, and what its letters are: one answer for PDB and mmCIF."""

from __future__ import annotations

import gzip
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matteralign.config.datasets import OwnDataset
from matteralign.datasets.base.dataset import Skipped
from matteralign.datasets.own.own import OwnRows, open_format
from matteralign.datasets.proteins.atoms import element_of
from matteralign.datasets.proteins.linked import residues_of
from matteralign.datasets.proteins.pdb import read_pdb
from matteralign.datasets.proteins.placed import by_sequence
from matteralign.store.structures import Structure
from tests.datasets.pdb_lines import cif_of, pdb_lines, seqres

MKTAY = ["MET", "LYS", "THR", "ALA", "TYR"]
Read = Callable[..., dict[str, Structure | Skipped]]


@pytest.fixture
def rows(tmp_path: Path) -> Callable[[], OwnRows]:
    config = OwnDataset(kind="structure-folder", path=str(tmp_path))
    return lambda: OwnRows(open_format(config))


@pytest.fixture
def read(tmp_path: Path, rows: Callable[[], OwnRows]) -> Read:
    """Write files and return the rows of their folder by id."""

    def run(**files: Sequence[str] | str) -> dict[str, Structure | Skipped]:
        for name, content in files.items():
            text = content if isinstance(content, str) else "\n".join(content) + "\n"
            (tmp_path / name.replace("_", ".")).write_text(text)
        opened = rows()
        return dict(zip(opened.ids(), opened.take(opened.ids()), strict=True))

    return run


@pytest.fixture
def letters(read: Read) -> Callable[..., dict[str, str]]:
    """As `read`: sequences, or why there is none."""

    def run(**files: Sequence[str] | str) -> dict[str, str]:
        return {
            name: row.reason if isinstance(row, Skipped) else str(row.sequence)
            for name, row in read(**files).items()
        }

    return run


Letters = Callable[..., dict[str, str]]


def both(lines: Sequence[str]) -> dict[str, Sequence[str] | str]:
    """The same atoms in either format."""
    return {"p_pdb": lines, "c_cif": cif_of(lines)}


NAMED = {
    "HIE": "H", "HID": "H", "HIP": "H", "HSD": "H", "HSE": "H", "HSP": "H", "CYX": "C", "CYM": "C",
    "ASH": "D", "GLH": "E", "LYN": "K", "ARN": "R", "HISE": "H", "CYS2": "C", "LYSH": "K",
    "ASPP": "D", "NALA": "A", "CGLU": "E", "MSE": "M", "SEP": "S", "TPO": "T", "PTR": "Y",
    "CSO": "C", "MLY": "K", "KCX": "K", "PCA": "Q", "DAL": "A", "DTR": "W", "SEC": "C", "PYL": "K",
    "UNK": "X", "ASX": "X", "GLX": "X",
}  # fmt: skip


@pytest.mark.parametrize(("comp", "letter"), NAMED.items())
def test_names_of_residues_become_letters(comp: str, letter: str, letters: Letters) -> None:
    lines = pdb_lines(["MET", "LYS", comp, "ALA", "TYR"])
    assert letters(**both(lines)) == {"p_A": f"MK{letter}AY", "c_A": f"MK{letter}AY"}


@pytest.mark.parametrize("alternatives", ["12", "AB", "BA"])
def test_the_more_occupied_location_is_kept_whatever_its_name(
    alternatives: str, read: Read
) -> None:
    one = pdb_lines(MKTAY, alternative=alternatives[0], occupancy=0.4)
    other = pdb_lines(MKTAY, alternative=alternatives[1], occupancy=0.6, shift=0.3)
    lines = [line for pair in zip(one, other, strict=True) for line in pair]
    expected = pdb_lines(MKTAY, shift=0.3)
    for row in read(**both(lines)).values():
        assert isinstance(row, Structure)
        assert row.sequence == "MKTAY"
        assert row.n_atoms == 20
        assert row.positions[0, 0] == pytest.approx(float(expected[0][30:38]))


def test_of_equal_locations_the_first_is_kept(read: Read) -> None:
    one, other = (
        pdb_lines(MKTAY, alternative=a, occupancy=0.5, shift=s) for a, s in (("B", 0.0), ("A", 0.3))
    )
    (row,) = read(p_pdb=[line for pair in zip(one, other, strict=True) for line in pair]).values()
    assert isinstance(row, Structure)
    assert row.positions[0, 0] == pytest.approx(float(one[0][30:38]))


def test_two_amino_acids_at_one_place_are_one_residue(letters: Letters) -> None:
    pro = pdb_lines(["PRO"], ["2"], first=1, alternative="A", occupancy=0.3)
    ser = pdb_lines(["SER"], ["2"], first=1, alternative="B", occupancy=0.7)
    rest = pdb_lines(MKTAY)
    mixed = [line for pair in zip(pro, ser, strict=True) for line in pair]
    for middle in (pro + ser, mixed):
        lines = rest[:4] + middle + rest[8:]
        assert letters(**both(lines)) == {"p_A": "MSTAY", "c_A": "MSTAY"}


@pytest.mark.parametrize(
    "numbers",
    [
        range(-3, 2),  # a tag before residue 1
        [-2, -1, 1, 2, 3],  # many leave out 0
        [5, "5A", "5B", 6, 7],
        ["1B", "1A", 1, 2, 3],  # as thrombin: backwards
        ["1A", "2A", 1, 2, 3],
        [9, 10, 1, 2, 3],  # a circular permutation
        [16, 17, 19, 20, "20A"],  # of a family: skips numbers
    ],
)
def test_linked_residues_stand_in_the_order_of_their_bonds(
    numbers: Sequence[int | str], letters: Letters
) -> None:
    assert letters(**both(pdb_lines(MKTAY, numbers))) == {"p_A": "MKTAY", "c_A": "MKTAY"}


def test_residues_that_a_program_appended_stand_where_they_are_bound(letters: Letters) -> None:
    lines = pdb_lines(MKTAY)
    assert letters(**both(lines[:4] + lines[12:] + lines[4:12])) == {"p_A": "MKTAY", "c_A": "MKTAY"}


def test_numbers_beyond_four_digits(letters: Letters) -> None:
    lines = pdb_lines(MKTAY)
    for form in ("A00{}", "1000{}"):  # hybrid-36, and a digit in the column of the code
        made = [line[:22] + f"{form.format(line[25]):<5}" + line[27:] for line in lines]
        assert letters(p_pdb=made) == {"p_A": "MKTAY"}


def test_skipped_numbers_are_unknown_residues_where_no_sequence_says_more(read: Read) -> None:
    lines = pdb_lines(MKTAY[:2]) + pdb_lines(MKTAY[2:], [6, 7, 8], first=4)
    for row in read(**both(lines)).values():
        assert isinstance(row, Structure)
        assert row.sequence == "MKXXXTAY"
        assert row.backbone is not None
        assert np.isnan(row.backbone[2:5]).all()
        assert np.isfinite(row.backbone[[0, 1, 5, 6, 7]]).all()


FREE = pdb_lines(["GLU"], [301], record="HETATM", shift=40.0)


@pytest.mark.parametrize("end", [["TER"], []])
@pytest.mark.parametrize(
    "beside",
    [
        FREE,
        pdb_lines(["UNK"], [301], record="HETATM", shift=40.0),
        pdb_lines(["GLU"], [301], record="ATOM", shift=40.0),  # some programs write ATOM alone
        pdb_lines(["MSE"], [301], record="HETATM", shift=40.0),
        pdb_lines(["LIG", "ALA"], [301, 302], record="HETATM", shift=40.0),  # a peptide ligand
        pdb_lines(["HOH"], [401], record="HETATM", shift=40.0)[3:],
        ["HETATM  900 CA    CA A 401      40.000  40.000  40.000  1.00 20.00          CA"],
    ],
)
def test_what_has_the_letter_of_a_chain_and_no_bond_to_it_is_not_of_it(
    end: list[str], beside: list[str], read: Read
) -> None:
    for row in read(**both(pdb_lines(MKTAY) + end + beside)).values():
        assert isinstance(row, Structure)
        assert (row.sequence, row.n_atoms) == ("MKTAY", 20)


def test_modified_residues_in_hetero_records_are_of_the_chain_where_they_are_bound(
    letters: Letters,
) -> None:
    lines = pdb_lines(["MSE", "LYS", "SEP", "ALA", "MSE"])
    made = [line.replace("ATOM  ", "HETATM") if line[17:20] in ("MSE", "SEP") else line
            for line in lines]  # fmt: skip
    assert letters(**both(made)) == {"p_A": "MKSAM", "c_A": "MKSAM"}
    only = [line.replace("ATOM  ", "HETATM") for line in lines]
    assert letters(**both(only)) == {"p_A": "MKSAM", "c_A": "MKSAM"}


WHOLE = ["GLY", "SER", *MKTAY, "LEU", "GLU"]


@pytest.mark.parametrize("numbers", [None, [3, 4, 5, 6, 7], [27, 28, 29, 30, 31]])
def test_the_sequence_of_the_file_is_the_chains(
    numbers: Sequence[int] | None, letters: Letters
) -> None:
    lines = pdb_lines(MKTAY, numbers)
    found = letters(p_pdb=seqres(WHOLE) + lines, c_cif=cif_of(lines, polymer=WHOLE, label="."))
    assert found == {"p_A": "GSMKTAYLE", "c_A": "GSMKTAYLE"}


def test_a_gap_is_placed_by_bonds_then_by_numbers(read: Read) -> None:
    """Ten alanines of which 2 to 3 and 7 to 8 were seen: only the numbers tell where."""
    ten = ["ALA"] * 10
    lines = pdb_lines(ten[:2], [2, 3]) + pdb_lines(ten[:2], [7, 8], first=6)
    for row in read(
        p_pdb=seqres(ten) + lines, c_cif=cif_of(lines, polymer=ten, label=".")
    ).values():
        assert isinstance(row, Structure)
        assert row.sequence == "A" * 10
        assert row.backbone is not None
        seen = np.isfinite(row.backbone).all(axis=(1, 2))
        assert np.flatnonzero(seen).tolist() == [1, 2, 6, 7]


@given(st.data())
def test_any_subset_of_a_sequence_finds_its_place(data: st.DataObject) -> None:
    names = st.sampled_from(["ALA", "GLY", "SER", "MET", "TRP"])
    comps = data.draw(st.lists(names, min_size=2, max_size=20))
    seen = sorted(data.draw(st.sets(st.integers(0, len(comps) - 1), min_size=1)))
    lines = [
        line for i in seen for line in pdb_lines([comps[i]], [i + 1], first=i)
    ]  # fmt: skip
    with tempfile.NamedTemporaryFile(suffix=".pdb") as file:
        Path(file.name).write_text("\n".join(lines))
        residues = residues_of(read_pdb(Path(file.name), 1 << 20).atoms, {})
    places = by_sequence(residues, [[comp] for comp in comps], {}, "SEQRES")
    # Numbers count the sequence here, so they are the answer.
    assert places.tolist() == seen


@pytest.mark.parametrize("comp", ["GLU", "TRP", "LEU"])
@pytest.mark.parametrize("number", [301, -50])
def test_a_ligand_in_atom_records_takes_no_place_of_the_sequence(
    comp: str, number: int, read: Read
) -> None:
    """GLU and LEU end the sequence, TRP is not in it."""
    free = pdb_lines([comp], [number], shift=40.0)
    lines = pdb_lines(MKTAY, range(3, 8))
    lines = lines + free if number > 0 else free + lines
    found = read(p_pdb=seqres(WHOLE) + lines, c_cif=cif_of(lines, polymer=WHOLE, label="."))
    for row in found.values():
        assert isinstance(row, Structure)
        assert (row.sequence, row.n_atoms) == ("GSMKTAYLE", 20)


def test_parents_that_the_file_names_come_first(letters: Letters) -> None:
    modres = ["MODRES 1ABC XYZ A    2  TRP  SOMETHING", "MODRES 1ABC HSE A    3  SER  HOMOSERINE"]
    lines = pdb_lines(["MET", "XYZ", "HSE", "ALA", "TYR"])
    named = "loop_\n_chem_comp.id\n_chem_comp.mon_nstd_parent_comp_id\nXYZ TRP\nHSE SER\nALA .\n"
    found = letters(p_pdb=modres + lines, c_cif=cif_of(lines) + named)
    assert found == {"p_A": "MWSAY", "c_A": "MWSAY"}


def test_a_sequence_that_the_atoms_contradict_is_the_chains_skip_alone(letters: Letters) -> None:
    lines = [*pdb_lines(MKTAY), "TER", *pdb_lines(MKTAY, chain="B", shift=30.0)]
    other = ["MET", "LYS", "TRP", "ALA", "TYR"]
    found = letters(p_pdb=seqres(other) + seqres(MKTAY, "B") + lines)
    assert found == {
        "p.pdb: chain A": "residue 3 THR has no place in the chain's SEQRES",
        "p_B": "MKTAY",
    }
    found = letters(p_pdb=["SEQRES   1 A    9  MET LYS THR ALA TYR", *lines])
    assert "SEQRES of chain A announces 9 residues and lists 5" in found["p.pdb"]


def test_a_letter_that_is_used_again_names_another_chain(letters: Letters) -> None:
    one, other = pdb_lines(MKTAY), pdb_lines(MKTAY[::-1], shift=30.0)
    expected = {"p_A": "MKTAY", "p_A-2": "YATKM"}
    assert letters(p_pdb=[*one, "TER", *other]) == expected
    assert letters(p_pdb=one + other) == expected  # the numbers begin anew
    on = pdb_lines(MKTAY[::-1], range(6, 11), shift=30.0)
    assert letters(p_pdb=[*one, "TER", *on]) == expected
    # Some programs end a chain at its gaps.
    late = pdb_lines(MKTAY[::-1], range(8, 13), shift=30.0)
    assert letters(p_pdb=[*one, "TER", *late]) == {"p_A": "MKTAYXXYATKM"}
    whole = [*MKTAY, "GLY", "GLY", *MKTAY[::-1]]
    assert letters(p_pdb=[*seqres(whole), *one, "TER", *late]) == {"p_A": "MKTAYGGYATKM"}


def test_chains_without_a_letter(letters: Letters) -> None:
    one = pdb_lines(MKTAY, chain="")
    other = pdb_lines(MKTAY[::-1], chain="", shift=30.0)
    assert letters(p_pdb=one) == {"p_1": "MKTAY"}
    assert letters(p_pdb=[*one, "TER", *other]) == {"p_1": "MKTAY", "p_2": "YATKM"}
    segments = pdb_lines(MKTAY, chain="", segment="PROA")
    segments += pdb_lines(MKTAY[::-1], chain="", segment="PROB", shift=30.0)
    assert letters(p_pdb=segments) == {"p_PROA": "MKTAY", "p_PROB": "YATKM"}
    # In old files these columns hold the entry's code.
    assert letters(p_pdb=pdb_lines(MKTAY, chain="", segment="1ABC")) == {"p_1": "MKTAY"}


def test_chains_of_two_letters_are_told_from_residues_of_four(letters: Letters) -> None:
    lines = [line[:20] + "AA" + line[22:] for line in pdb_lines(["MET", "HIS", "CYS"])]
    assert letters(p_pdb=lines) == {"p_AA": "MHC"}


@pytest.mark.parametrize("label", [".", "?"])
def test_labels_without_values_fall_back_on_the_authors(label: str, letters: Letters) -> None:
    lines = pdb_lines(MKTAY) + pdb_lines(MKTAY[::-1], chain="B", shift=30.0) + FREE
    assert letters(c_cif=cif_of(lines, label=label)) == {"c_A": "MKTAY", "c_B": "YATKM"}


def test_ids_come_from_the_names_of_files(letters: Letters, tmp_path: Path) -> None:
    text = cif_of(pdb_lines(MKTAY))  # its entry is called model
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "rank1.cif").write_text(text)
    (tmp_path / "Rank1.mmcif").write_text(text)
    (tmp_path / "pdb1abc.ent.gz").write_bytes(gzip.compress("\r\n".join(pdb_lines(MKTAY)).encode()))
    assert letters(rank1_cif=text, x_pdb=pdb_lines(MKTAY), x_cif=text) == dict.fromkeys(
        ["Rank1_A", "pdb1abc_A", "rank1_A", "sub/rank1_A", "x.cif_A", "x.pdb_A"], "MKTAY"
    )


def test_elements_come_from_names_where_the_file_has_none(read: Read) -> None:
    selenium = "HETATM   99 SE   MSE A   1       9.000   9.000   9.000  1.00 20.00"
    hydrogens = [
        selenium.replace("SE   MSE", f"{name} MSE").replace("9.000", f"{5 + i}.000")
        for i, name in enumerate(("1HG ", " HG2", "HG11", " D  "))
    ]
    lines = pdb_lines(["MSE", *MKTAY[1:]], element=False)
    made = [*lines[:4], selenium, *hydrogens, *lines[4:]]
    for row in read(p_pdb=made, c_cif=cif_of(made)).values():
        assert isinstance(row, Structure)
        assert row.numbers.tolist() == [7, 6, 6, 8, 34, 1, 1, 1, 1, *[7, 6, 6, 8] * 4]
    coded = [f"{line[:72]}1ABC{number:>4}" for number, line in enumerate(lines, 1)]
    row = read(x_pdb=coded)["x_A"]
    assert isinstance(row, Structure)
    assert row.numbers.tolist() == [7, 6, 6, 8] * 5


@pytest.mark.parametrize(
    ("name", "comp", "element"),
    [
        (" CA ", "ALA", "C"), ("CA  ", "ALA", "C"), ("CA  ", "CA", "CA"), (" CA ", "LIG", "C"),
        ("FE  ", "HEM", "FE"), ("HG11", "VAL", "H"), ("HG  ", "HG", "HG"), ("1HB ", "ALA", "H"),
        ("HO5'", "LIG", "H"), ("SE  ", "MSE", "SE"), (" SD ", "MET", "S"), ("ZN", "LIG", ""),
        ("CL1 ", "3MY", "CL"), ("", "ALA", ""),
    ],
)  # fmt: skip
def test_what_a_name_tells_of_an_element(name: str, comp: str, element: str) -> None:
    assert element_of(name, comp) == element


def test_an_alpha_carbon_that_is_called_calcium_is_refused(letters: Letters) -> None:
    wrong = [line[:76] + "CA" if line[12:16] == " CA " else line for line in pdb_lines(MKTAY)]
    assert letters(p_pdb=wrong) == {
        "p.pdb: chain A": "atom 2: CA of residue 1 MET has the element CA"
    }


def test_atoms_that_are_there_twice(read: Read, rows: Callable[[], OwnRows]) -> None:
    lines = pdb_lines(MKTAY)
    ring = "ATOM     98  CG  MET A   1       {}.000   9.000   9.000  {}  20.00           C"
    twice = [*lines[:4], ring.format(9, "0.40"), ring.format(8, "0.60"), *lines[4:]]
    row = read(p_pdb=twice)["p_A"]
    assert isinstance(row, Structure)
    assert row.n_atoms == 21
    assert row.positions[4, 0] == 8.0
    opened = rows()
    opened.take(opened.ids())
    assert any("more than once without letters" in text for text in opened.warned["p.pdb: chain A"])
    # Two residues of one number, the insertion code lost.
    lost = pdb_lines(["MET", "LYS", "LYS"], [1, 2, 2])
    (bad,) = read(p_pdb=lost).values()
    assert isinstance(bad, Skipped)
    assert bad.reason == "residue 2 has its atom N more than once"


def test_only_the_first_model_counts(letters: Letters) -> None:
    one, other = pdb_lines(MKTAY), pdb_lines(MKTAY[::-1])
    numbered = ["MODEL        1", *one, "TER", "ENDMDL", "MODEL        2", *other, "ENDMDL"]
    assert letters(p_pdb=numbered) == {"p_A": "MKTAY"}
    assert letters(p_pdb=[*one, "END", *other, "END"]) == {"p_A": "MKTAY"}


def test_files_without_a_protein_say_what_is_in_them(letters: Letters) -> None:
    bases = ["DA", "DG", "DC", "DT"]
    found = letters(
        p_pdb=pdb_lines(bases),
        r_pdb=seqres(["A", "G", "C", "U"]) + pdb_lines(["A", "G", "C", "U"]),
        l_pdb=pdb_lines(["NAG", "NAG"], record="HETATM", shift=0.0)[::4],
    )
    assert found["p.pdb"].endswith(
        "no protein chain with coordinates in it: chain A is nucleic acid"
    )
    assert found["r.pdb"].endswith("chain A is nucleic acid")
    assert found["l.pdb"].endswith("chain A is NAG")


def test_a_cyclic_peptide_and_a_chain_of_alpha_carbons(letters: Letters) -> None:
    lines = pdb_lines(["DAL", "LEU", "DLE", "MET"], record="HETATM")
    polymers = "_entity_poly.entity_id 1\n_entity_poly.type 'cyclic-pseudo-peptide'\n"
    comps = ["DAL", "LEU", "DLE", "MET"]
    assert letters(c_cif=cif_of(lines, polymer=comps) + polymers) == {"c_A": "ALLM"}
    alpha = [line for line in pdb_lines(MKTAY) if line[12:16] == " CA "]
    assert letters(p_pdb=alpha)["p_A"] == "MKTAY"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ((30, "     far"), "p.pdb, line 1: x is 'far', no number"),
        ((30, "   1_000"), "p.pdb, line 1: x is '1_000', no number"),
        ((38, "********"), "p.pdb, line 1: y is '********', no number"),
        ((54, "  high"), "p.pdb, line 1: occupancy is 'high', no number"),
        ((22, "  -A"), "p.pdb, line 1: the number of the residue is ' -A'"),
    ],
)
def test_a_bad_number_is_named(change: tuple[int, str], message: str, letters: Letters) -> None:
    lines = pdb_lines(MKTAY)
    at, text = change
    lines[0] = lines[0][:at] + text + lines[0][at + len(text) :]
    assert message in letters(p_pdb=lines)["p.pdb"]
    assert "line 1: the atom has no coordinates" in letters(p_pdb=[lines[0][:40]])["p.pdb"]


@pytest.mark.parametrize("name", ["a.pdb", "a.cif"])
def test_the_mark_of_utf_8_hides_no_atom(
    name: str, tmp_path: Path, rows: Callable[[], OwnRows]
) -> None:
    lines = pdb_lines(MKTAY)
    text = "\n".join(lines) if name == "a.pdb" else cif_of(lines)
    (tmp_path / name).write_text(text, encoding="utf-8-sig")
    (row,) = rows().take(["a_A"])
    assert isinstance(row, Structure)
    assert (row.n_atoms, row.sequence) == (len(lines), "MKTAY")


def test_atoms_beyond_five_digits_are_read_and_lines_out_of_columns_are_named(
    read: Read, letters: Letters
) -> None:
    lines = pdb_lines(MKTAY)
    numbered = [f"ATOM {100_000 + at}{line[11:]}" for at, line in enumerate(lines)]
    row = read(p_pdb=[*lines[:10], *numbered[10:]])["p_A"]
    assert isinstance(row, Structure)
    assert row.n_atoms == len(lines)
    tabbed = [*lines[:3], lines[3].replace("  ", "\t"), *lines[4:]]
    assert "line 4: " in letters(p_pdb=tabbed)["p.pdb"]


def test_atoms_in_one_place_are_a_reason(letters: Letters) -> None:
    lines = [f"{line[:30]}{0:8.3f}{0:8.3f}{0:8.3f}{line[54:]}" for line in pdb_lines(MKTAY)]
    for told in letters(**both(lines)).values():
        assert "atoms 0 and 1 are 0.000 Å apart" in told


@pytest.mark.parametrize(
    ("between", "after", "count"),
    [
        (["END"], [], 20), (["TER", "END"], ["END"], 20), (["ENDMDL"], [], 20),
        (["MODEL        2"], ["ENDMDL", "END"], 0), (["ENDMDL", "MODEL        2"], ["ENDMDL"], 0),
        (["END", "MODEL        2"], [], 0), (["TER"], ["END"], 0),
    ],
)  # fmt: skip
def test_atoms_behind_the_end_are_counted(
    rows: Callable[[], OwnRows], tmp_path: Path, between: list[str], after: list[str], count: int
) -> None:
    lines = [*pdb_lines(MKTAY), *between, *pdb_lines(MKTAY, chain="B", shift=30.0), *after]
    (tmp_path / "p.pdb").write_text("\n".join(lines) + "\n")
    opened = rows()
    opened.take(["p_A"])
    told = [text for text in opened.warned.get("p.pdb: chain A", ()) if "END" in text]
    assert [text.split()[0] for text in told] == ([str(count)] if count else [])


def test_selenocysteine_and_pyrrolysine_have_one_letter_in_every_format(
    letters: Callable[..., dict[str, str]], tmp_path: Path
) -> None:
    lines = pdb_lines(["MET", "SEC", "THR", "PYL", "TYR"])
    # The letters of UNIPROT sequences; the chain is what the FASTA reader makes of them.
    assert letters(p_pdb=lines) == {"p_A": "MCTKY"}
    (tmp_path / "p.fasta").write_text(">p\nMUTOY\n")
    opened = OwnRows(open_format(OwnDataset(kind="fasta", path=str(tmp_path / "p.fasta"))))
    (row,) = opened.take(opened.ids())
    assert isinstance(row, Structure)
    assert row.sequence == "MCTKY"
