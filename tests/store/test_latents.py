from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from matteralign.core.errors import IntegrityError
from matteralign.core.hashing import sha256_file
from matteralign.store.latent_rows import open_latent
from matteralign.store.latents import (
    MaskedRow,
    read_sidecar,
    sidecar_path,
    write_latent,
)

IDENTITY: dict[str, Any] = {
    "model": "m", "slice": "s", "sample_set_id": "a" * 64, "checkpoint": {"weights": "none"}
}  # fmt: skip
VALUES = np.arange(24, dtype=np.float32).reshape(6, 4)
MASKED = [MaskedRow(4, "x4", "element", "Na"), MaskedRow(1, "x1", "smiles", "none")]


@pytest.fixture
def latent(tmp_path: Path) -> Path:
    path = tmp_path / "mace-0.3.0.npy"
    write_latent(path, VALUES, MASKED, IDENTITY)
    return path


def test_masked_rows_are_nan_and_carry_their_reason(latent: Path) -> None:
    with open_latent(latent, sample_set_id="a" * 64) as back:
        values = np.asarray(back)
    assert back.valid.tolist() == [True, False, True, True, False, True]
    assert np.isnan(values[[1, 4]]).all()
    assert np.array_equal(values[back.valid], VALUES[[0, 2, 3, 5]])
    assert back.sidecar["masked"] == [
        {"row": 1, "id": "x1", "code": "smiles", "reason": "none"},
        {"row": 4, "id": "x4", "code": "element", "reason": "Na"},
    ]
    assert (back.sidecar["n_rows"], back.sidecar["n_valid"], back.sidecar["dim"]) == (6, 4, 4)
    assert back.sha256 == sha256_file(latent)


def test_a_dot_in_the_key_keeps_its_sidecar_apart(latent: Path) -> None:
    assert sidecar_path(latent).name == "mace-0.3.0.json"
    assert sidecar_path(latent).exists()


def test_the_callers_array_is_not_changed(tmp_path: Path) -> None:
    values = VALUES.copy()
    write_latent(tmp_path / "m.npy", values, MASKED, IDENTITY)
    assert np.array_equal(values, VALUES)


def test_the_same_latents_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_latent(tmp_path / f"{name}.npy", VALUES, MASKED, IDENTITY)
    assert (tmp_path / "a.npy").read_bytes() == (tmp_path / "b.npy").read_bytes()
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def test_fortran_order_and_views_are_stored_row_by_row(tmp_path: Path) -> None:
    write_latent(tmp_path / "a.npy", VALUES, [], IDENTITY)
    write_latent(tmp_path / "b.npy", np.asfortranarray(VALUES), [], IDENTITY)
    assert (tmp_path / "a.npy").read_bytes() == (tmp_path / "b.npy").read_bytes()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_an_unexplained_non_finite_row_is_refused(tmp_path: Path, bad: float) -> None:
    values = VALUES.copy()
    values[3, 2] = bad
    with pytest.raises(IntegrityError, match="row 3 is not finite"):
        write_latent(tmp_path / "m.npy", values, MASKED, IDENTITY)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("values", [VALUES.astype(np.float64), VALUES[0], VALUES[None]])
def test_another_shape_or_dtype_is_refused(tmp_path: Path, values: np.ndarray) -> None:
    with pytest.raises(IntegrityError, match="float32"):
        write_latent(tmp_path / "m.npy", values, [], IDENTITY)


def test_another_sample_set_is_refused_naming_the_file(latent: Path) -> None:
    with pytest.raises(
        IntegrityError, match=r"mace-0\.3\.0\.json: made for sample set aaaaaaaaaaaa"
    ):
        open_latent(latent, sample_set_id="b" * 64)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(data=st.data())
def test_any_flipped_bit_is_refused(latent: Path, data: st.DataObject) -> None:
    whole = latent.read_bytes()
    position = data.draw(st.integers(0, len(whole) - 1))
    changed = bytearray(whole)
    changed[position] ^= 1 << data.draw(st.integers(0, 7))
    try:
        latent.write_bytes(bytes(changed))
        with pytest.raises(IntegrityError, match=r"mace-0\.3\.0\.npy: bytes hash to"):
            open_latent(latent)
    finally:
        latent.write_bytes(whole)


@pytest.mark.parametrize("length", [0, 10, 128, -1])
def test_a_cut_array_is_refused(latent: Path, length: int) -> None:
    latent.write_bytes(latent.read_bytes()[:length])
    with pytest.raises(IntegrityError, match=r"\.npy: bytes hash to"):
        open_latent(latent)


def test_a_missing_part_is_named(latent: Path) -> None:
    array = latent.read_bytes()
    latent.unlink()
    with pytest.raises(IntegrityError, match=r"\.npy: array is missing"):
        open_latent(latent)
    latent.write_bytes(array)
    sidecar_path(latent).unlink()
    with pytest.raises(IntegrityError, match=r"\.json: file is missing"):
        open_latent(latent)


def _edit(latent: Path, **changes: Any) -> None:
    where = sidecar_path(latent)
    where.write_text(json.dumps(json.loads(where.read_text()) | changes))


def test_a_sidecar_that_lies_about_the_array_is_refused(latent: Path) -> None:
    _edit(latent, n_rows=7)
    with pytest.raises(IntegrityError, match="not as its sidecar"):
        open_latent(latent)
    _edit(latent, n_rows=6, masked=[])
    with pytest.raises(IntegrityError, match="NaN rows are not the masked rows"):
        open_latent(latent)


def test_a_masked_row_outside_the_array_is_refused(latent: Path) -> None:
    _edit(latent, masked=[{"row": 99, "id": "x", "code": "element", "reason": "r"}])
    with pytest.raises(IntegrityError, match="mace-0"):
        open_latent(latent)


def test_an_old_or_foreign_sidecar_is_refused(latent: Path) -> None:
    _edit(latent, schema=0)
    with pytest.raises(IntegrityError, match="sidecar schema 0"):
        read_sidecar(latent)
    sidecar_path(latent).write_text("{}")
    with pytest.raises(IntegrityError, match=r"lacks schema, model.*run its stage again"):
        read_sidecar(latent)
    sidecar_path(latent).write_text("[1]")
    with pytest.raises(IntegrityError, match="mace-0"):
        read_sidecar(latent)


def test_a_pickled_array_is_never_opened(latent: Path) -> None:
    with open(latent, "wb") as handle:
        np.save(handle, np.array([object()], dtype=object), allow_pickle=True)
    _edit(latent, sha256=sha256_file(latent))
    with pytest.raises(IntegrityError, match=r"mace-0\.3\.0\.npy: not a plain array"):
        open_latent(latent)
