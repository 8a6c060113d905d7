"""Users' files that are damaged, foreign or too large: what each way of it comes to."""

from __future__ import annotations

import gzip
import os
import sqlite3
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.db import connect
from ase.io import write
from ase_db_backends.aselmdb import LMDBDatabase
from rdkit import Chem

from matteralign.core.errors import MatterAlignError, UserError
from matteralign.datasets.base import text
from matteralign.datasets.base.smiles import selfies_of
from matteralign.datasets.own import proteins
from tests.datasets.own_files import CIF, MOLECULE, TABLE, checked, frame
from tests.datasets.test_own import good, reasons, take


@pytest.mark.parametrize("suffix", [".db", ".json", ".aselmdb"])
def test_a_database_is_read_and_left_as_it_is(
    suffix: str, databases: dict[str, bytes], tmp_path: Path
) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(databases[suffix])
    path.chmod(0o444)
    found = checked("ase-db", path, columns={"id": "name"})
    assert isinstance(found, dict)
    assert {key: row.n_atoms for key, row in good(found).items()} == {"r0": 3, "r1": 1}
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("content", ["foreign", "empty"])
def test_a_foreign_sqlite_file_is_refused_and_nothing_is_written(
    content: str, tmp_path: Path
) -> None:
    path = tmp_path / "mine.db"
    path.touch()
    if content == "foreign":
        with sqlite3.connect(path) as connection:
            connection.execute("CREATE TABLE visits (day TEXT)")
        connection.close()
    told = checked("ase-db", path)
    assert isinstance(told, str)
    assert "no database of ASE" in told


def test_rows_that_a_journal_holds_back_are_not_missed(
    databases: dict[str, bytes], tmp_path: Path
) -> None:
    path = tmp_path / "a.db"
    path.write_bytes(databases[".db"])
    (tmp_path / "a.db-wal").write_bytes(b"pages")
    with pytest.raises(UserError, match=r"a\.db-wal beside it"):
        take("ase-db", path)


def test_a_damaged_row_of_a_database_is_one_row(
    databases: dict[str, bytes], tmp_path: Path
) -> None:
    path = tmp_path / "a.db"
    path.write_bytes(databases[".db"])
    with sqlite3.connect(path) as connection:
        connection.execute(
            "UPDATE systems SET key_value_pairs = '{', positions = x'00' WHERE id = 1"
        )
    connection.close()
    found = take("ase-db", path, columns={"id": "name"})
    assert list(good(found)) == ["r1"]
    assert list(reasons(found)) == ["a.db, row 1"]


def test_a_row_of_a_database_that_unpacks_to_gigabytes_is_not_unpacked(
    databases: dict[str, bytes], tmp_path: Path
) -> None:
    path = tmp_path / "a.aselmdb"
    path.write_bytes(databases[".aselmdb"])
    with LMDBDatabase(path, use_lock_file=False) as database:
        packer = zlib.compressobj(9)
        bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(80)) + packer.flush()
        database.txn.put(b"1", bomb)
    found = take("ase-db", path)
    assert "bytes, too many to be read" in reasons(found)["a.aselmdb, row 1"]
    assert len(good(found)) == 1


