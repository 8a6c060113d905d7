from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from matteralign.core.errors import IntegrityError
from matteralign.core.files import atomic_path, read_json, write_json, write_text


def test_a_crash_in_the_block_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "table.csv"
    target.write_text("old")
    with pytest.raises(RuntimeError, match="halfway"), atomic_path(target) as temporary:
        temporary.write_text("new, but only ha")
        assert target.read_text() == "old"
        raise RuntimeError("halfway")
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_crash_before_the_first_file_leaves_none(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), atomic_path(tmp_path / "x" / "y.npy") as temporary:
        temporary.write_bytes(b"1")
        raise KeyboardInterrupt
    assert list((tmp_path / "x").iterdir()) == []


def test_success_replaces_and_leaves_no_temporary_file(tmp_path: Path) -> None:
    target = tmp_path / "a.json"
    for text in ("first", "second"):
        write_text(target, text)
        assert target.read_text() == text
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize(("umask", "expected"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_permissions_follow_the_umask(tmp_path: Path, umask: int, expected: int) -> None:
    before = os.umask(umask)
    try:
        write_text(tmp_path / "f", "x")
        assert os.umask(umask) == umask
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == expected


def test_the_temporary_file_keeps_the_suffix_and_hides(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "m.parquet") as temporary:
        assert temporary.suffix == ".parquet"
        assert temporary.name.startswith(".")
        assert temporary.parent == tmp_path


def test_json_bytes_do_not_depend_on_key_order(tmp_path: Path) -> None:
    write_json(tmp_path / "a", {"b": 1, "a": {"d": "é", "c": None}})
    write_json(tmp_path / "b", {"a": {"c": None, "d": "é"}, "b": 1})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert read_json(tmp_path / "a") == {"a": {"c": None, "d": "é"}, "b": 1}


def test_nan_is_never_written_as_json(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a", {"x": float("nan")})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", json.dumps({"a": 1})[:-1].encode()])
def test_unreadable_json_names_the_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "side.json"
    path.write_bytes(content)
    with pytest.raises(IntegrityError, match=r"side\.json"):
        read_json(path)


def test_missing_json_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match=r"gone\.json.*missing"):
        read_json(tmp_path / "gone.json")
