"""From structures to rows: batches, shards that survive a kill, masks, order restored."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from matteralign.core.errors import MatterAlignError
from matteralign.core.files import atomic_path
from matteralign.core.hashing import sha256_json
from matteralign.models.base import Embedded, Wrapper
from matteralign.store.latents import MaskedRow
from matteralign.store.structures import Structure

Progress = Callable[[int], None]


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


@dataclass(frozen=True, eq=False)
class _Shard:
    rows: npt.NDArray[np.int64]
    latents: npt.NDArray[np.float32]
    energies: npt.NDArray[np.float64] | None
    failures: dict[int, str]


def plan_batches(
    rows: Sequence[int], sizes: Sequence[int], tie: Sequence[str], budget: int
) -> list[list[int]]:
    """Group rows of similar size so that count × largest size stays within `budget`.

    Parameters
    ----------
    rows
        Row numbers to place.
    sizes
        Atoms or tokens of each of these rows.
    tie
        A content hash of each row: rows of one size are ordered by it, so the batches do
        not depend on the order of the input.
    budget
        Atoms or tokens per batch, padding included. A row larger than that is a batch alone.

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


def extract(
    wrapper: Wrapper,
    structures: Sequence[Structure],
    *,
    shards: Path,
    identity: str,
    progress: Progress | None = None,
) -> Extracted:
    """Embed every structure that the model can take.

    Finished batches are kept as shards below `shards` and read again after an interruption.
    A batch that raises is halved until the structure at fault is alone; that row is masked
    with code ``model_error``. The same structures give the same batches, so an interrupted
    and an undisturbed run end in the same bytes.

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
    progress
        Called with the number of rows done.

    Raises
    ------
    MatterAlignError
        If the model failed on every structure that was not refused.
    """
    masked: dict[int, MaskedRow] = {}
    accepted: list[int] = []
    for row, structure in enumerate(structures):
        refusal = wrapper.refuse(structure)
        if refusal is None:
            accepted.append(row)
        else:
            masked[row] = MaskedRow(row, structure.id, refusal.code, refusal.reason)
    digests = {row: structures[row].digest() for row in accepted}
    batches = plan_batches(
        accepted,
        [wrapper.size(structures[row]) for row in accepted],
        [digests[row] for row in accepted],
        wrapper.card.batch,
    )
    done = len(masked)
    latents = np.full((len(structures), wrapper.card.latent.dim), np.nan, np.float32)
    energies = np.full(len(structures), np.nan) if wrapper.card.predicts else None
    if progress:
        progress(done)
    for batch in batches:
        name = sha256_json([identity, [[row, digests[row]] for row in batch]])
        path = shards / f"{name[:32]}.npz"
        shard = _read_shard(path)
        if shard is None:
            shard = _run(wrapper, structures, batch)
            _write_shard(path, shard)
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
    _refuse_none_left(wrapper.card.key, len(structures), accepted, masked)
    rows = sorted(masked)
    latents[rows] = np.nan
    if energies is not None:
        energies[rows] = np.nan
    return Extracted(latents, energies, [masked[row] for row in rows])


def _run(wrapper: Wrapper, structures: Sequence[Structure], batch: Sequence[int]) -> _Shard:
    parts, failures = _bisect(wrapper, structures, batch)
    rows = [row for part, _ in parts for row in part]
    dim = wrapper.card.latent.dim
    latents = [result.latents for _, result in parts]
    energies = [result.energies for _, result in parts if result.energies is not None]
    return _Shard(
        np.array(rows, np.int64),
        np.concatenate(latents) if latents else np.empty((0, dim), np.float32),
        (np.concatenate(energies) if energies else np.empty(0)) if wrapper.card.predicts else None,
        failures,
    )


def _bisect(
    wrapper: Wrapper, structures: Sequence[Structure], batch: Sequence[int]
) -> tuple[list[tuple[Sequence[int], Embedded]], dict[int, str]]:
    # Any error of a model package may come from one bad structure, so all are caught here;
    # none is lost: it is a row's reason, or the run's error when no row survives.
    try:
        result = wrapper.embed([structures[row] for row in batch])
    except Exception as error:  # noqa: BLE001
        if len(batch) == 1:
            text = str(error).strip().splitlines()
            return [], {batch[0]: f"{type(error).__name__}: {text[0][:300] if text else ''}"}
        middle = len(batch) // 2
        left, left_failures = _bisect(wrapper, structures, batch[:middle])
        right, right_failures = _bisect(wrapper, structures, batch[middle:])
        return left + right, left_failures | right_failures
    _check_result(wrapper, result, len(batch))
    return [(batch, result)], {}


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


def _write_shard(path: Path, shard: _Shard) -> None:
    with atomic_path(path) as temporary, open(temporary, "wb") as handle:
        np.savez(
            handle,
            rows=shard.rows,
            latents=shard.latents,
            energies=np.empty(0) if shard.energies is None else shard.energies,
            has_energies=np.array(shard.energies is not None),
            failed_rows=np.array(sorted(shard.failures), np.int64),
            failed_reasons=np.array([shard.failures[r] for r in sorted(shard.failures)], "U400"),
        )


def _read_shard(path: Path) -> _Shard | None:
    """Return a finished batch, or None when there is none that can be read."""
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as data:
            return _Shard(
                data["rows"],
                data["latents"],
                data["energies"] if bool(data["has_energies"]) else None,
                {
                    int(row): str(reason)
                    for row, reason in zip(data["failed_rows"], data["failed_reasons"], strict=True)
                },
            )
    except (zipfile.BadZipFile, ValueError, KeyError, EOFError):
        # Renamed into place whole, so only a damaged disk brings us here: make it again.
        return None