ROWS = {
    "too many cells": (b"id,smi\na,CCO,x\nb,C\n", {"a.csv, line 2": "3 cells"}),
    "too few cells": (b"id,smi\na\nb,C\n", {"a.csv, line 2": "1 cells"}),
    "shifted by a comma in a name": (b"id,smi\nCC,a,N\nb,C\n", {"a.csv, line 2": "3 cells"}),
    "line break in a SMILES": (b'id,smi\na,"CC\nO"\nb,C\n', {"a.csv, line 3": "line break"}),
    "two words": (b"id,smi\na,CC O\nb,C\n", {"a.csv, line 2": "not one SMILES"}),
    "NUL": (b"id,smi\na,C\0C\nb,C\n", {"a.csv, line 2": "control character"}),
    "bytes": (b"id,smi\na,C\xff\nb,C\n", {"a.csv, line 2": "not UTF-8"}),
    "bytes in an id": (b"id,smi\n\xff,CC\nb,C\n", {"a.csv, line 2": "not UTF-8"}),
    "no id": (b"id,smi\n,CC\nb,C\n", {"a.csv, line 2": "'id' is empty"}),
    "very long": (b"id,smi\na," + b"C" * 20_000 + b"\nb,C\n", {"a.csv, line 2": "20,000 char"}),
    "CRLF": (b"id,smi\r\nb,C\r\n", {}),
    "BOM": (b"\xef\xbb\xbfid,smi\nb,C\n", {}),
    "bytes in another column's name": (b"id,\xe9\xff,smi\nb,1,C\n", {}),
    "line break in another column": (b'id,x,smi\nb,"1\n2",C\n', {}),
}


@pytest.mark.parametrize("kind", ROWS)
def test_a_bad_row_of_a_table_is_named_and_the_others_stay(kind: str, tmp_path: Path) -> None:
    content, expected = ROWS[kind]
    (tmp_path / "a.csv").write_bytes(content)
    found = checked("smiles-csv", tmp_path / "a.csv", **TABLE)
    assert isinstance(found, dict)
    assert {key: row.smiles for key, row in good(found).items()} == {"b": "C"}
    told = reasons(found)
    assert set(told) == set(expected)
    for place, reason in expected.items():
        assert reason in told[place]


TABLES = {
    "empty": (b"", "must name the columns"),
    "no such column": (b"id,\xff\xfe\n1,C\n", "unknown column 'smi'"),
    "two of one name": (b"id,smi,smi\n1,C,N\n", "2 columns are named 'smi'"),
    "a quote that never closes": (b'id,smi\na,"CC\nb,C\nc,N\n', "line 4: not readable as CSV"),
    "a quote in the middle": (b'id,smi\na,"CC"O\nb,C\n', "line 2: not readable as CSV"),
    "one id twice": (b"id,smi\na,C\na,N\n", "share the id 'a'"),
    "head alone": (b"id,smi\n", "no records"),
    "UTF-16": ("id,smi\na,C\n".encode("utf-16"), "UTF-16"),
    "gzip": (gzip.compress(b"id,smi\na,C\n"), "compressed (gzip)"),
}


@pytest.mark.parametrize("kind", TABLES)
def test_a_table_that_cannot_be_told_apart_is_refused(kind: str, tmp_path: Path) -> None:
    content, expected = TABLES[kind]
    (tmp_path / "a.csv").write_bytes(content)
    told = checked("smiles-csv", tmp_path / "a.csv", **TABLE)
    assert isinstance(told, str)
    assert expected in told


def test_a_line_without_an_end_is_not_read_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text, "LONGEST_LINE", 1000)
    for kind, head in (
        ("smiles-csv", b"id,smi\n"),
        ("extxyz", b""),
        ("sdf", b""),
        ("fasta", b">a\n"),
    ):
        path = tmp_path / f"a.{kind}"
        path.write_bytes(head + b"C" * 5000)
        told = checked(kind, path, **(TABLE if kind == "smiles-csv" else {}))
        assert isinstance(told, str)
        assert "longer than 1,000 characters" in told


SEQUENCES = {
    "text before the first header": (b"ACDE\n>a\nACDE\n", "line 1: not readable as FASTA"),
    "one id twice": (b">a\nACDE\n>a\nFG\n", "record 0 and a.fasta, record 1 share the id 'a'"),
    "empty": (b"", "no records"),
    "NUL": (b"\0\0\0\0", "not readable as FASTA"),
}


