"""From structures to rows: batches, shards that survive a kill, masks, order restored."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
import numpy.typing as npt

from matteralign.core.errors import MatterAlignError
from matteralign.models.base.wrapper import Embedded, Wrapper
from matteralign.models.extraction.shards import Shard, Shards
from matteralign.models.inputs.batches import batch_cost, out_of_memory, plan_batches
from matteralign.models.inputs.placement import placed
from matteralign.store.known_rows import KnownRows
from matteralign.store.latents import MaskedRow
from matteralign.store.structures import Structure

Progress = Callable[[int], None]

BLOCK_ROWS = 1000
"""Rows of the sample set of which batches are made together.

No batch holds rows of two blocks, so what a model makes of a whole block does not depend on the
rows that follow: a slice has the same bytes in its first blocks as a longer one of its draw.
"""


@dataclass(frozen=True, eq=False)
class Extracted:
    """A model's rows on a sample set.

    Attributes
    ----------
    latents
        Shape (n, d), float32, in the order of the structures; NaN where masked.
    energies
        Shape (n,), float64 in eV, NaN where masked; None when the model predicts none.
    masked
        The rows without a latent, each with its reason.
    """

    latents: npt.NDArray[np.float32]
    energies: npt.NDArray[np.float64] | None
    masked: list[MaskedRow]


def extract(
    wrapper: Wrapper,
    structures: Sequence[Structure],
    *,
    shards: Path,
    identity: str,
    known: KnownRows | None = None,
    progress: Progress | None = None,
) -> Extracted:
    """Embed every structure that the model can take, each where `placed` puts it.

    Finished batches are kept as shards below `shards` and read again after an interruption.
    A batch that raises is halved until the structure at fault is alone; that row is masked
    with code ``model_error``. Where memory runs out, this batch and all that follow are planned
    again with half the budget. The same structures give the same batches, so an interrupted and
    an undisturbed run end in the same bytes. Batches are made of `BLOCK_ROWS` rows at a time.

    Parameters
    ----------
    wrapper
        The loaded model.
    structures
        The sample set.
    shards
        Folder for finished batches; the caller removes it when the result is written.
    identity
        What the shards were made with (card, wrapper version, environment): shards of
        another identity are not read.
    known
        The first rows, where they are known already: the model is not run on them.
    progress
        Called with the number of rows done.

    Raises
    ------
    MatterAlignError
        If the model failed on every structure that was not refused.
    """
    latents, energies, masked = _begun(wrapper, len(structures), known)
    first = 0 if known is None else len(known)
    sizes: dict[int, int] = {}
    digests: dict[int, str] = {}
    seen = list(structures)
    for row, structure in enumerate(structures[first:], start=first):
        refusal = wrapper.refuse(structure)
        if refusal is None:
            # At once: checks and sizes share what they find out about a structure.
            sizes[row] = wrapper.size(structure)
            digests[row] = structure.digest()
            seen[row] = placed(structure, wrapper.card)
        else:
            masked[row] = MaskedRow(row, structure.id, refusal.code, refusal.reason)
    accepted = list(sizes)
    done = len(structures) - len(accepted)
    if progress:
        progress(done)
    kept = Shards(shards, identity, digests)
    for batch, shard in _finished(wrapper, seen, sizes, digests, kept):
        latents[shard.rows] = shard.latents
        if energies is not None and shard.energies is not None:
            energies[shard.rows] = shard.energies
        for row, reason in shard.failures.items():
            masked[row] = MaskedRow(row, structures[row].id, "model_error", reason)
        done += len(batch)
        if progress:
            progress(done)
    for row in set(accepted) - set(masked):
        finding = _not_finite(latents[row], None if energies is None else energies[row])
        if finding:
            masked[row] = MaskedRow(row, structures[row].id, "non_finite", finding)
    if known is None or not known.any_valid:
        _refuse_none_left(wrapper.card.key, len(structures), accepted, masked)
    rows = sorted(masked)
    latents[rows] = np.nan
    if energies is not None:
        energies[rows] = np.nan
    return Extracted(latents, energies, [masked[row] for row in rows])


def _begun(
    wrapper: Wrapper, rows: int, known: KnownRows | None
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float64] | None, dict[int, MaskedRow]]:
    """Return latents, energies and masked rows with what is known in place, NaN elsewhere."""
    latents = np.full((rows, wrapper.card.latent.dim), np.nan, np.float32)
    energies = np.full(rows, np.nan) if wrapper.card.predicts else None
    if known is None:
        return latents, energies, {}
    latents[: len(known)] = known.latents
    if energies is not None and known.energies is not None:
        energies[: len(known)] = known.energies
    return latents, energies, {m.row: m for m in known.masked}


def _finished(
    wrapper: Wrapper,
    structures: Sequence[Structure],
    sizes: Mapping[int, int],
    digests: Mapping[int, str],
    kept: Shards,
) -> Iterator[tuple[list[int], Shard]]:
    """Yield every batch with its shard, read or made now; batches that are too large halved."""

    def plan(rest: Sequence[int]) -> deque[list[int]]:
        tie = [digests[row] for row in rest]
        counts = [sizes[row] for row in rest]
        return deque(plan_batches(rest, counts, tie, budget, padded=wrapper.padded))

    budget = wrapper.budget()
    for _, block in groupby(sizes, key=lambda row: row // BLOCK_ROWS):
        batches = plan(list(block))
        while batches:
            batch = batches.popleft()
            shard = kept.read(batch)
            if shard is None and not kept.too_large(batch):
                shard = _run(wrapper, structures, batch)
                if shard is None:
                    kept.note_too_large(batch)
                else:
                    kept.write(batch, shard)
            if shard is not None:
                yield batch, shard
                continue
            cost = batch_cost([sizes[row] for row in batch], padded=wrapper.padded)
            budget = max(min(budget, cost) // 2, 1)
            _say_halved(wrapper.card.key, budget)
            batches = plan([*batch, *(row for later in batches for row in later)])


def _say_halved(key: str, budget: int) -> None:
    text = f"{key}: out of memory; going on with at most {budget} per batch"
    print(text, file=sys.stderr, flush=True)


def _run(wrapper: Wrapper, structures: Sequence[Structure], batch: Sequence[int]) -> Shard | None:
    """Return what the model makes of a batch, None when memory ran out on more than one row."""
    found = _bisect(wrapper, structures, batch)
    if found is None:
        _release_memory()
        return None
    parts, failures = found
    rows = [row for part, _ in parts for row in part]
    dim = wrapper.card.latent.dim
    latents = [result.latents for _, result in parts]
    energies = [result.energies for _, result in parts if result.energies is not None]
    return Shard(
        np.array(rows, np.int64),
        np.concatenate(latents) if latents else np.empty((0, dim), np.float32),
        (np.concatenate(energies) if energies else np.empty(0)) if wrapper.card.predicts else None,
        failures,
    )


def _release_memory() -> None:
    """Give back what torch keeps of a failed batch on a GPU."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


