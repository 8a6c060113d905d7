"""Damaged records in files that are whole: left out of a draw, counted and named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ase import Atoms
from ase.build import molecule
from hypothesis import given, settings
from hypothesis import strategies as st

from matteralign.config.slices import Slice
from matteralign.core.errors import IntegrityError, UserError
from matteralign.datasets.ase_lmdb.reader import AseLmdb
from matteralign.datasets.base.catalogue import get_dataset
from matteralign.datasets.base.dataset import Dataset, Skipped
from matteralign.datasets.drawing.draw import draw_structures
from matteralign.datasets.drawing.sample import draw
from matteralign.datasets.qm9.original import Qm9Original
from tests.datasets.lmdb_files import write
from tests.datasets.original_qm9 import archive, uncharacterized
from tests.datasets.test_qm9_original import METHANE

_BAD: list[tuple[Atoms, dict[str, Any]]] = [
    (molecule("NO"), {"charge": 0, "spin": 1}),
    (molecule("H2O"), {"charge": 0.5, "spin": 1}),
    (Atoms([200], positions=[[0, 0, 0]]), {}),
]
_GOOD = (molecule("H2O"), {"charge": 0, "spin": 1})


def databases(folder: Path, bad: list[bool]) -> Dataset:
    """Write one record for each flag, a damaged one where it is set."""
    records = [_BAD[i % len(_BAD)] if broken else _GOOD for i, broken in enumerate(bad)]
    write(folder / "a.aselmdb", records)
    (folder / "members.json").write_text(json.dumps({"a.aselmdb": {}}))
    chosen = get_dataset("omol25@neutral-val")
    return AseLmdb(chosen.card, chosen.version, {"neutral_val.tar.gz": folder})


def original(folder: Path, bad: list[bool]) -> Dataset:
    """Write the archive of QM9 with a record for each flag, cut where it is set."""
    whole = [
        (i, METHANE.replace(b"gdb 1\t", f"gdb {i}\t".encode())) for i in range(1, 1 + len(bad))
    ]
    records = [(i, r[:200] if bad[i - 1] else r) for i, r in whole]
    chosen = get_dataset("qm9@original")
    raw = {f.name: folder / f.name for f in chosen.version.files}
    raw["dsgdb9nsd.xyz.tar.bz2"].write_bytes(archive(records))
    raw["uncharacterized.txt"].write_bytes(uncharacterized([len(bad) + 1]))
    return Qm9Original(chosen.card, chosen.version, raw)


@pytest.mark.parametrize("make", [databases, original])
@settings(max_examples=25)
@given(bad=st.lists(st.booleans(), min_size=3, max_size=14), seed=st.integers(0, 9), data=st.data())
def test_the_next_in_the_order_take_the_places_of_damaged_records(
    tmp_path_factory: pytest.TempPathFactory,
    make: Callable[[Path, list[bool]], Dataset],
    bad: list[bool],
    seed: int,
    data: st.DataObject,
) -> None:
    dataset = make(tmp_path_factory.mktemp("d"), bad)
    ids = list(dataset.ids())
    n = data.draw(st.integers(2, len(bad)))
    chosen = Slice.model_validate({"dataset": "d", "n": n, "seed": seed, "panel": "all"})
    order = draw(ids, len(ids), seed)
    broken = dict(zip(ids, bad, strict=True))
    whole = [identifier for identifier in order if not broken[identifier]]
    if len(whole) < n:
        with pytest.raises(UserError, match=rf"{sum(bad)} could not be taken \(the first: "):
            draw_structures(dataset, chosen, print)
        return
    found, walk = draw_structures(dataset, chosen, print)
    assert [structure.id for structure in found] == whole[:n]
    passed = order[: order.index(whole[n - 1])]
    met = [identifier for identifier in passed if broken[identifier]]
    assert len(walk.skipped) == len(met)
    for identifier, skipped in zip(met, walk.skipped, strict=True):
        number = identifier.rpartition(":")[2]
        assert skipped.place.endswith((f", row {number}", f", record {number}"))
        assert skipped.place.startswith((dataset.version.files[0].name, "dsgdb9nsd"))
        assert skipped.reason


def test_reading_one_by_name_tells_what_is_wrong_with_it(tmp_path: Path) -> None:
    dataset = databases(tmp_path, [False, False, False, True])
    (skipped,) = dataset.take(dataset.ids()[3:4])
    assert isinstance(skipped, Skipped)
    with pytest.raises(IntegrityError) as told:
        dataset.read(dataset.ids())
    assert str(told.value) == f"{skipped.place}: {skipped.reason}"
