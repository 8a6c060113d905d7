from __future__ import annotations

import json
from pathlib import Path

import pytest

from matteralign.core.errors import IntegrityError
from matteralign.store.written import keep_only


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if not path.name.startswith(".")}


def fill(folder: Path, *files: str) -> list[Path]:
    for name in files:
        (folder / name).touch()
    return [folder / name for name in files]


def test_what_was_noted_and_is_not_written_again_goes(tmp_path: Path) -> None:
    fill(tmp_path, "users.csv")
    keep_only(tmp_path, fill(tmp_path, "a.csv", "b.csv"))
    assert names(tmp_path) == {"users.csv", "a.csv", "b.csv"}
    keep_only(tmp_path, fill(tmp_path, "b.csv", "c.csv"))
    assert names(tmp_path) == {"users.csv", "b.csv", "c.csv"}
    (tmp_path / "c.csv").unlink()
    keep_only(tmp_path, [])
    assert names(tmp_path) == {"users.csv"}


def test_a_list_never_leads_out_of_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "tables"
    folder.mkdir()
    outside = tmp_path / "outside"
    outside.touch()
    (folder / ".written.json").write_text(json.dumps(["../outside", str(outside), "..", 3]))
    keep_only(folder, [])
    assert outside.exists()


def test_a_damaged_list_removes_nothing(tmp_path: Path) -> None:
    fill(tmp_path, "a.csv")
    (tmp_path / ".written.json").write_text("[")
    with pytest.raises(IntegrityError, match=r"written\.json: not valid JSON"):
        keep_only(tmp_path, [])
    assert names(tmp_path) == {"a.csv"}
