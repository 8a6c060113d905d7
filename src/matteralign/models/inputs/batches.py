"""Which structures share a batch, and when a batch was too large."""

from __future__ import annotations

from collections.abc import Sequence


def batch_cost(sizes: Sequence[int], *, padded: bool) -> int:
    """Return what structures of these sizes cost in one batch, in the unit of the sizes.

    Parameters
    ----------
    sizes
        Atoms, edges or tokens of each structure.
    padded
        Whether the model pads every row to the largest: the batch then costs count × largest.
        Graphs are laid one after another, and cost their sum.
    """
    return len(sizes) * max(sizes, default=0) if padded else sum(sizes)


def plan_batches(
    rows: Sequence[int], sizes: Sequence[int], tie: Sequence[str], budget: int, *, padded: bool
) -> list[list[int]]:
    """Group rows of similar size so that the cost of a batch stays within `budget`.

    Parameters
    ----------
    rows
        Row numbers to place.
    sizes
        Atoms, edges or tokens of each of these rows.
    tie
        A content hash of each row: rows of one size are ordered by it, so the batches do
        not depend on the order of the input.
    budget
        Most that a batch may cost; see `batch_cost`. A row that costs more is a batch alone.
    padded
        See `batch_cost`.

    Returns
    -------
    list of list
        Batches of row numbers, largest structures first.
    """
    order = sorted(range(len(rows)), key=lambda i: (-sizes[i], tie[i], rows[i]))
    batches: list[list[int]] = []
    cost = largest = 0
    for i in order:
        # Largest first: a batch is padded to its first row.
        more = largest if padded else sizes[i]
        if batches and cost + more <= budget:
            batches[-1].append(rows[i])
            cost += more
        else:
            batches.append([rows[i]])
            cost = largest = sizes[i]
    return batches


def out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that memory ran out, on the CPU or a GPU.

    torch raises a RuntimeError where the CPU's allocator fails, and a scripted network one
    that only quotes the GPU's error.
    """
    if isinstance(error, MemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and (
        "out of memory" in text or "can't allocate memory" in text
    )
