from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from matteralign.store.ledger import Ledger

BATCHES: list[dict[str, dict[str, Any]]] = [
    {"k1": {"value": 1.5}, "k2": {"reason": "é ≥ \n \r ü"}},
    {"k3": {"value": None, "n": 3}},
    {"k4": {"value": 0.1}, "k5": {"value": 0.2}, "k6": {"value": 0.3}},
]


@pytest.fixture
def whole(tmp_path: Path) -> bytes:
    with Ledger(tmp_path / "whole.jsonl") as ledger:
        for batch in BATCHES:
            ledger.add(batch)
    return (tmp_path / "whole.jsonl").read_bytes()


def test_entries_survive_and_the_last_one_wins(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "scores.jsonl"
    with Ledger(path) as ledger:
        assert ledger.get("k") is None
        ledger.add({"k": {"value": 1.0}})
        ledger.add({"k": {"value": 2.0}})
        assert ledger.get("k") == {"value": 2.0}
    again = Ledger(path)
    assert len(again) == 1
    assert again.get("k") == {"value": 2.0}


def test_a_tail_torn_at_any_byte_keeps_exactly_the_whole_batches(
    tmp_path: Path, whole: bytes
) -> None:
    ends = [i + 1 for i, byte in enumerate(whole) if byte == ord("\n")]
    assert len(ends) == len(BATCHES)
    every = {key for batch in BATCHES for key in batch}
    path = tmp_path / "torn.jsonl"
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        kept = BATCHES[: sum(end <= cut for end in ends)]
        expected = {key: result for batch in kept for key, result in batch.items()}
        with Ledger(path) as ledger:
            assert {key: ledger.get(key) for key in every if ledger.get(key)} == expected
            assert len(ledger) == len(expected)
            ledger.add({"new": {"value": 9.0}})
        after = Ledger(path)
        assert len(after) == len(expected) + 1
        assert after.get("new") == {"value": 9.0}
        assert all(after.get(key) == result for key, result in expected.items())


@pytest.mark.parametrize(
    "junk",
    [b"\x00\x00\n", b"[]\n", b'{"batch": 1}\n', b'{"batch": {"k": 1}}\n', b"\xff\n", b"3\n", b"\n"],
)
def test_junk_after_the_batches_is_dropped(tmp_path: Path, whole: bytes, junk: bytes) -> None:
    path = tmp_path / "j.jsonl"
    path.write_bytes(whole + junk)
    assert len(Ledger(path)) == 6
    assert path.read_bytes() == whole


def test_it_refuses_to_add_when_closed(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "x.jsonl")
    with pytest.raises(ValueError, match="not open"):
        ledger.add({"k": {}})


def test_an_added_batch_is_on_disk_when_the_process_dies(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    code = (
        "import os, signal, sys\n"
        "from matteralign.store.ledger import Ledger\n"
        "with Ledger(sys.argv[1]) as ledger:\n"
        "    ledger.add({'k': {'value': 1.0}, 'l': {'value': 2.0}})\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], check=False, env=os.environ)
    assert done.returncode == -signal.SIGKILL
    assert len(Ledger(path)) == 2
    assert Ledger(path).get("k") == {"value": 1.0}


def test_compaction_keeps_the_last_results_of_the_wanted_keys(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    with Ledger(path) as ledger:
        for batch in ({"a": {"v": 1}, "b": {"v": 1}}, {"a": {"v": 2}, "c": {"v": 1}}, {"d": {}}):
            ledger.add(batch)
        assert ledger.written == 5
        assert ledger.compact({"a", "b", "x"}) == 3
        assert ledger.written == 2
        ledger.add({"e": {"v": 9}})
    assert [json.loads(line)["batch"] for line in path.read_text().splitlines()] == [
        {"b": {"v": 1}}, {"a": {"v": 2}}, {"e": {"v": 9}},
    ]  # fmt: skip
    again = Ledger(path)
    assert again.entries() == {"a": {"v": 2}, "b": {"v": 1}, "e": {"v": 9}}
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(ValueError, match="not open"):
        again.compact(set())
