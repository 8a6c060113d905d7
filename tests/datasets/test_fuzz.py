"""Records that are damaged in every way: a structure, or an error with file and record."""

from __future__ import annotations

import csv
import json
import zlib
from contextlib import closing
from pathlib import Path
from typing import Any

import lmdb
import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from ase.io.jsonio import encode
from hypothesis import given, settings
from hypothesis import strategies as st

from matteralign.core.errors import IntegrityError
from matteralign.datasets.ase_lmdb.reader import AseLmdb
from matteralign.datasets.base.catalogue import get_dataset
from matteralign.datasets.base.dataset import Dataset
from matteralign.datasets.qm9.original import Qm9Original
from matteralign.datasets.qm9.table import Qm9Table
from matteralign.store.structures import Structure
from tests.datasets.lmdb_files import write
from tests.datasets.original_qm9 import archive, uncharacterized
from tests.datasets.test_qm9_original import METHANE
from tests.datasets.test_qm9_records import METHANE as ROW

FUZZ = settings(max_examples=80, deadline=None)


def told(dataset: Dataset, place: str) -> None:
    """Read everything; what cannot be read is told with its place."""
    try:
        found = dataset.read(dataset.ids())
    except IntegrityError as error:
        assert place in str(error)
        return
    for structure in found:
        assert structure.positions.shape == (len(structure.numbers), 3)
        assert structure.energy is None or np.isfinite(structure.energy)
        assert structure.spin >= 1


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """Cut a record, or replace, drop or insert some bytes of it."""
    content = bytearray(whole)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(len(content) - 1, 0)))
        length = draw(st.integers(0, 12))
        odd = st.sampled_from([b"-1", b"nan", b"1e400", b"\xff", b"9" * 30, b"*^", b"\t", b"\n"])
        content[at : at + length] = draw(st.binary(max_size=6) | odd)
    if draw(st.booleans()):
        del content[draw(st.integers(0, len(content))) :]
    return bytes(content)


@FUZZ
@given(record=damaged(METHANE))
def test_an_xyz_record_of_qm9(tmp_path_factory: pytest.TempPathFactory, record: bytes) -> None:
    folder, chosen = tmp_path_factory.mktemp("fuzz"), get_dataset("qm9@original")
    raw = {f.name: folder / f.name for f in chosen.version.files}
    raw["dsgdb9nsd.xyz.tar.bz2"].write_bytes(archive([(1, record)]))
    raw["uncharacterized.txt"].write_bytes(uncharacterized([58]))
    told(Qm9Original(chosen.card, chosen.version, raw), "record gdb_1: ")


