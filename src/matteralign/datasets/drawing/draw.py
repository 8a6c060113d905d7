"""Draw a slice: walk through the rows in their seeded order and keep those that pass.

Without groups the walk ends when it has enough rows, so of a million that are not filtered none
is read in vain. The rows are those that filtering everything and then drawing would give.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from math import ceil

from matteralign.config.slices import Slice
from matteralign.core.errors import UserError
from matteralign.core.suggest import unknown
from matteralign.datasets.base.dataset import Rows, Skipped
from matteralign.datasets.drawing.filters import failed_filter
from matteralign.datasets.drawing.sample import rank, ranked
from matteralign.datasets.drawing.strata import Stratify, shares, stratum_of
from matteralign.store.structures import Structure

_CHUNK = 1 << 16  # rows read at once
Report = Callable[[str], None]


@dataclass
class Walk:
    """What was met on the way.

    Attributes
    ----------
    skipped
        Records that could not be read, and why.
    dropped
        How many rows each filter dropped, by the filter's name.
    splits
        Splits of the rows that were read.
    read
        Rows that were read.
    warned
        What was warned of while rows were read, by file and record.
    """

    skipped: list[Skipped] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)
    splits: set[str] = field(default_factory=set)
    read: int = 0
    warned: Mapping[str, Sequence[str]] = field(default_factory=dict)


def draw_structures(
    dataset: Rows, chosen: Slice, report: Report = print
) -> tuple[list[Structure], Walk]:
    """Draw the structures of a slice, in the order of their ranks.

    Parameters
    ----------
    dataset
        Reader of the dataset.
    chosen
        What the configuration says of the slice.
    report
        Receives a line now and then.

    Raises
    ------
    UserError
        If fewer rows than asked for pass; the message says what dropped how many.
    """
    total, walk = len(dataset.ids()), Walk(warned=dataset.warned)
    wanted = total if chosen.n == "all" else chosen.n
    if wanted > total:
        raise UserError(_too_few(chosen, total, total, walk))
    if chosen.stratify is not None and chosen.n != "all":
        found = _stratified(dataset, chosen, chosen.stratify, wanted, walk, report)
    else:
        passing = _passing(dataset, chosen, wanted, walk, report)
        found = [structure for _, structure in islice(passing, wanted)]
    if len(found) < (2 if chosen.n == "all" else wanted):
        left = walk.read - len(walk.skipped) - walk.dropped.total()
        raise UserError(_too_few(chosen, left, total, walk))
    return found, walk


def _passing(
    dataset: Rows, chosen: Slice, wanted: int, walk: Walk, report: Report
) -> Iterator[tuple[str, Structure]]:
    """Yield the names and structures of the rows that pass, lowest rank first."""
    total, kept = len(dataset.ids()), 0
    order = ranked(dataset.ids(), chosen.seed, first=wanted)
    size = min(wanted, _CHUNK)
    while part := list(islice(order, size)):
        for name, item in zip(part, dataset.take(part), strict=True):
            walk.read += 1
            if isinstance(item, Skipped):
                walk.skipped.append(item)
                continue
            if item.split is not None:
                walk.splits.add(item.split)
            failed = failed_filter(item, chosen.filters)
            if failed is None:
                kept += 1
                yield name, item
            else:
                walk.dropped[failed] += 1
        # About as many as are still missing, by the share that has passed so far.
        size = max(1, min(_CHUNK, ceil((wanted - kept) * walk.read / max(1, kept))))
        if wanted > kept and walk.read < total:
            report(f"{walk.read:,} of {total:,} rows read, {kept:,} of {wanted:,} found")


def _stratified(
    dataset: Rows, chosen: Slice, by: Stratify, n: int, walk: Walk, report: Report
) -> list[Structure]:
    """Read every row for the sizes of the groups, then draw each group's share."""
    total = len(dataset.ids())
    members: dict[str, list[str]] = {}
    for name, structure in _passing(dataset, chosen, total, walk, report):
        members.setdefault(stratum_of(structure, by), []).append(name)
    passed = sum(map(len, members.values()))
    if passed < n:
        return []
    given = shares({group: len(names) for group, names in members.items()}, n)
    taken = [name for group, names in members.items() for name in names[: given.get(group, 0)]]
    taken.sort(key=partial(rank, chosen.seed))
    return [item for item in dataset.take(taken) if isinstance(item, Structure)]


def _too_few(chosen: Slice, found: int, total: int, walk: Walk) -> str:
    asked = "at least 2" if chosen.n == "all" else f"{chosen.n:,}"
    causes = [f"{count:,} dropped by {name}" for name, count in sorted(walk.dropped.items())]
    if walk.skipped:
        first = walk.skipped[0]
        causes.append(
            f"{len(walk.skipped):,} could not be taken (the first: {first.place}: {first.reason})"
        )
    lines = f"{asked} structures were asked for, the dataset has {total:,}"
    if causes:
        lines += f", of which {found:,} are left: {'; '.join(causes)}"
    for split in chosen.filters.split:
        if walk.splits and split not in walk.splits:
            lines += f"; {unknown('split', split, walk.splits)}"
    if found < 2:
        return f"{lines}. Loosen the filters"
    return f"{lines}. Ask for n: {found} or n: all" + (", or loosen the filters" * bool(causes))
