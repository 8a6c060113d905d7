from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from matteralign.store.passes import PassFile, forget_passes

STATE = {"sums": np.arange(12.0).reshape(3, 4), "row": np.array(7), "ranks": np.ones(5, np.int64)}
IDENTITY = {"metric": "dcor", "latents": ["a", "b"]}


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def state(tmp_path: Path, lines: list[str]) -> PassFile:
    made = PassFile(tmp_path / ".pass", IDENTITY, lines.append)
    made.save(STATE)
    return made


def same(found: dict[str, np.ndarray] | None, expected: dict[str, np.ndarray]) -> bool:
    return (
        found is not None
        and set(found) == set(expected)
        and all(
            np.array_equal(found[k], expected[k]) and found[k].dtype == expected[k].dtype
            for k in expected
        )
    )


def test_a_state_comes_back_and_says_so(state: PassFile, lines: list[str]) -> None:
    again = PassFile(state.path.parent, IDENTITY, lines.append)
    assert same(again.load(), STATE)
    assert len(lines) == 1
    assert "continuing" in lines[0]


def test_nothing_saved_is_nothing_loaded_without_a_word(tmp_path: Path, lines: list[str]) -> None:
    assert PassFile(tmp_path / "none", IDENTITY, lines.append).load() is None
    assert not (tmp_path / "none").exists()
    assert lines == []


def test_the_last_state_counts_and_no_other_file_is_left(state: PassFile) -> None:
    state.save({"row": np.array(9)})
    assert same(state.load(), {"row": np.array(9)})
    assert list(state.path.parent.iterdir()) == [state.path]


def test_the_state_of_another_computation_is_not_taken(state: PassFile, lines: list[str]) -> None:
    other = PassFile(state.path.parent, IDENTITY | {"metric": "cka"}, lines.append)
    assert other.load() is None
    assert lines == []
    other.path.write_bytes(state.path.read_bytes())
    assert other.load() is None
    assert "another computation; this pass starts again" in lines[0]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=80)
@given(data=st.data())
def test_a_damaged_state_is_left_aside_with_a_line(
    state: PassFile, lines: list[str], data: st.DataObject
) -> None:
    state.save(STATE)
    lines.clear()
    whole = state.path.read_bytes()
    if data.draw(st.booleans()):
        state.path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    else:
        position = data.draw(st.integers(0, len(whole) - 1))
        changed = bytearray(whole)
        changed[position] ^= 1 << data.draw(st.integers(0, 7))
        state.path.write_bytes(bytes(changed))
    assert state.load() is None
    assert len(lines) == 1
    assert lines[0].startswith(str(state.path))
    state.save(STATE)
    assert same(state.load(), STATE)


def test_removed_states_are_gone(state: PassFile) -> None:
    state.remove()
    state.remove()
    assert state.load() is None
    state.save(STATE)
    forget_passes(state.path.parent)
    assert not state.path.parent.exists()
    forget_passes(state.path.parent)