@pytest.mark.parametrize("kind", SEQUENCES)
def test_a_file_that_is_no_fasta_is_refused(kind: str, tmp_path: Path) -> None:
    content, expected = SEQUENCES[kind]
    (tmp_path / "a.fasta").write_bytes(content)
    told = checked("fasta", tmp_path / "a.fasta")
    assert isinstance(told, str)
    assert expected in told


def test_sequences_that_are_none_keep_their_rows(tmp_path: Path) -> None:
    (tmp_path / "a.fasta").write_bytes(
        b"\xef\xbb\xbf; a remark\r\n>a\r\n\r\n>b\r\nAC DE\r\n>\xff\r\nAC\r\n>d\r\nA\xffC\r\n>e\r\n"
        + b"A" * 100_001
        + b"\r\n>f\r\n"
    )
    found = checked("fasta", tmp_path / "a.fasta")
    assert isinstance(found, dict)
    assert {key: row.sequence for key, row in good(found).items()} == {"b": "ACDE"}
    told = reasons(found)
    assert told["a.fasta, record 0"] == told["a.fasta, record 5"] == "no residues"
    assert "not UTF-8" in told["a.fasta, record 2"]
    assert "none of the twenty" in told["a.fasta, record 3"]
    assert "100,001 residues" in told["a.fasta, record 4"]


def test_records_of_sdf_that_are_damaged_keep_their_rows(tmp_path: Path) -> None:
    whole = MOLECULE.decode()
    lines = whole.splitlines(keepends=True)
    counts = lines[3]
    mangled = {
        1: "".join([*lines[:3], "  2" + counts[3:], *lines[4:]]),
        2: "".join([*lines[:3], counts[:3] + "  1" + counts[6:], *lines[4:]]),
        3: "".join([*lines[:3], "999" + counts[3:], *lines[4:]]),
        4: whole.replace("$$$$\n", "$$ $$\n") + whole,
        5: "$$$$\n",
        6: whole.replace("M  END", "M \0END"),
        7: whole.replace("> <a>\n1", "> <a>\n1\n2"),
        8: whole.replace("> <a>\n1", "> <a>\n\udcff"),
    }
    content = whole + "".join(mangled.values()) + whole[: whole.index("$$$$") - 1]
    (tmp_path / "a.sdf").write_bytes(content.encode("utf-8", "surrogateescape"))
    found = checked("sdf", tmp_path / "a.sdf", columns={"energy": "a"})
    assert isinstance(found, dict)
    assert list(good(found)) == ["a.sdf, record 0"]
    told = reasons(found)
    assert set(told) == {f"a.sdf, record {number}" for number in range(1, 10)}
    assert "line $$$$ between them is damaged" in told["a.sdf, record 4"]
    assert "line break" in told["a.sdf, record 7"]
    assert "not UTF-8" in told["a.sdf, record 8"]
    assert "the file ends within" in told["a.sdf, record 9"]


def test_frames_that_swallow_others_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.xyz"
    path.write_bytes(frame() + frame().replace(b"2\n", b"5\n", 1) + frame())
    told = checked("extxyz", path)
    assert isinstance(told, str)
    assert "a.xyz, frame 1: 5 atoms announced, but the line '2' among them" in told


FRAMES = {
    "infinite cell": (frame(e="1").replace(b"4 0 0", b"inf 0 0"), "Lattice is 'inf'"),
    "cell that is no number": (frame(e="1").replace(b"4 0 0", b"nan 0 0"), "Lattice is 'nan'"),
    "energy beyond all numbers": (frame(e="1e308"), "beyond all numbers"),
    "columns by the billion": (
        frame().replace(b"pos:R:3", b"pos:R:3:x:R:1000000000"), "4 columns of the 1,000,000,004"
    ),
    "deep brackets": (frame(x='"' + "[" * 5000 + '"'), ""),
    "bytes": (frame(e="1").replace(b"e=1", b"e=\xff"), "not UTF-8"),
    "bytes in a kind": (frame(e="1").replace(b"pos:R", b"pos:\x80R"), "\\udc80"),
}  # fmt: skip


