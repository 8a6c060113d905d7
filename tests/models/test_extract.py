from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matteralign.core.errors import MatterAlignError, UserError
from matteralign.models.base.wrapper import GPU_BATCHES, Embedded, Wrapper
from matteralign.models.extraction.extract import extract
from matteralign.models.inputs.batches import batch_cost, out_of_memory, plan_batches
from matteralign.registry.card import ModelCard
from matteralign.store.known_rows import KnownRows
from matteralign.store.latents import MaskedRow
from matteralign.store.structures import Structure

MakeCard = Callable[..., ModelCard]


class Moments(Wrapper):
    """Three sums over the atoms; the test decides what goes wrong."""

    family = "test"

    def __init__(self, card: ModelCard) -> None:
        super().__init__(card, {}, "cpu")
        self.calls: list[list[str]] = []
        self.broken: set[str] = set()
        self.not_finite: set[str] = set()
        self.stop_after: int | None = None
        self.room: int | None = None

    def embed(self, batch: Sequence[Structure]) -> Embedded:
        if self.stop_after is not None and len(self.calls) >= self.stop_after:
            raise KeyboardInterrupt
        self.calls.append([s.id for s in batch])
        if self.room is not None and sum(s.n_atoms for s in batch) > self.room:
            raise RuntimeError(f"CUDA out of memory. Tried for {len(batch)} structures")
        for structure in batch:
            if structure.id in self.broken:
                raise RuntimeError(f"no convergence for {structure.id}\nand a second line")
        rows = np.array(
            [[s.numbers.sum(), s.positions.sum(), len(s.numbers)] for s in batch], np.float32
        )
        for row, structure in enumerate(batch):
            if structure.id in self.not_finite:
                rows[row, 1] = np.inf
        return Embedded(rows, rows[:, 0].astype(np.float64))

    def n_parameters(self) -> int:
        return 0


@pytest.fixture
def model(make_card: MakeCard) -> Moments:
    card = make_card("moments", 0, predicts=["energy"], batch=12, accepts={"elements": "1,6-8"})
    return Moments(card)


def run(model: Moments, structures: Sequence[Structure], shards: Path, identity: str = "a") -> Any:
    return extract(model, structures, shards=shards, identity=identity)


def expected(structures: Sequence[Structure]) -> np.ndarray:
    return np.array(
        [[s.numbers.sum(), s.positions.sum(), len(s.numbers)] for s in structures], np.float32
    )


def test_rows_come_back_in_the_order_given(
    model: Moments, small_molecules: list[Structure], tmp_path: Path
) -> None:
    result = run(model, small_molecules, tmp_path)
    np.testing.assert_array_equal(result.latents, expected(small_molecules))
    np.testing.assert_array_equal(result.energies, expected(small_molecules)[:, 0])
    assert result.masked == []
    assert all(len(call) >= 1 for call in model.calls)
    assert len(model.calls) > 1


def test_an_interrupted_run_continues_and_ends_in_the_same_bytes(
    model: Moments, small_molecules: list[Structure], tmp_path: Path
) -> None:
    whole = run(model, small_molecules, tmp_path / "whole")
    batches = model.calls
    model.calls, model.stop_after = [], 2
    with pytest.raises(KeyboardInterrupt):
        run(model, small_molecules, tmp_path / "cut")
    model.calls, model.stop_after = [], None
    resumed = run(model, small_molecules, tmp_path / "cut")
    assert model.calls == batches[2:]
    assert resumed.latents.tobytes() == whole.latents.tobytes()
    assert resumed.energies.tobytes() == whole.energies.tobytes()


def test_shards_of_another_identity_are_not_read(
    model: Moments, small_molecules: list[Structure], tmp_path: Path
) -> None:
    run(model, small_molecules, tmp_path, "wrapper 1")
    first = len(model.calls)
    run(model, small_molecules, tmp_path, "wrapper 2")
    assert len(model.calls) == 2 * first


def test_a_damaged_shard_is_made_again(
    model: Moments, small_molecules: list[Structure], tmp_path: Path
) -> None:
    run(model, small_molecules, tmp_path)
    count = len(model.calls)
    shard = sorted(tmp_path.glob("*.npz"))[0]
    shard.write_bytes(shard.read_bytes()[:100])
    result = run(model, small_molecules, tmp_path)
    assert len(model.calls) == count + 1
    np.testing.assert_array_equal(result.latents, expected(small_molecules))


