from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from matteralign.core.errors import UserError
from matteralign.store.arrays import read_matrix

GOOD = np.random.default_rng(0).normal(size=(7, 3))


def saved(array: np.ndarray, *, pickled: bool = False) -> bytes:
    out = io.BytesIO()
    np.save(out, array, allow_pickle=pickled)
    return out.getvalue()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "a.npy"
    made.write_bytes(saved(GOOD))
    return made


def refused(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        read_matrix(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert len(message.splitlines()) == 1
    return message


@pytest.mark.parametrize(
    "array",
    [
        GOOD,
        GOOD.astype(np.float16),
        GOOD.astype(">f4"),
        np.asfortranarray(GOOD),
        GOOD[::2, ::-1],
        np.arange(6, dtype=np.uint8).reshape(2, 3),
        np.ones((1, 1), bool),
    ],
)
def test_a_matrix_comes_back(path: Path, array: np.ndarray) -> None:
    path.write_bytes(saved(array))
    found = read_matrix(path)
    assert found.dtype == array.dtype
    assert np.array_equal(found, array)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a readable .npy file"),
        (b"\x93NUMPY", "not a readable .npy file"),
        (b"model,value\n1,2\n", "not a readable .npy file"),
        (saved(GOOD)[:-1], "file is shorter than its header says (167 bytes of data, 168"),
        (saved(GOOD) + b"x", "file is longer than its header says"),
        (saved(np.array([{}], dtype=object), pickled=True), "holds Python objects"),
        (saved(GOOD.astype(complex)), "is complex (complex128)"),
        (saved(np.array([["a"]])), "numbers are needed"),
        (saved(np.zeros((2, 2), "M8[s]")), "numbers are needed"),
        (saved(np.zeros((2, 2), [("x", "f8")])), "numbers are needed"),
        (saved(GOOD[0]), "has shape (3,); a matrix"),
        (saved(GOOD[None]), "has shape (1, 7, 3); a matrix"),
        (saved(GOOD[:0]), "at least one row"),
        (saved(GOOD[:, :0]), "at least one row"),
        (saved(np.where(GOOD[2, 1] == GOOD, np.nan, GOOD)), "holds nan at row 2, column 1 (1 of 7"),
        (saved(np.where(GOOD[0, 0] == GOOD, -np.inf, GOOD)), "holds -inf at row 0, column 0"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(path: Path, content: bytes, message: str) -> None:
    path.write_bytes(content)
    assert message in refused(path)


def test_a_missing_file_a_folder_and_an_archive_are_named(tmp_path: Path) -> None:
    assert "does not exist" in refused(tmp_path / "none.npy")
    assert "is a folder" in refused(tmp_path)
    np.savez(tmp_path / "x.npz", GOOD)
    assert "is an archive" in refused(tmp_path / "x.npz")


def test_a_header_of_a_huge_array_takes_no_memory(path: Path) -> None:
    header = {"descr": "<f8", "fortran_order": False, "shape": (10**12, 10**6)}
    out = io.BytesIO()
    np.lib.format.write_array_header_1_0(out, header)
    path.write_bytes(out.getvalue() + b"\0" * 64)
    assert "shorter" in refused(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=400)
@given(data=st.data())
def test_a_damaged_file_is_refused_or_still_a_matrix(path: Path, data: st.DataObject) -> None:
    """Bits of the header flipped, bytes overwritten, tails cut: one line or finite numbers."""
    content = bytearray(saved(GOOD))
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(content) - 1))
        content[position] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(content[: data.draw(st.integers(0, len(content)))]))
    try:
        found = read_matrix(path)
    except UserError as error:
        assert str(error).startswith(f"{path}: ")
        assert len(str(error).splitlines()) == 1
    else:
        assert found.ndim == 2
        assert np.isfinite(found).all()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300))
def test_bytes_of_any_kind_are_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    refused(path)
    path.write_bytes(b"\x93NUMPY\x01\x00" + content)
    refused(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    arrays(
        st.sampled_from([np.float32, np.float64, np.int16]),
        array_shapes(min_dims=2, max_dims=2, min_side=1),
        elements=st.integers(-100, 100),
    )
)
def test_every_matrix_of_numbers_comes_back(path: Path, array: np.ndarray) -> None:
    path.write_bytes(saved(array))
    assert np.array_equal(read_matrix(path), array)
