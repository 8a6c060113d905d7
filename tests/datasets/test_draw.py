"""Draws with filters and groups, against filtering and drawing everything by hand."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matteralign.config.slices import Slice
from matteralign.core.errors import UserError
from matteralign.datasets.base.dataset import Rows, Skipped
from matteralign.datasets.drawing.draw import draw_structures
from matteralign.datasets.drawing.sample import draw, ranked
from matteralign.datasets.drawing.strata import shares, stratum_of
from matteralign.store.structures import Structure


class Table(Rows):
    """Rows that are in memory."""

    def __init__(self, rows: Sequence[Structure], broken: Sequence[str] = ()) -> None:
        self.rows = {row.id: row for row in rows}
        self.broken = set(broken)
        self.taken: list[str] = []

    def ids(self) -> Sequence[str]:
        return [*self.rows]

    def take(self, ids: Sequence[str]) -> list[Structure | Skipped]:
        self.taken += ids
        return [Skipped(i, "broken") if i in self.broken else self.rows[i] for i in ids]


def row(identifier: str, numbers: Sequence[int], **more: Any) -> Structure:
    return Structure(
        id=identifier,
        numbers=np.array(numbers, np.uint8),
        positions=np.zeros((len(numbers), 3)),
        **more,
    )


def slice_of(n: Any, seed: int = 0, **more: Any) -> Slice:
    raw = {"dataset": "qm9", "n": n, "seed": seed, "panel": "all"} | more
    return Slice.model_validate(raw)


structures = st.lists(
    st.tuples(
        st.lists(st.sampled_from([1, 6, 8, 26]), min_size=1, max_size=5),
        st.sampled_from(["train", "val", None]),
        st.integers(-1, 1),
        st.integers(1, 3),
        st.one_of(st.none(), st.text("ACDE", max_size=6)),
    ),
    min_size=2,
    max_size=40,
).map(
    lambda rows: [
        row(f"r{i}", numbers, split=split, charge=charge, spin=spin, sequence=sequence)
        for i, (numbers, split, charge, spin, sequence) in enumerate(rows)
    ]
)
filters = st.fixed_dictionaries(
    {},
    optional={
        "elements": st.sampled_from(
            [{"only": ["H", "C", "O"]}, {"without": ["Fe"]}, {"only": ["H"], "without": ["O"]}]
        ),
        "atoms": st.sampled_from([{"least": 2}, {"most": 3}, {"least": 2, "most": 4}]),
        "residues": st.just({"most": 4}),
        "split": st.sampled_from([["val"], ["val", "train"]]),
        "charge": st.just([0, 1]),
        "spin": st.just([1]),
    },
)


def passes(s: Structure, f: dict[str, Any]) -> bool:
    names = {1: "H", 6: "C", 8: "O", 26: "Fe"}
    symbols = {names[int(z)] for z in s.numbers}
    elements = f.get("elements", {})
    tests = [
        all(x in elements["only"] for x in symbols) if "only" in elements else True,
        not any(x in elements.get("without", []) for x in symbols),
        f["atoms"].get("least", 0) <= len(s.numbers) <= f["atoms"].get("most", 99)
        if "atoms" in f
        else True,
        s.sequence is not None and len(s.sequence) <= 4 if "residues" in f else True,
        s.split in f["split"] if "split" in f else True,
        s.charge in f["charge"] if "charge" in f else True,
        s.spin in f["spin"] if "spin" in f else True,
    ]
    return all(tests)


def by_rank(ids: Sequence[str], seed: int) -> list[str]:
    return sorted(ids, key=lambda i: hashlib.sha256(f"{seed}\0{i}".encode()).digest())


@given(structures, filters, st.integers(0, 5), st.data())
def test_a_filtered_draw_is_filtering_everything_and_then_drawing(
    rows: list[Structure], wanted: dict[str, Any], seed: int, data: st.DataObject
) -> None:
    broken = data.draw(st.lists(st.sampled_from([s.id for s in rows]), max_size=3))
    left = by_rank([s.id for s in rows if passes(s, wanted) and s.id not in broken], seed)
    n = data.draw(st.integers(2, max(2, len(rows))))
    table = Table(data.draw(st.permutations(rows)), broken)
    if len(left) < n:
        with pytest.raises(UserError, match="were asked for, the dataset has"):
            draw_structures(table, slice_of(n, seed, filters=wanted), lambda _: None)
    else:
        found, _ = draw_structures(table, slice_of(n, seed, filters=wanted), lambda _: None)
        assert [s.id for s in found] == left[:n]
    if len(left) >= 2:
        every, walk = draw_structures(table, slice_of("all", seed, filters=wanted), lambda _: None)
        assert [s.id for s in every] == left
        assert len(every) + walk.dropped.total() + len(walk.skipped) == len(rows)


@given(structures, st.sampled_from(["atoms", "composition", "split"]), st.data())
def test_every_group_gets_its_share_of_lowest_ranks(
    rows: list[Structure], by: Any, data: st.DataObject
) -> None:
    n = data.draw(st.integers(2, len(rows)))
    groups = {s.id: stratum_of(s, by) for s in rows}
    found, _ = draw_structures(
        Table(data.draw(st.permutations(rows))), slice_of(n, 3, stratify=by), lambda _: None
    )
    ids = [s.id for s in found]
    assert ids == by_rank(ids, 3)
    assert len(ids) == n
    for group, size in Counter(groups.values()).items():
        mine = [i for i in by_rank([*groups], 3) if groups[i] == group]
        taken = [i for i in ids if groups[i] == group]
        assert taken == mine[: len(taken)]
        assert abs(len(taken) - n * size / len(rows)) < 1


@given(st.dictionaries(st.text("abc", min_size=1), st.integers(0, 50), min_size=1), st.data())
def test_shares_add_up_and_never_exceed_a_group(sizes: dict[str, int], data: st.DataObject) -> None:
    n = data.draw(st.integers(0, sum(sizes.values())))
    if sum(sizes.values()) == 0:
        return
    given_ = shares(sizes, n)
    assert sum(given_.values()) == n
    assert all(count <= sizes[name] for name, count in given_.items())


def test_shares_by_largest_remainders() -> None:
    # 7 of 10: 3.5, 2.1 and 1.4; the one that is left goes to the largest fraction.
    assert shares({"a": 5, "b": 3, "c": 2}, 7) == {"a": 4, "b": 2, "c": 1}
    # Of equal fractions the first by name.
    assert shares({"z": 1, "y": 1}, 1) == {"z": 0, "y": 1}


@given(st.lists(st.text(max_size=4), unique=True, max_size=60), st.integers(1, 9))
def test_ranking_in_parts_gives_the_order_of_the_draw(ids: list[str], first: int) -> None:
    assert list(ranked(ids, 7, first)) == draw(ids, len(ids), 7)


def test_a_draw_without_filters_reads_no_row_in_vain() -> None:
    table = Table([row(f"r{i}", [1]) for i in range(1000)])
    draw_structures(table, slice_of(10))
    assert table.taken == draw(table.ids(), 10, 0)


def test_a_filtered_draw_ends_when_it_has_enough() -> None:
    table = Table([row(f"r{i}", [1] * (1 + i % 2)) for i in range(10_000)])
    draw_structures(table, slice_of(100, filters={"atoms": {"most": 1}}), lambda _: None)
    assert len(table.taken) < 400


def test_too_few_rows_say_what_dropped_how_many() -> None:
    rows = [row(f"h{i}", [1], split="val") for i in range(5)]
    rows += [row(f"fe{i}", [26], split="val") for i in range(3)]
    rows += [row(f"c{i}", [6, 6, 6], split="val") for i in range(2)]
    wanted = {"elements": {"without": ["Fe"]}, "atoms": {"most": 2}}
    with pytest.raises(UserError) as caught:
        draw_structures(Table(rows, ["h0"]), slice_of(8, filters=wanted), lambda _: None)
    assert str(caught.value) == (
        "8 structures were asked for, the dataset has 10, of which 4 are left: 2 dropped by "
        "atoms; 3 dropped by elements.without; 1 could not be taken (the first: h0: broken). "
        "Ask for n: 4 or n: all, or loosen the filters"
    )


@pytest.mark.parametrize("stratify", [None, "split"])
def test_a_split_that_does_not_exist_gets_the_nearest(stratify: Any) -> None:
    rows = [row(f"r{i}", [1], split="validation") for i in range(5)]
    wanted = slice_of(2, filters={"split": ["validaton"]}, stratify=stratify)
    with pytest.raises(UserError, match="unknown split 'validaton': did you mean 'validation'"):
        draw_structures(Table(rows), wanted, lambda _: None)


def test_more_than_the_dataset_has_is_refused_before_reading() -> None:
    table = Table([row("a", [1]), row("b", [1])])
    with pytest.raises(UserError, match="3 structures were asked for, the dataset has 2"):
        draw_structures(table, slice_of(3))
    assert not table.taken