@FUZZ
@given(content=damaged(uncharacterized([58, 61])))
def test_the_list_of_the_uncharacterised(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    folder, chosen = tmp_path_factory.mktemp("fuzz"), get_dataset("qm9@original")
    raw = {f.name: folder / f.name for f in chosen.version.files}
    raw["dsgdb9nsd.xyz.tar.bz2"].write_bytes(archive([(1, METHANE)]))
    raw["uncharacterized.txt"].write_bytes(content)
    told(Qm9Original(chosen.card, chosen.version, raw), "")


def _table(folder: Path, content: bytes) -> Qm9Table:
    chosen = get_dataset("qm9")
    raw = {f.name: folder / f.name for f in chosen.version.files[:1]}
    raw["qm9_part1.csv"].write_bytes(content)
    return Qm9Table(chosen.card, chosen.version, raw)


@FUZZ
@given(
    column=st.sampled_from(sorted(set(ROW) - {"XYZ_file", "Dipole_debye"})),
    value=st.text(max_size=20)
    | st.sampled_from(["-5", "[]", "[[]]", "[[1,2,3]]", "nan", "1e999", "['C']", "99999999999999"]),
)
def test_a_field_of_the_table_of_qm9(
    tmp_path_factory: pytest.TempPathFactory, column: str, value: str
) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    with open(folder / "made.csv", "w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, list(ROW))
        writer.writeheader()
        writer.writerow(ROW | {column: value})
    told(_table(folder, (folder / "made.csv").read_bytes()), "qm9_part1.csv")


@FUZZ
@given(content=damaged(b",".join(k.encode() for k in ROW) + b"\nx,1,C,1,['C'],[[0,0,0]],-1,0.\n"))
def test_the_bytes_of_the_table_of_qm9(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    told(_table(tmp_path_factory.mktemp("fuzz"), content), "qm9_part1.csv")


def _database(folder: Path, rows: list[bytes], nextid: bytes | None = None) -> AseLmdb:
    """Write rows as they are given, in the layout of an ``.aselmdb`` file."""
    path = folder / "a.aselmdb"
    with (
        closing(lmdb.open(str(path), subdir=False, map_size=1 << 26, lock=False)) as database,
        database.begin(write=True) as transaction,
    ):
        for number, row in enumerate(rows, start=1):
            transaction.put(str(number).encode(), row)
        last = zlib.compress(str(len(rows) + 1).encode())
        transaction.put(b"nextid", nextid or last)
    (folder / "members.json").write_text(json.dumps({"a.aselmdb": {}}))
    chosen = get_dataset("omol25@neutral-val")
    return AseLmdb(chosen.card, chosen.version, {"neutral_val.tar.gz": folder})


def _row(**changes: Any) -> bytes:
    atoms = molecule("H2O")
    plain = {
        "numbers": atoms.numbers, "positions": atoms.positions, "pbc": atoms.pbc,
        "cell": np.zeros((3, 3)), "unique_id": "0" * 32, "ctime": 1.0, "mtime": 1.0, "user": "u",
        "energy": -2079.0, "data": {"charge": 0, "spin": 1}, "key_value_pairs": {},
    }  # fmt: skip
    return zlib.compress(encode(plain | changes).encode())


odd_values = st.one_of(
    st.none(),
    st.text(max_size=5),
    st.integers(-(10**30), 10**30),
    st.floats(),
    st.lists(st.floats() | st.integers(-300, 300), max_size=10),
    st.lists(st.lists(st.floats(), max_size=3), max_size=4),
    st.dictionaries(st.sampled_from(["charge", "spin", "__ndarray__"]), st.floats() | st.text()),
)


@FUZZ
@given(
    key=st.sampled_from(
        ["numbers", "positions", "pbc", "cell", "energy", "data", "key_value_pairs", "forces"]
    ),
    value=odd_values,
)
def test_a_field_of_a_database_row(
    tmp_path_factory: pytest.TempPathFactory, key: str, value: Any
) -> None:
    told(_database(tmp_path_factory.mktemp("fuzz"), [_row(**{key: value})]), "a.aselmdb, row 1: ")


@FUZZ
@given(row=damaged(_row()) | st.binary(max_size=50) | st.binary(max_size=50).map(zlib.compress))
def test_the_bytes_of_a_database_row(tmp_path_factory: pytest.TempPathFactory, row: bytes) -> None:
    told(_database(tmp_path_factory.mktemp("fuzz"), [row or b"x"]), "a.aselmdb, row 1: ")


@FUZZ
@given(nextid=st.binary(min_size=1, max_size=20) | st.text(max_size=6).map(
    lambda text: zlib.compress(text.encode())
))  # fmt: skip
def test_the_number_of_rows_of_a_database(
    tmp_path_factory: pytest.TempPathFactory, nextid: bytes
) -> None:
    told(_database(tmp_path_factory.mktemp("fuzz"), [_row()], nextid), "a.aselmdb")


@pytest.mark.parametrize("value", [10**12, -5, 2.5, [1], {}, True])
def test_an_absurd_number_of_rows_is_refused(tmp_path: Path, value: Any) -> None:
    nextid = zlib.compress(json.dumps(value).encode())
    dataset = _database(tmp_path, [_row()], nextid)
    with pytest.raises(IntegrityError, match=r"a\.aselmdb: .*rows"):
        dataset.ids()


def test_a_record_of_a_million_atoms_is_a_row(tmp_path: Path) -> None:
    n = 1_000_000
    atoms = Atoms(np.ones(n, int), positions=np.arange(3.0 * n).reshape(n, 3))
    write(tmp_path / "a.aselmdb", [(atoms, {})])
    (tmp_path / "members.json").write_text(json.dumps({"a.aselmdb": {}}))
    chosen = get_dataset("salex")
    dataset = AseLmdb(chosen.card, chosen.version, {"val.tar.gz": tmp_path})
    found: list[Structure] = dataset.read(dataset.ids())
    assert found[0].n_atoms == n
    assert found[0].positions[-1].tolist() == [3.0 * n - 3, 3.0 * n - 2, 3.0 * n - 1]