_Parts = list[tuple[Sequence[int], Embedded]]


def _bisect(
    wrapper: Wrapper, structures: Sequence[Structure], batch: Sequence[int]
) -> tuple[_Parts, dict[int, str]] | None:
    # Any error of a model package may come from one bad structure, so all are caught here;
    # none is lost: it is a row's reason, or the run's error when no row survives.
    try:
        result = wrapper.embed([structures[row] for row in batch])
    except Exception as error:  # noqa: BLE001
        if len(batch) == 1:
            text = str(error).strip().splitlines()
            return [], {batch[0]: f"{type(error).__name__}: {text[0][:300] if text else ''}"}
        if out_of_memory(error):
            return None
        result = None
    if result is not None:
        _check_result(wrapper, result, len(batch))
        return [(batch, result)], {}
    middle = len(batch) // 2
    left = _bisect(wrapper, structures, batch[:middle])
    right = None if left is None else _bisect(wrapper, structures, batch[middle:])
    if left is None or right is None:
        return None
    return left[0] + right[0], left[1] | right[1]


def _check_result(wrapper: Wrapper, result: Embedded, rows: int) -> None:
    expected = (rows, wrapper.card.latent.dim)
    if result.latents.shape != expected or result.latents.dtype != np.float32:
        raise MatterAlignError(
            f"model {wrapper.card.key}: wrapper gave latents {result.latents.shape} "
            f"{result.latents.dtype}, its card says {expected} float32; correct latent.dim"
        )
    has_energies = result.energies is not None
    if has_energies != bool(wrapper.card.predicts) or (
        result.energies is not None and result.energies.shape != (rows,)
    ):
        raise MatterAlignError(
            f"model {wrapper.card.key}: energies given by the wrapper do not fit "
            f"`predicts: {list(wrapper.card.predicts)}` on its card"
        )


def _not_finite(latent: npt.NDArray[np.float32], energy: float | None) -> str | None:
    if not np.isfinite(latent).all():
        return f"{int((~np.isfinite(latent)).sum())} of {len(latent)} values are not finite"
    if energy is not None and not np.isfinite(energy):
        return "the predicted energy is not finite"
    return None


def _refuse_none_left(
    key: str, rows: int, accepted: Sequence[int], masked: dict[int, MaskedRow]
) -> None:
    """Raise when the model failed on all it was given; refusing all of a slice is a result."""
    if rows == 0:
        raise MatterAlignError(f"model {key}: the sample set has no structures")
    if not accepted or any(row not in masked for row in accepted):
        return
    first = masked[accepted[0]]
    raise MatterAlignError(
        f"model {key}: none of the {len(accepted)} structures it was given could be embedded; "
        f"{first.id}: {first.code}: {first.reason}"
    )
