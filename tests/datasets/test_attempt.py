"""What goes wrong in a record is the record's; what libraries warn of is kept with it."""

from __future__ import annotations

import errno
import json
import os
import re
import warnings
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rdkit import Chem

from matteralign.config.datasets import OwnDataset
from matteralign.config.schema import StudyConfig
from matteralign.core.errors import IntegrityError, UserError
from matteralign.datasets.base.attempt import BadRecordError, RecordWarning, attempt, blamed
from matteralign.datasets.base.dataset import Skipped
from matteralign.datasets.own.own import Format, OwnRows, Record
from matteralign.registry.load import load_cards
from matteralign.stages.sample import sample_slice
from matteralign.stages.study.layout import Layout
from matteralign.stages.study.study import Study
from matteralign.store.structures import Structure, read_structures
from tests.conftest import build


def raising(error: BaseException) -> Any:
    def read() -> Structure:
        raise error

    return read


class _OddError(Exception):
    pass


FAULTS = {
    ValueError("no number"): "no number",
    BadRecordError("no atoms"): "no atoms",
    IntegrityError("damaged"): "damaged",
    KeyError("Qq"): "KeyError: 'Qq'",
    AssertionError(): "AssertionError",
    TypeError("a\nb"): "TypeError: a b",
    RecursionError("too deep"): "RecursionError: too deep",
    OSError("of a library"): "OSError: of a library",
    StopIteration(): "StopIteration",
    _OddError("odd \udcff"): "_OddError: odd \\udcff",
}


@pytest.mark.parametrize("error", FAULTS, ids=lambda e: type(e).__name__)
def test_any_exception_of_a_record_is_its_reason(error: Exception) -> None:
    assert attempt(raising(error), "f, record 0").reason == FAULTS[error]


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(errno.EIO, os.strerror(errno.EIO), "f"),
        PermissionError(errno.EACCES, "denied"),
    ],
)
def test_what_is_of_the_machine_stops_with_one_line(error: Exception) -> None:
    def read() -> Structure:
        with blamed("a library"):
            raise error

    with pytest.raises(UserError, match="f, record 0: "):
        attempt(read, "f, record 0")


def test_an_interrupt_goes_on() -> None:
    with pytest.raises(KeyboardInterrupt):
        attempt(raising(KeyboardInterrupt()), "f, record 0")


def test_warnings_are_kept_each_once_whatever_the_filters() -> None:
    def read() -> float:
        for _ in range(3):
            warnings.warn("a column is missing", RecordWarning, stacklevel=1)
            np.float64(1) / np.float64(0)
        return 1.0

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = attempt(read, "f, record 0", before=("earlier",))
    assert found.value == 1.0
    assert found.warnings[:2] == ("earlier", "a column is missing")
    assert len(found.warnings) == 3
    assert re.search("divide by zero", found.warnings[2])


def test_the_log_of_rdkit_is_kept_and_not_printed(capfd: pytest.CaptureFixture[str]) -> None:
    found = attempt(lambda: Chem.MolFromSmiles("C1CC"), "f, record 0")
    assert found.warnings == ("rdkit: SMILES Parse Error: unclosed ring for input: 'C1CC'",)
    assert capfd.readouterr().err == ""
    Chem.MolFromSmiles("C1CC")
    assert "unclosed ring" in capfd.readouterr().err


def test_what_is_warned_of_before_a_fault_is_kept() -> None:
    def read() -> None:
        warnings.warn("odd", RecordWarning, stacklevel=1)
        raise KeyError("x")

    found = attempt(read, "f, record 0")
    assert (found.reason, found.warnings) == ("KeyError: 'x'", ("odd",))


class _Odd(Format):
    """Three records: one that warns, one whose reader fails, one that is good."""

    def records(self, places: Collection[str] | None = None) -> Iterator[Record]:
        warnings.warn("the first line is odd", RecordWarning, stacklevel=1)
        yield Record("f, 0", None, self._warning)
        yield Record("f, 1", None, raising(TypeError("none")))
        yield Record("f, 2", None, lambda: build("H2O", id="2"))

    def _warning(self) -> Structure:
        warnings.warn("units are not said", RecordWarning, stacklevel=1)
        return build("CH4", id="0")


def rows_of(form: type[Format], tmp_path: Path) -> OwnRows:
    return OwnRows(form(OwnDataset(kind="extxyz", path=str(tmp_path / "f.xyz"))))


def test_rows_keep_the_warnings_of_those_that_could_be_read(tmp_path: Path) -> None:
    rows = rows_of(_Odd, tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        taken = rows.take(rows.ids())
    assert [getattr(row, "id", None) for row in taken] == ["0", None, "2"]
    assert taken[1] == Skipped("f, 1", "TypeError: none")
    assert rows.warned == {"f, 0": ("the first line is odd", "units are not said")}


class _Broken(Format):
    def records(self, places: Collection[str] | None = None) -> Iterator[Record]:
        yield Record("f, 0", None, raising(KeyError("x")))
        raise TypeError("not a file")


def test_what_breaks_between_records_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match=r"f\.xyz: not readable as extxyz: TypeError: not"):
        rows_of(_Broken, tmp_path).ids()


def test_a_sample_says_each_warning_once_with_its_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        "matteralign.datasets.own.source.open_format",
        _Odd,
    )
    config = StudyConfig.model_validate(
        {
            "datasets": {"d": {"kind": "extxyz", "path": "f.xyz"}},
            "slices": {
                "s": {"dataset": "d", "n": "all", "seed": 0, "panel": ["random", "composition"]}
            },
        }
    )
    layout, lines = Layout(tmp_path / "results", "s"), list[str]()
    layout.root.mkdir(parents=True)
    sample_slice(Study(config, load_cards()), layout, lines.append)
    assert "warning (f, 0): units are not said" in lines
    assert json.loads(layout.skipped.read_text()) == [
        {"place": "f, 1", "reason": "TypeError: none", "warnings": []}
    ]
    assert json.loads(layout.warnings.read_text()) == [
        {"place": "f, 0", "warnings": ["the first line is odd", "units are not said"]}
    ]
    info = read_structures(layout.structures).info
    assert (info["warned"], json.loads(info["warnings"])[0][1]) == ("1", 1)
