"""Which structures share a batch, and when a batch was too large."""

from __future__ import annotations

from collections.abc import Sequence


def plan_batches(
    rows: Sequence[int], sizes: Sequence[int], tie: Sequence[str], budget: int
) -> list[list[int]]:
    """Group rows of similar size so that count × largest size stays within `budget`.

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
        Atoms, edges or tokens per batch, padding included. A row larger than that is a batch
        alone.

    Returns
    -------
    list of list
        Batches of row numbers, largest structures first.
    """
    order = sorted(range(len(rows)), key=lambda i: (-sizes[i], tie[i], rows[i]))
    batches: list[list[int]] = []
    largest = 0
    for i in order:
        if batches and (len(batches[-1]) + 1) * largest <= budget:
            batches[-1].append(rows[i])
        else:
            batches.append([rows[i]])
            largest = sizes[i]
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
