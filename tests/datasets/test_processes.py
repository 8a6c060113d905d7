"""Parsing in several processes gives what one gives."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from matteralign.core.errors import UserError
from matteralign.datasets.base import processes
from matteralign.datasets.base.processes import parsed
from tests.datasets.test_damaged import original


def _kill(_: int) -> int:
    os._exit(1)


def test_processes_change_no_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_CHUNK", 3)
    dataset = original(tmp_path, [False, False, True, False, False, False, True, False])
    ids = list(reversed(dataset.ids()))
    alone = dataset.take(ids)
    dataset.threads = 2
    found = dataset.take(ids)
    assert [str(item) for item in found] == [str(item) for item in alone]
    assert len(found) == 8
    monkeypatch.setattr(processes, "_CHUNK", 2)
    assert list(parsed(pow, ((2, i) for i in range(9)), 2)) == [2**i for i in range(9)]
    assert list(parsed(pow, iter(()), 2)) == []


def test_a_killed_process_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_CHUNK", 2)
    with pytest.raises(UserError, match="a process that parsed records was killed"):
        list(parsed(_kill, ((i,) for i in range(6)), 2))


def test_an_error_in_a_process_arrives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_CHUNK", 2)
    with pytest.raises(ValueError, match="invalid literal"):
        list(parsed(int, ((text,) for text in ("1", "2", "3", "x")), 2))
