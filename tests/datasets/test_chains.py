from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import biotite.structure as bs
import numpy as np
import pytest
from biotite.structure.io import pdbx
from hypothesis import given
from hypothesis import strategies as st

from matteralign.core.errors import IntegrityError
from matteralign.datasets.proteins.chains import read_chains
from matteralign.datasets.proteins.peptides import peptide

HEAD = """data_{entry}
_entry.id {entry}
loop_
_entity_poly.entity_id
_entity_poly.type
_entity_poly.pdbx_seq_one_letter_code_can
{polymers}
loop_
_entity_poly_seq.entity_id
_entity_poly_seq.num
_entity_poly_seq.mon_id
{sequence}
{more}loop_
_atom_site.group_PDB
_atom_site.id
_atom_site.type_symbol
_atom_site.label_atom_id
_atom_site.label_alt_id
_atom_site.label_comp_id
_atom_site.label_asym_id
_atom_site.label_entity_id
_atom_site.label_seq_id
_atom_site.pdbx_PDB_ins_code
_atom_site.Cartn_x
_atom_site.Cartn_y
_atom_site.Cartn_z
_atom_site.occupancy
_atom_site.auth_seq_id
_atom_site.auth_asym_id
_atom_site.pdbx_PDB_model_num
"""


def atom(serial, name, comp, seq, x, *, alt=".", chain="A", entity=1, occ=1.0, model=1, ins="?"):
    element = "SE" if name == "SE" else "H" if name[0] == "H" else name[0]
    return (
        f"ATOM {serial} {element} {name} {alt} {comp} {chain} {entity} {seq} {ins} {x:.3f} "
        f"{0.5 * serial:.3f} -1.250 {occ} {seq} L {model}"
    )


