from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matteralign.core.errors import UserError
from matteralign.datasets.drawing.sample import draw

id_lists = st.lists(st.text(max_size=6), unique=True, min_size=1, max_size=30)
seeds = st.integers(0, 2**40)


@given(st.data(), id_lists, seeds)
def test_the_order_of_the_files_does_not_matter(
    data: st.DataObject, ids: list[str], seed: int
) -> None:
    n = data.draw(st.integers(0, len(ids)))
    assert draw(data.draw(st.permutations(ids)), n, seed) == draw(ids, n, seed)


@given(st.data(), id_lists, seeds)
def test_a_larger_draw_extends_a_smaller_one(
    data: st.DataObject, ids: list[str], seed: int
) -> None:
    n = data.draw(st.integers(0, len(ids)))
    whole = draw(ids, len(ids), seed)
    assert draw(ids, n, seed) == whole[:n]
    assert sorted(whole) == sorted(ids)


@given(id_lists, seeds)
def test_rows_are_ordered_by_the_hash_of_seed_and_id(ids: list[str], seed: int) -> None:
    def rank(identifier: str) -> bytes:
        return hashlib.sha256(str(seed).encode() + b"\0" + identifier.encode()).digest()

    assert draw(ids, len(ids), seed) == sorted(ids, key=rank)


def test_removing_an_undrawn_row_changes_nothing() -> None:
    ids = [f"gdb_{i}" for i in range(100)]
    drawn = draw(ids, 10, 3)
    assert draw([i for i in ids if i in drawn or i.endswith("7")], 10, 3) == drawn


def test_seeds_give_different_draws() -> None:
    ids = [f"gdb_{i}" for i in range(1000)]
    assert len({tuple(draw(ids, 5, seed)) for seed in range(50)}) == 50


def test_a_draw_is_uniform() -> None:
    ids = [str(i) for i in range(20)]
    counts = dict.fromkeys(ids, 0)
    for seed in range(2000):
        for identifier in draw(ids, 5, seed):
            counts[identifier] += 1
    # 500 expected with standard deviation 19.4; five of them.
    assert all(abs(count - 500) < 97 for count in counts.values())


def test_one_draw_is_pinned() -> None:
    ids = [f"gdb_{i}" for i in range(1, 101)]
    assert draw(ids, 8, 0) == [f"gdb_{i}" for i in (90, 42, 35, 13, 41, 25, 6, 98)]
    assert draw(ids, 5, 1) == [f"gdb_{i}" for i in (48, 27, 6, 74, 44)]


def test_more_rows_than_there_are_is_the_users_error() -> None:
    with pytest.raises(UserError, match="3 structures were asked for, the dataset has 2"):
        draw(["a", "b"], 3, 0)