@pytest.mark.parametrize("kind", FRAMES)
def test_a_bad_frame_is_one_row(kind: str, tmp_path: Path) -> None:
    content, expected = FRAMES[kind]
    (tmp_path / "a.xyz").write_bytes(b"\xef\xbb\xbf" + frame(e="1") + content + frame(e="2"))
    more = {} if expected == "" else {"columns": {"energy": "e"}, "energy_unit": "hartree"}
    if b"e=" not in content:
        more = {}
    found = checked("extxyz", tmp_path / "a.xyz", **more)
    assert isinstance(found, dict)
    assert {"a.xyz, frame 0", "a.xyz, frame 2"} <= set(good(found))
    assert len(found) == 3
    assert expected in reasons(found).get("a.xyz, frame 1", "")


@pytest.mark.parametrize("lie", [True, False])
def test_a_frame_of_a_million_atoms_costs_no_memory(lie: bool, tmp_path: Path) -> None:
    path = tmp_path / "a.xyz"
    with open(path, "wb") as file:
        file.write(frame() + b"1000000\nProperties=species:S:1:pos:R:3\n")
        file.writelines(b"H 0.0 0.0 1.0\n" for _ in range(1000 if lie else 1_000_000))
        if not lie:
            file.write(frame())
    tracemalloc.start()
    found = checked("extxyz", path) if lie else take("extxyz", path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40e6
    if lie:
        assert isinstance(found, str)
        assert "a.xyz, frame 1: 1,000,000 atoms announced, 1,000 are there" in found
    else:
        assert isinstance(found, dict)
        assert reasons(found) == {
            "a.xyz, frame 1": "1,000,000 atoms; from 1 to 100,000 can be read"
        }
        assert len(good(found)) == 2


def test_large_molecules_are_refused_before_they_are_parsed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("it was parsed")

    monkeypatch.setattr(Chem, "SDMolSupplier", fail)
    head = "x\n\n\n  0  0  0     0  0            999 V3000\nM  V30 BEGIN CTAB\n"
    content = head + "M  V30 COUNTS 1000000 0 0 0 0\nM  END\n$$$$\n"
    (tmp_path / "a.sdf").write_text(content)
    told = reasons(take("sdf", tmp_path / "a.sdf"))
    assert told == {"a.sdf, record 0": "1,000,000 atoms; from 1 to 10,000 can be read"}


def test_coordinates_are_not_tried_for_by_the_hour(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(f"id,smi\na,{'C' * 400}\n")
    told = reasons(take("smiles-csv", tmp_path / "a.csv", **TABLE, embed_3d=True))
    assert told["a.csv, line 2"].startswith("no coordinates can be made for it: 1,202 atoms")


def test_branches_by_the_thousand_have_no_selfies() -> None:
    assert selfies_of("C(" * 3000 + "C" + ")C" * 3000) is None


@pytest.mark.parametrize("suffix", [".db", ".aselmdb"])
def test_a_row_of_too_many_atoms_is_refused(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    atoms = Atoms(numbers=np.ones(100_001, int), positions=np.zeros((100_001, 3)))
    kind = LMDBDatabase if suffix == ".aselmdb" else connect
    with kind(path, use_lock_file=False) as database:
        database.write(atoms)
        database.write(molecule("H2O"))
    found = take("ase-db", path)
    assert reasons(found) == {f"a{suffix}, row 1": "100,001 atoms; from 1 to 100,000 can be read"}
    assert len(good(found)) == 1


CRYSTALS = {
    "two crystals": (CIF + CIF.replace(b"data_x", b"data_y"), "2 crystals in it"),
    "none": (b"", "0 crystals in it"),
    "too many sites": (
        CIF + b"".join(b"Cu Cu%d 0.1 0.2 %f\n" % (i, i / 99999) for i in range(10000)),
        "10,002 atoms; from 1 to 10,000",
    ),
    "too many operations": (
        CIF.replace(
            b"loop_", b"loop_\n_symmetry_equiv_pos_as_xyz\n" + b"'x,y,z'\n" * 300 + b"loop_"
        ),
        "300 symmetry operations",
    ),
    "no volume": (CIF.replace(b"gamma 90", b"gamma 180"), ""),
    "no number": (CIF.replace(b"_a 4", b"_a nan"), ""),
    "coordinate": (CIF.replace(b"0.5 0.5 0.5", b"nan 0.5 0.5"), ""),
    "gzip": (gzip.compress(CIF)[:-9], ""),
}  # fmt: skip


@pytest.mark.parametrize("kind", CRYSTALS)
def test_a_bad_cif_is_one_row(kind: str, tmp_path: Path) -> None:
    content, expected = CRYSTALS[kind]
    name = "b.cif.gz" if kind == "gzip" else "b.CIF"
    (tmp_path / name).write_bytes(content)
    (tmp_path / "a.cif").write_bytes(CIF)
    (tmp_path / "folder.cif").mkdir()
    found = checked("cif-folder", tmp_path)
    assert isinstance(found, dict)
    assert set(found) == {"a", "b"}
    assert list(good(found)) == ["a"]
    assert expected in reasons(found)[name]


def test_names_that_are_not_utf8_are_rows_too(tmp_path: Path) -> None:
    try:
        Path(os.fsdecode(bytes(tmp_path) + b"/\xff.cif")).write_bytes(CIF)
    except OSError:
        pytest.skip("the file system wants UTF-8")
    found = checked("cif-folder", tmp_path)
    assert isinstance(found, dict)
    assert list(found) == ["\\udcff"]


def test_files_without_a_protein_are_rows(written: dict[str, bytes], tmp_path: Path) -> None:
    (tmp_path / "1abc.pdb").write_bytes(written[".pdb"])
    (tmp_path / "pdb2abc.ent.gz").write_bytes(gzip.compress(written[".pdb"]))
    water = b"HETATM    1  O   HOH A   1       0.000   0.000   0.000  1.00  0.00           O\n"
    (tmp_path / "water.pdb").write_bytes(water)
    (tmp_path / "twice.pdb").write_bytes(b"")
    found = checked("structure-folder", tmp_path)
    assert isinstance(found, dict)
    assert set(good(found)) == {"1abc_A", "pdb2abc_A"}
    assert set(reasons(found)) == {"water.pdb", "twice.pdb"}


def test_a_gzip_that_holds_a_disk_full_is_not_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proteins, "_LARGEST", 1 << 20)
    for name in ("a.cif.gz", "b.pdb.gz"):
        (tmp_path / name).write_bytes(gzip.compress(bytes(1 << 22)))
    for name, reason in reasons(take("structure-folder", tmp_path)).items():
        assert f"{name}: holds more than 1,048,576 bytes" in reason


def test_an_unreadable_file_is_an_error_of_ours(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    for content in (b"[]", b"{", b'{"ids": 3}', b'{"ids": ["a"]}', b"\xff", b"[" * 10_000):
        path.write_bytes(content)
        with pytest.raises(MatterAlignError, match=r"a\.json"):
            take("ase-db", path)


def test_line_ends_and_a_byte_order_mark_change_nothing(tmp_path: Path) -> None:
    frames = [bulk("Cu"), molecule("H2O")]
    write(tmp_path / "a.xyz", frames, format="extxyz")
    content = (tmp_path / "a.xyz").read_bytes()
    (tmp_path / "a.xyz").write_bytes(b"\xef\xbb\xbf" + content.replace(b"\n", b"\r\n"))
    found = good(take("extxyz", tmp_path / "a.xyz"))
    for number, atoms in enumerate(frames):
        np.testing.assert_allclose(
            found[f"a.xyz, frame {number}"].positions, atoms.positions, atol=1e-8
        )
