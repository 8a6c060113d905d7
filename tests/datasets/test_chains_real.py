"""Real mmCIF files, against what biotite's own readers make of them."""

from __future__ import annotations

import gzip
import tarfile
from pathlib import Path

import numpy as np
import pytest
from biotite.structure.info.ccd import get_ccd
from biotite.structure.io import pdbx

from matteralign.datasets.proteins.chains import read_chains
from matteralign.datasets.proteins.residues import COMMON, LETTERS

pytestmark = pytest.mark.assets


@pytest.fixture(scope="module")
def files(assets: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("mmcif")
    with tarfile.open(assets / "proteins_mmcif.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return {path.name.split(".")[0].upper(): path for path in folder.rglob("*.cif*")}


def test_every_chain_agrees_with_biotite(files: dict[str, Path]) -> None:
    chains = residues = 0
    for path in files.values():
        text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        block = pdbx.CIFFile.deserialize(text.decode()).block
        # biotite takes letters alone for names of locations and drops atoms of others.
        numbered = set(block["atom_site"]["label_alt_id"].as_array(str)) & {"1", "2"}
        if "entity_poly_seq" not in block or numbered:
            continue
        atoms = pdbx.get_structure(block, model=1, use_author_fields=False, altloc="occupancy")
        mixed = set()
        if "hetero" in block["entity_poly_seq"]:
            poly = block["entity_poly_seq"]
            hetero = np.isin(poly["hetero"].as_array(str), ["y", "yes"])
            mixed = set(poly["num"].as_array(int)[hetero])
        for chain in read_chains(path):
            mine = atoms[(atoms.chain_id == chain.id.split("_")[1]) & (atoms.res_id > 0)]
            for slot, name in enumerate(("N", "CA", "C", "O")):
                them = mine[(mine.atom_name == name) & ~np.isin(mine.res_id, sorted(mixed))]
                expected = np.full((len(chain.sequence), 3), np.nan)
                expected[them.res_id - 1] = them.coord
                found = chain.backbone[:, slot].copy()
                found[[number - 1 for number in mixed]] = np.nan
                np.testing.assert_allclose(found, expected, atol=1e-3, err_msg=chain.id)
            for number, comp in zip(mine.res_id, mine.res_name, strict=True):
                if comp in LETTERS and number not in mixed:
                    assert chain.sequence[number - 1] == LETTERS[comp], chain.id
            chains += 1
            residues += len(chain.sequence)
    assert (chains, residues) == (72, 13_560)


def test_files_without_proteins_have_no_chains(files: dict[str, Path]) -> None:
    assert read_chains(files["1C58"]) == read_chains(files["3HYA"]) == []


@pytest.mark.parametrize(
    ("chain", "length", "unresolved", "start"),
    [
        ("1FDO_A", 715, 0, "MKKVVTVCPYCASGCKINLVVDNGKIVRAE"),  # selenocysteine, parent CYS
        ("1A8O_A", 70, 0, "MDIRQGPKEPFRDYVDRFYKTLRAEQASQE"),  # selenomethionine
        ("1AS5_A", 25, 1, "HPPCCLYGKCRRYPGCSSASCCQRX"),  # 14 models, an amide at the end
        ("3JQH_A", 167, 144, "GELPEKSKLQEIYQELTRLKAAVGELPEKS"),  # two amino acids at a place
        ("1DSR_A", 17, 0, "NNGXTXGTFXXTXGLAG"),  # made by no ribosome
        ("4HHB_D", 146, 0, "VHLTPEEKSAVTALWGKVNVDEVGGEALGR"),  # gzipped, one entity twice
        ("1K6P_B", 99, 0, "PQITLWKRPLVTIRIGGQLKEALLDTGADD"),  # locations named 1 and 2
        ("1F2N_C", 238, 26, "ARKGKKTNSNQGQQGKRKSRRPRGRSAEPQ"),  # disordered start
    ],
)
def test_chains_known_by_name(
    chain: str, length: int, unresolved: int, start: str, files: dict[str, Path]
) -> None:
    (found,) = [
        c for c in read_chains(files[chain.split("_", maxsplit=1)[0]]) if c.id.upper() == chain
    ]
    assert (len(found.sequence), found.sequence[:30]) == (length, start)
    assert np.isnan(found.backbone[:, :3]).any(axis=(1, 2)).sum() == unresolved


@pytest.mark.slow
def test_the_common_table_is_that_of_the_component_dictionary() -> None:
    table = get_ccd()["chem_comp"]
    columns = ("id", "type", "mon_nstd_parent_comp_id", "one_letter_code")
    listed = {}
    for comp, kind, parent, letter in zip(*(table[c].as_array(str) for c in columns), strict=True):
        if "PEPTIDE" in kind.upper():
            told = LETTERS.get(parent, letter if letter in LETTERS.values() else None)
            if told is not None:
                listed[str(comp)] = told
    differ = {comp for comp, letter in listed.items() if COMMON.get(comp) != letter}
    # Of force fields, which are met oftener: glutamic acid and histidine, not the dictionary's
    # glutamine derivative and homoserine.
    assert differ == {"GLH", "HSE"}
    assert len(listed) > 1_200