def residue(serial, comp, seq, **more):
    return [
        atom(serial + i, name, comp, seq, 1.4 * serial + i, **more)
        for i, name in enumerate(("N", "CA", "C", "O"))
    ]


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write a file with one entity of these components, and what more is asked for."""

    def run(comps, atoms, polymers="1 'polypeptide(L)' ?", more="", name="1abc.cif") -> Path:
        sequence = "\n".join(f"1 {i} {comp}" for i, comp in enumerate(comps, 1))
        text = HEAD.format(entry="1abc", polymers=polymers, sequence=sequence, more=more)
        path = tmp_path / name
        path.write_text(text + "\n".join(atoms) + "\n")
        return path

    return run


def test_residues_without_coordinates_keep_their_place(write: Callable[..., Path]) -> None:
    atoms = [*residue(1, "GLY", 2), atom(5, "CA", "TRP", 4, 9.0), atom(6, "CB", "TRP", 4, 9.5)]
    (chain,) = read_chains(write(["MET", "GLY", "ALA", "TRP", "LYS"], atoms))
    assert chain.id == "1abc_A"
    assert chain.sequence == "MGAWK"
    assert chain.backbone is not None
    assert np.isfinite(chain.backbone).all(axis=2).tolist() == [
        [False] * 4, [True] * 4, [False] * 4, [False, True, False, False], [False] * 4,
    ]  # fmt: skip
    np.testing.assert_allclose(chain.backbone[1, 1], [2.4, 1.0, -1.25])
    assert chain.numbers.tolist() == [7, 6, 6, 8, 6, 6]
    assert chain.positions.shape == (6, 3)
    assert "1abc.cif: chain A (author's L)" in (chain.source or "")


PARENTS = (
    "loop_\n_pdbx_struct_mod_residue.label_comp_id\n_pdbx_struct_mod_residue.parent_comp_id\n"
    "MSE MET\nXAA ?\n"
)


def test_a_modified_residue_has_the_letter_of_its_parent(write: Callable[..., Path]) -> None:
    atoms = [
        *residue(1, "MSE", 1), atom(9, "SE", "MSE", 1, 3.0), *residue(10, "XAA", 2),
        *residue(20, "GLY", 3),
    ]  # fmt: skip
    (chain,) = read_chains(write(["MSE", "XAA", "GLY"], atoms, more=PARENTS))
    assert chain.sequence == "MXG"
    assert 34 in chain.numbers
    canonical = write(["MSE", "XAA", "GLY"], atoms, "1 'polypeptide(L)' MCG")
    assert read_chains(canonical)[0].sequence == "MCG"
    # A chromophore is one component of three letters: no letter can be told from its place.
    three = write(["MSE", "XAA", "GLY"], atoms, "1 'polypeptide(L)' MSYGG")
    assert read_chains(three)[0].sequence == "MXG"


def test_the_best_occupied_location_is_kept_whole(write: Callable[..., Path]) -> None:
    first = [atom(1, "N", "SER", 1, 0.0), atom(2, "CA", "SER", 1, 1.0, alt="A", occ=0.4)]
    atoms = [
        *first, atom(3, "CA", "SER", 1, 1.5, alt="B", occ=0.6), atom(4, "C", "SER", 1, 2.0),
        atom(5, "CB", "SER", 1, 3.0, alt="A", occ=0.4),
    ]  # fmt: skip
    (chain,) = read_chains(write(["SER"], atoms))
    # Location A has two atoms of 0.4 and wins over one of 0.6.
    assert chain.positions[:, 0].tolist() == [0.0, 1.0, 2.0, 3.0]
    equal = [*residue(1, "SER", 1, alt="B", occ=0.5), *residue(5, "SER", 1, alt="A", occ=0.5)]
    (chain,) = read_chains(write(["SER"], equal))
    assert chain.positions[0, 0] == pytest.approx(1.4)


def test_a_place_with_two_amino_acids_takes_the_one_more_occupied(
    write: Callable[..., Path],
) -> None:
    atoms = [
        *residue(1, "PRO", 1, alt="A", occ=0.3), *residue(5, "SER", 1, alt="B", occ=0.7),
        *residue(9, "GLY", 2),
    ]  # fmt: skip
    path = write(["PRO", "GLY"], atoms)
    text = path.read_text().replace("1 1 PRO\n", "1 1 PRO\n1 1 SER\n")
    path.write_text(text)
    (chain,) = read_chains(path)
    assert chain.sequence == "SG"
    assert chain.n_atoms == 8


def test_insertion_codes_are_residues_of_their_own(write: Callable[..., Path]) -> None:
    atoms = residue(1, "ALA", 1) + residue(5, "GLY", 2, ins="A") + residue(9, "SER", 3, ins="B")
    (chain,) = read_chains(write(["ALA", "GLY", "SER"], atoms))
    assert chain.sequence == "AGS"
    assert np.isfinite(chain.backbone).all()


def test_only_the_first_model_and_only_proteins(write: Callable[..., Path]) -> None:
    polymers = "1 'polypeptide(L)' ?\n2 polydeoxyribonucleotide ?"
    atoms = [
        *residue(1, "ALA", 1),
        atom(5, "P", "DA", 1, 0.0, chain="B", entity=2),
        atom(6, "O", "HOH", ".", 4.0, chain="C", entity=3),
        *residue(7, "ALA", 1, chain="D"),
        *residue(1, "ALA", 1, model=2),
    ]
    found = read_chains(write(["ALA"], atoms, polymers))
    assert [chain.id for chain in found] == ["1abc_A", "1abc_D"]
    assert [chain.n_atoms for chain in found] == [4, 4]


def test_a_chain_of_alpha_carbons_has_atoms_and_no_backbone(write: Callable[..., Path]) -> None:
    (chain,) = read_chains(write(["ALA", "GLY"], [atom(1, "CA", "ALA", 1, 0.0)]))
    assert chain.n_atoms == 1
    assert not np.isfinite(chain.backbone[:, :3]).all(axis=(1, 2)).any()


def _peptide_file(path: Path) -> np.ndarray:
    """Write what biotite makes of an ideal chain with a ligand and a water; return its atoms."""
    structure = peptide(6, sequence="MKTAYI")
    names = ["MET", "LYS", "THR", "ALA", "TYR", "ILE"]
    atoms = bs.AtomArray(26)
    atoms.coord = np.concatenate([structure.positions, [[50, 0, 0], [60, 0, 0]]])
    atoms.atom_name = np.array([*["N", "CA", "C", "O"] * 6, "FE", "O"])
    atoms.element = np.array([*["N", "C", "C", "O"] * 6, "FE", "O"])
    atoms.res_name = np.array([*np.repeat(names, 4), "FE", "HOH"])
    atoms.res_id = np.array([*np.repeat([27, 28, 29, 32, 33, 34], 4), 201, 301])
    atoms.chain_id = np.array(["K"] * 26)
    atoms.hetero = np.array([False] * 24 + [True] * 2)
    file = pdbx.CIFFile()
    pdbx.set_structure(file, atoms, data_block="made")
    file.write(str(path))
    return structure.backbone


def test_a_file_that_lists_no_sequence(tmp_path: Path) -> None:
    backbone = _peptide_file(tmp_path / "made.cif")
    (chain,) = read_chains(tmp_path / "made.cif")
    assert chain.id == "made_K"
    assert chain.sequence == "MKTXXAYI"
    kept = np.delete(chain.backbone, [3, 4], axis=0)
    np.testing.assert_allclose(kept, backbone, atol=2e-3)
    assert np.isnan(chain.backbone[3:5]).all()
    assert chain.n_atoms == 24


def test_plain_and_gzipped_give_the_same(tmp_path: Path, write: Callable[..., Path]) -> None:
    path = write(["ALA"], residue(1, "ALA", 1))
    packed = tmp_path / "1abc.cif.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert read_chains(packed)[0].digest() == read_chains(path)[0].digest()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ((" -1.250 ", " far "), "atom 1: _atom_site.Cartn_z is 'far'"),
        ((" -1.250 ", " nan "), "atom 1: _atom_site.Cartn_z is 'nan'"),
        (("ATOM 2 C ", "ATOM 2 QQ "), "atom 2 (CA of ALA): 'QQ' is no element"),
        ((" ALA A 1 1 ", " ALA A 1 7 "), "atom 1: residue 7 of a sequence of 1"),
        ((" ALA A 1 1 ", " ALA A 1 1.5 "), "_atom_site.label_seq_id is '1.5', no whole number"),
        ((" ALA A 1 1 ", " GLY A 1 1 "), "residue 1 is GLY, its entity has ALA"),
        ((" CA . ALA", " N . ALA"), "residue 1 has its atom N more than once"),
        (("1 1 ALA", "1 3 ALA"), "has residue 3 after 0"),
        (("_atom_site.label_comp_id", "_atom_site.other"), "no _atom_site.label_comp_id"),
        (("data_1abc", ""), "1abc.cif"),
    ],
)
def test_a_broken_record_is_named(
    change: tuple[str, str], message: str, write: Callable[..., Path]
) -> None:
    path = write(["ALA"], residue(1, "ALA", 1))
    path.write_text(path.read_text().replace(*change))
    with pytest.raises(IntegrityError, match=r"1abc\.cif") as caught:
        read_chains(path)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "content", [b"", b"\x1f\x8b\x08\x00broken", b"\xff\xfe\x00", b"data_x\n", b"no mmCIF\n"]
)
def test_no_mmcif(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.cif"
    path.write_bytes(content)
    with pytest.raises(IntegrityError, match=r"x\.cif"):
        read_chains(path)


def test_an_absurd_numbering(tmp_path: Path) -> None:
    path = tmp_path / "made.cif"
    _peptide_file(path)
    path.write_text(path.read_text().replace(" 34 ", " 1000000000 "))
    with pytest.raises(IntegrityError, match=r"chain K: residues are numbered over a range"):
        read_chains(path)


@given(cut=st.integers(0, 1300), junk=st.binary(max_size=6))
def test_a_damaged_file_is_an_error_or_chains(cut: int, junk: bytes, tmp_path_factory) -> None:
    folder = tmp_path_factory.getbasetemp() / "damaged"
    folder.mkdir(exist_ok=True)
    sequence = "1 1 ALA\n1 2 GLY"
    head = HEAD.format(
        entry="1abc", polymers="1 'polypeptide(L)' ?", sequence=sequence, more=""
    )  # fmt: skip
    text = (head + "\n".join(residue(1, "ALA", 1) + residue(5, "GLY", 2))).encode()
    path = folder / "1abc.cif"
    path.write_bytes(text[:cut] + junk + text[cut + len(junk) :])
    try:
        found = read_chains(path)
    except IntegrityError as error:
        assert "1abc.cif" in str(error)
    else:
        assert all(len(c.sequence) == len(c.backbone) > 0 for c in found)
    path.write_bytes(text[:cut] + junk)
    try:
        found = read_chains(path)
    except IntegrityError as error:
        assert "1abc.cif" in str(error)
    else:
        assert all(len(c.sequence) == len(c.backbone) > 0 for c in found)