def test_a_failing_structure_is_found_and_only_its_row_is_masked(
    model: Moments, small_molecules: list[Structure], tmp_path: Path
) -> None:
    model.broken = {"C2H4"}
    result = run(model, small_molecules, tmp_path)
    (masked,) = result.masked
    assert (masked.id, masked.code) == ("C2H4", "model_error")
    assert masked.reason == "RuntimeError: no convergence for C2H4"
    row = masked.row
    assert np.isnan(result.latents[row]).all()
    assert np.isnan(result.energies[row])
    others = [i for i in range(len(small_molecules)) if i != row]
    np.testing.assert_array_equal(result.latents[others], expected(small_molecules)[others])
    again = run(model, small_molecules, tmp_path)
    assert again.masked == result.masked


def test_where_memory_runs_out_the_rest_goes_on_in_half_the_batches(
    model: Moments, small_molecules: list[Structure], tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    model.room = 9  # not even benzene alone
    result = run(model, small_molecules, tmp_path)
    assert result.masked == [
        MaskedRow(
            4, "C6H6", "model_error", "RuntimeError: CUDA out of memory. Tried for 1 structures"
        )
    ]
    rest = [i for i in range(12) if i != 4]
    np.testing.assert_array_equal(result.latents[rest], expected(small_molecules)[rest])
    tried = [sum(s.n_atoms for s in small_molecules if s.id in call) for call in model.calls]
    failed = [i for i, atoms in enumerate(tried) if atoms > 9 and len(model.calls[i]) > 1]
    assert len(failed) == 1, "a budget that was too large is tried once"
    assert all(
        atoms <= 6 or len(c) == 1
        for c, atoms in zip(model.calls[failed[0] + 1 :], tried[failed[0] + 1 :], strict=True)
    )
    assert capsys.readouterr().err == "moments: out of memory; going on with at most 6 per batch\n"


def test_a_run_that_was_cut_halves_where_the_first_one_did(
    model: Moments, small_molecules: list[Structure], tmp_path: Path
) -> None:
    model.room = 9
    whole = run(model, small_molecules, tmp_path / "whole")
    calls, model.calls, model.stop_after = model.calls, [], 6
    with pytest.raises(KeyboardInterrupt):
        run(model, small_molecules, tmp_path / "cut")
    model.calls, model.stop_after, model.room = [], None, None  # memory is free now
    resumed = run(model, small_molecules, tmp_path / "cut")
    assert model.calls == calls[6:]
    assert resumed.latents.tobytes() == whole.latents.tobytes()


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate"), True),
        (RuntimeError("shapes cannot be multiplied"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_errors_of_memory_are_told_from_others(error: Exception, expected: bool) -> None:
    assert out_of_memory(error) is expected


def test_a_gpu_gets_larger_batches(model: Moments) -> None:
    assert model.budget() == 12
    model.device = "cuda:1"
    assert model.budget() == 12 * GPU_BATCHES


def test_values_that_are_not_finite_are_masked(
    model: Moments, small_molecules: list[Structure], tmp_path: Path
) -> None:
    model.not_finite = {"H2O"}
    (masked,) = run(model, small_molecules, tmp_path).masked
    assert (masked.id, masked.code) == ("H2O", "non_finite")
    assert masked.reason == "1 of 3 values are not finite"


def test_what_the_model_refuses_never_reaches_it(
    model: Moments, small_molecules: list[Structure], water: Structure, tmp_path: Path
) -> None:
    iron = replace(water, id="iron", numbers=np.array([26, 1, 1], np.uint8))
    empty = Structure("empty", np.empty(0, np.uint8), np.empty((0, 3)))
    result = run(model, [iron, *small_molecules, empty], tmp_path)
    assert [(m.row, m.code) for m in result.masked] == [(0, "element"), (13, "empty")]
    assert "Fe (26)" in result.masked[0].reason
    assert not {"iron", "empty"} & {i for call in model.calls for i in call}


def test_a_run_without_a_single_row_is_an_error(
    model: Moments, small_molecules: list[Structure], tmp_path: Path
) -> None:
    model.broken = {s.id for s in small_molecules}
    with pytest.raises(MatterAlignError, match=r"none of the 12 structures.*RuntimeError"):
        run(model, small_molecules, tmp_path)
    with pytest.raises(MatterAlignError, match="no structures"):
        run(model, [], tmp_path)


def test_refusing_a_whole_slice_is_a_result(
    model: Moments, water: Structure, tmp_path: Path
) -> None:
    iron = replace(water, id="iron", numbers=np.array([26, 1, 1], np.uint8))
    result = run(model, [iron], tmp_path)
    assert [m.code for m in result.masked] == ["element"]
    assert model.calls == []


def test_a_wrapper_that_breaks_its_card_is_an_error(
    make_card: MakeCard, small_molecules: list[Structure], tmp_path: Path
) -> None:
    wide = make_card(
        "wide", 0, predicts=["energy"],
        latent={"layer": "x", "documented": "x", "pooling": "none", "dim": 4},
    )  # fmt: skip
    with pytest.raises(MatterAlignError, match=r"correct latent\.dim"):
        run(Moments(wide), small_molecules, tmp_path)
    with pytest.raises(MatterAlignError, match="energies"):
        run(Moments(make_card("silent", 0)), small_molecules, tmp_path)


def test_an_unknown_option_is_refused_with_the_nearest(make_card: MakeCard) -> None:
    class Tuned(Moments):
        options_known = {"precision": "float32"}

    with pytest.raises(UserError, match="did you mean 'precision'"):
        Tuned(make_card("tuned", 0, options={"precison": "float64"}))


def test_progress_ends_at_the_total(
    model: Moments, small_molecules: list[Structure], tmp_path: Path
) -> None:
    seen: list[int] = []
    extract(model, small_molecules, shards=tmp_path, identity="a", progress=seen.append)
    assert seen[-1] == 12
    assert seen == sorted(seen)


@given(
    sizes=st.lists(st.integers(1, 40), max_size=40),
    budget=st.integers(1, 100),
    padded=st.booleans(),
    seed=st.integers(0, 9),
)
def test_batches_hold_every_row_once_within_the_budget_in_any_order(
    sizes: list[int], budget: int, padded: bool, seed: int
) -> None:
    rows = list(range(len(sizes)))
    names = [f"{i:03}" for i in rows]
    batches = plan_batches(rows, sizes, names, budget, padded=padded)
    assert sorted(row for batch in batches for row in batch) == rows
    costs = [[sizes[row] for row in batch] for batch in batches]
    for cost in costs:
        total = len(cost) * max(cost) if padded else sum(cost)
        assert total <= budget or len(cost) == 1
        assert batch_cost(cost, padded=padded) == total
    for cost, later in pairwise(costs):
        filled = [*cost, later[0]]
        more = len(filled) * max(filled) if padded else sum(filled)
        assert more > budget, "a batch ends where the next row does not fit"
    order = np.random.default_rng(seed).permutation(len(rows)).tolist()
    shuffled = plan_batches(
        [rows[i] for i in order], [sizes[i] for i in order], [names[i] for i in order], budget,
        padded=padded,
    )  # fmt: skip
    assert shuffled == batches


def test_only_what_is_padded_pays_for_the_largest() -> None:
    sizes, names = [6, 2, 2, 1, 1], list("abcde")
    assert plan_batches(range(5), sizes, names, 12, padded=False) == [[0, 1, 2, 3, 4]]
    assert plan_batches(range(5), sizes, names, 12, padded=True) == [[0, 1], [2, 3, 4]]
    assert batch_cost([], padded=True) == batch_cost([], padded=False) == 0


def _many(small_molecules: list[Structure], n: int) -> list[Structure]:
    return [
        replace(s, id=f"{s.id}-{i}", positions=s.positions + 0.01 * i)
        for i in range(n)
        for s in [small_molecules[i % len(small_molecules)]]
    ]


def test_whole_blocks_do_not_depend_on_the_rows_that_follow(
    model: Moments, small_molecules: list[Structure], tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr("matteralign.models.extraction.extract.BLOCK_ROWS", 10)
    structures = _many(small_molecules, 37)
    model.broken = {structures[7].id}
    model.room = 40
    whole = run(model, structures, tmp_path / "whole")
    calls, model.calls = model.calls, []
    short = run(model, structures[:20], tmp_path / "short")
    assert model.calls == calls[: len(model.calls)]
    assert short.latents.tobytes() == whole.latents[:20].tobytes()
    assert short.energies.tobytes() == whole.energies[:20].tobytes()
    assert short.masked == whole.masked == [short.masked[0]]


def test_rows_that_are_known_are_not_run(
    model: Moments, small_molecules: list[Structure], tmp_path: Path
) -> None:
    structures = _many(small_molecules, 30)
    model.broken = {structures[7].id, structures[22].id}
    whole = run(model, structures, tmp_path / "whole")
    known = KnownRows(whole.latents[:13], whole.energies[:13], whole.masked[:1])
    model.calls = []
    result = extract(model, structures, shards=tmp_path / "rest", identity="a", known=known)
    assert {name for call in model.calls for name in call} == {s.id for s in structures[13:]}
    assert result.latents.tobytes() == whole.latents.tobytes()
    assert result.energies.tobytes() == whole.energies.tobytes()
    assert result.masked == whole.masked
