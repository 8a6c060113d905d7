"""The parser on small files in the format of the real ones; the records are real."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from matteralign.core.errors import IntegrityError
from matteralign.datasets.base.card import EV
from matteralign.datasets.base.catalogue import get_dataset
from matteralign.datasets.qm9.table import Qm9Table

METHANE = {
    "XYZ_file": "dsgdb9nsd_000001.xyz",
    "Index": "1",
    "SMILES": "C",
    "N_atoms": "5",
    "Elements": "['C','H','H','H','H']",
    "XYZ_Ang": "[[-0.0126981359,1.0858041578,0.0080009958],[0.002150416,-0.0060313176,"
    "0.0019761204],[1.0117308433,1.4637511618,0.0002765748],[-0.540815069,1.4475266138,"
    "-0.8766437152],[-0.5238136345,1.4379326443,0.9063972942]]",
    "InternalEnergy_0K_au": "-40.47893",
    "Dipole_debye": "0.",
}
AMMONIA = {
    "XYZ_file": "dsgdb9nsd_000002.xyz",
    "Index": "2",
    "SMILES": "N",
    "N_atoms": "4",
    "Elements": "['N','H','H','H']",
    "XYZ_Ang": "[[-0.0404260543,1.0241077531,0.0625637998],[0.0172574639,0.0125452063,"
    "-0.0273771593],[0.9157893661,1.3587451948,-0.0287577581],[-0.5202777357,1.3435321258,"
    "-0.7755426124]]",
    "InternalEnergy_0K_au": "-56.525887",
    "Dipole_debye": "1.6256",
}
Files = Callable[..., Qm9Table]
CHOSEN = get_dataset("qm9")


@pytest.fixture
def files(tmp_path: Path) -> Files:
    def make(**changes: Any) -> Qm9Table:
        records = [[METHANE], [AMMONIA | changes], []]
        raw = {}
        for pinned, rows in zip(CHOSEN.version.files, records, strict=True):
            raw[pinned.name] = tmp_path / pinned.name
            with open(raw[pinned.name], "w", newline="") as handle:
                writer = csv.DictWriter(handle, list(METHANE), quoting=csv.QUOTE_MINIMAL)
                writer.writeheader()
                writer.writerows(rows)
        return Qm9Table(CHOSEN.card, CHOSEN.version, raw)

    return make


def test_a_record_becomes_a_structure(files: Files) -> None:
    methane = files().read(["gdb_1"])[0]
    assert methane.numbers.tolist() == [6, 1, 1, 1, 1]
    assert methane.positions.shape == (5, 3)
    assert methane.positions[0].tolist() == [-0.0126981359, 1.0858041578, 0.0080009958]
    bonds = np.linalg.norm(methane.positions[1:] - methane.positions[0], axis=1)
    assert bonds == pytest.approx([1.092] * 4, abs=1e-3)
    assert methane.energy == pytest.approx(-40.47893 * 27.211386245988, abs=1e-9)
    assert methane.energy == pytest.approx(-1101.488, abs=1e-3)
    assert (methane.charge, methane.spin, methane.cell, methane.pbc) == (0, 1, None, None)
    assert (methane.smiles, methane.selfies, methane.split) == ("C", "[C]", "all")
    assert methane.source == "qm9_part1.csv:dsgdb9nsd_000001.xyz"
    assert EV["hartree"] == 27.211386245988


def test_exponents_and_bare_points_are_numbers(files: Files) -> None:
    ammonia = files(XYZ_Ang="[[2.1997E-6,0.,1.],[0,0,1],[0,1,-.5],[1,0,2.5*^-3]]").read(["gdb_2"])
    assert ammonia[0].positions[0].tolist() == [2.1997e-6, 0.0, 1.0]
    assert ammonia[0].positions[2:].tolist() == [[0, 1, -0.5], [1, 0, 2.5e-3]]


def test_rows_come_in_the_order_asked_for_whatever_their_file(files: Files) -> None:
    dataset = files()
    assert list(dataset.ids()) == ["gdb_1", "gdb_2"]
    assert [s.id for s in dataset.read(["gdb_2", "gdb_1"])] == ["gdb_2", "gdb_1"]


def test_smiles_are_canonical_and_an_unreadable_one_keeps_its_row(files: Files) -> None:
    assert files(SMILES="[NH3:1]").read(["gdb_2"])[0].smiles == "N"
    broken = files(SMILES="C1CC(").read(["gdb_2"])[0]
    assert (broken.smiles, broken.selfies) == (None, None)
    assert broken.n_atoms == 4


MALFORMED = {
    "a SMILES of other atoms": {"SMILES": "OCC"},
    "bad JSON of elements": {"Elements": "['N','H'"},
    "bad JSON of coordinates": {"XYZ_Ang": "[[0,0,0"},
    "unknown element": {"Elements": "['N','H','H','Qq']"},
    "elements are no list": {"Elements": "7"},
    "elements are lists": {"Elements": "[['N'],['H'],['H'],['H']]"},
    "wrong count": {"N_atoms": "5"},
    "count is no number": {"N_atoms": "four"},
    "one element too few": {"Elements": "['N','H','H']"},
    "flat coordinates": {"XYZ_Ang": "[0,0,0]"},
    "ragged coordinates": {"XYZ_Ang": "[[0,0,0],[0,0,1],[0,1,0],[1,0]]"},
    "coordinates that are words": {"XYZ_Ang": '[["a",0,0],[0,0,1],[0,1,0],[1,0,0]]'},
    "coordinates that are NaN": {"XYZ_Ang": "[[NaN,0,0],[0,0,1],[0,1,0],[1,0,0]]"},
    "no energy": {"InternalEnergy_0K_au": ""},
    "energy that is NaN": {"InternalEnergy_0K_au": "nan"},
}


@pytest.mark.parametrize("kind", sorted(MALFORMED))
def test_a_malformed_record_names_file_and_record(files: Files, kind: str) -> None:
    dataset = files(**MALFORMED[kind])
    with pytest.raises(IntegrityError, match=r"qm9_part2\.csv, record gdb_2: \S"):
        dataset.read(["gdb_1", "gdb_2"])
    assert dataset.read(["gdb_1"])[0].id == "gdb_1"


def _damage(
    dataset: Qm9Table, change: Callable[[str], str], name: str = "qm9_part2.csv"
) -> Qm9Table:
    path = dataset.raw[name]
    path.write_text(change(path.read_text()))
    return dataset


def test_a_missing_column_names_the_file(files: Files) -> None:
    dataset = _damage(files(), lambda text: text.replace("XYZ_Ang", "XYZ"))
    with pytest.raises(IntegrityError, match=r"qm9_part2\.csv: not a table of QM9.*XYZ_Ang"):
        dataset.read(["gdb_2"])


def test_a_missing_index_names_the_file(files: Files) -> None:
    dataset = _damage(files(), lambda text: text.replace("Index", "Idx"))
    with pytest.raises(IntegrityError, match=r"qm9_part2\.csv: not a table of QM9.*Index"):
        dataset.ids()


def test_an_index_that_is_no_number_names_the_file(files: Files) -> None:
    with pytest.raises(IntegrityError, match=r"qm9_part2\.csv"):
        files(Index="two").ids()


def test_an_index_that_is_there_twice_names_the_file(files: Files) -> None:
    with pytest.raises(IntegrityError, match=r"qm9_part2\.csv.*gdb_1"):
        files(Index="1").ids()


@pytest.mark.parametrize("keep", [0.0, 0.5, 0.7, 0.9])
def test_a_cut_file_is_refused(files: Files, keep: float) -> None:
    dataset = _damage(files(), lambda text: text[: int(len(text) * keep)])
    with pytest.raises(IntegrityError, match=r"qm9_part2\.csv"):
        dataset.read(["gdb_2"])


def test_a_file_that_is_not_text_is_refused(files: Files) -> None:
    dataset = files()
    dataset.raw["qm9_part1.csv"].write_bytes(bytes(range(256)) * 4)
    with pytest.raises(IntegrityError, match=r"qm9_part1\.csv"):
        dataset.ids()
