from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ase.build import bulk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from matteralign.core.errors import IntegrityError
from matteralign.store.structures import (
    Structure,
    read_structures,
    sample_set_id,
    schema,
    write_structures,
)

finite = st.floats(-1e6, 1e6)
words = st.text(max_size=12)


@st.composite
def structures(draw: st.DrawFn, identifier: str) -> Structure:
    n = draw(st.integers(0, 6))
    periodic = draw(st.booleans())
    return Structure(
        id=identifier,
        numbers=draw(hnp.arrays(np.uint8, n, elements=st.integers(0, 118))),
        positions=draw(hnp.arrays(np.float64, (n, 3), elements=finite)),
        cell=draw(hnp.arrays(np.float64, (3, 3), elements=finite)) if periodic else None,
        pbc=draw(hnp.arrays(bool, 3)) if periodic else None,
        smiles=draw(st.none() | words),
        selfies=draw(st.none() | words),
        charge=draw(st.integers(-5, 5)),
        spin=draw(st.integers(1, 7)),
        energy=draw(st.none() | finite),
        split=draw(st.none() | words),
        source=draw(st.none() | words),
    )


@st.composite
def sample_sets(draw: st.DrawFn) -> list[Structure]:
    ids = draw(st.lists(st.text(min_size=1, max_size=8), unique=True, max_size=5))
    return [draw(structures(identifier)) for identifier in ids]


def same(a: Structure, b: Structure) -> bool:
    for field in fields(Structure):
        x, y = getattr(a, field.name), getattr(b, field.name)
        if field.name == "pbc":
            x = [False] * 3 if x is None else list(x)
            y = [False] * 3 if y is None else list(y)
        if isinstance(x, np.ndarray):
            if y is None or x.shape != y.shape or not np.array_equal(x, y):
                return False
        elif x != y:
            return False
    return True


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(sample_sets())
def test_roundtrip(tmp_path: Path, sample: list[Structure]) -> None:
    path = tmp_path / "structures.parquet"
    identity = write_structures(
        path, sample, slice_name="s", dataset="d", info={"seed": "0", "note": "é"}
    )
    back = read_structures(path)
    assert back.id == identity == sample_set_id(sample)
    assert (back.slice, back.dataset, back.info) == ("s", "d", {"seed": "0", "note": "é"})
    assert len(back) == len(sample)
    assert all(same(a, b) for a, b in zip(sample, back.structures, strict=True))


def test_unicode_and_crystals(tmp_path: Path, water: Structure) -> None:
    cell = bulk("NaCl", "rocksalt", a=5.64)
    crystal = Structure(
        id="NaCl № 1",
        numbers=cell.numbers.astype(np.uint8),
        positions=cell.positions,
        cell=np.asarray(cell.cell),
        pbc=np.ones(3, bool),
        charge=-1,
        spin=2,
        energy=-1.5,
    )
    odd = replace(water, id="w", smiles="C/C=C\\C[N+](=O)[O-].水", selfies="[C][=C]")
    write_structures(tmp_path / "s.parquet", [crystal, odd], slice_name="s", dataset="d")
    back = read_structures(tmp_path / "s.parquet").structures
    assert same(back[0], crystal)
    assert same(back[1], odd)
    assert back[0].periodic
    assert not back[1].periodic


def test_the_same_structures_give_the_same_bytes(tmp_path: Path, water: Structure) -> None:
    for name in ("a", "b"):
        write_structures(tmp_path / name, [water], slice_name="s", dataset="d")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_duplicated_id_is_refused_with_its_rows(tmp_path: Path, water: Structure) -> None:
    with pytest.raises(IntegrityError, match="rows 0 and 2 share the id 'H2O'"):
        write_structures(
            tmp_path / "s.parquet",
            [water, replace(water, id="x"), water],
            slice_name="s",
            dataset="d",
        )
    assert not (tmp_path / "s.parquet").exists()


CHANGES: dict[str, object] = {
    "id": "other",
    "numbers": np.array([8, 1, 2], np.uint8),
    "positions": None,
    "cell": np.eye(3),
    "pbc": np.array([True, False, False]),
    "smiles": "[OH2]",
    "selfies": "[O]",
    "charge": 1,
    "spin": 3,
}


@pytest.mark.parametrize("field", sorted(CHANGES))
def test_everything_a_model_sees_decides_the_identity(water: Structure, field: str) -> None:
    value = CHANGES[field]
    if field == "positions":
        value = np.nextafter(water.positions, np.inf)
    assert replace(water, **{field: value}).digest() != water.digest()


@pytest.mark.parametrize("field", ["energy", "split", "source"])
def test_what_no_model_sees_does_not(water: Structure, field: str) -> None:
    value = -1.0 if field == "energy" else "x"
    assert replace(water, **{field: value}).digest() == water.digest()


def test_order_and_order_of_magnitude_of_rows_decide_the_set(
    water: Structure, methane: Structure
) -> None:
    assert sample_set_id([water, methane]) != sample_set_id([methane, water])
    assert sample_set_id([water]) != sample_set_id([water, methane])


@pytest.fixture
def written(tmp_path: Path, small_molecules: list[Structure]) -> Path:
    path = tmp_path / "structures.parquet"
    write_structures(path, small_molecules, slice_name="s", dataset="d")
    return path


def _rewrite(path: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    table = pq.read_table(path)
    pq.write_table(change(table).replace_schema_metadata(table.schema.metadata), path)


def test_swapped_rows_are_refused(written: Path) -> None:
    _rewrite(written, lambda t: t.take(pa.array([1, 0, *range(2, t.num_rows)])))
    with pytest.raises(IntegrityError, match=r"structures\.parquet: rows hash to"):
        read_structures(written)


def test_a_dropped_row_is_refused(written: Path) -> None:
    _rewrite(written, lambda t: t.slice(1))
    with pytest.raises(IntegrityError, match="rows hash to"):
        read_structures(written)


def test_a_moved_atom_is_refused(written: Path) -> None:
    def move(table: pa.Table) -> pa.Table:
        rows = table.column("positions").to_pylist()
        rows[3][0] = math.nextafter(rows[3][0], math.inf)
        position = schema().get_field_index("positions")
        return table.set_column(
            position, schema().field(position), pa.array(rows, schema().field(position).type)
        )

    _rewrite(written, move)
    with pytest.raises(IntegrityError, match="rows hash to"):
        read_structures(written)


def test_other_columns_and_no_identity_are_refused(written: Path) -> None:
    table = pq.read_table(written)
    pq.write_table(table.drop_columns(["spin"]), written)
    with pytest.raises(IntegrityError, match="columns differ"):
        read_structures(written)
    pq.write_table(table.replace_schema_metadata({}), written)
    with pytest.raises(IntegrityError, match="the file says nothing"):
        read_structures(written)


def test_a_cut_or_foreign_file_is_refused(written: Path, tmp_path: Path) -> None:
    data = written.read_bytes()
    written.write_bytes(data[: len(data) // 2])
    with pytest.raises(IntegrityError, match=r"structures\.parquet.*Parquet"):
        read_structures(written)
    written.write_bytes(b"")
    with pytest.raises(IntegrityError, match=r"structures\.parquet"):
        read_structures(written)
    with pytest.raises(IntegrityError, match=r"none\.parquet.*missing"):
        read_structures(tmp_path / "none.parquet")


def test_every_column_is_documented() -> None:
    assert all(field.metadata and b"doc" in field.metadata for field in schema())
    for name in ("positions", "cell", "charge", "energy"):
        assert b"unit" in schema().field(name).metadata
