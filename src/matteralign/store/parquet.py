"""Read a Parquet file of the project, with every fault told in one line that names it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from matteralign.core.errors import IntegrityError


def read_parquet(
    path: str | Path,
    stage: str = "the stage that writes it",
    columns: Sequence[str] | None = None,
) -> pa.Table:
    """Return the table of a file.

    Parameters
    ----------
    stage
        What writes the file, for the message.
    columns
        The columns to read, those of them that are there; None for all.

    Raises
    ------
    IntegrityError
        If the file is missing or damaged.
    """
    # Not `pq.read_table`, which imports pandas.
    with _faults_told(path, stage), pq.ParquetFile(path) as file:
        return file.read(None if columns is None else list(columns))


def read_metadata(path: str | Path, stage: str = "the stage that writes it") -> dict[str, str]:
    """Return the metadata of a file without its rows; parameters and errors as `read_parquet`."""
    with _faults_told(path, stage):
        found = pq.read_schema(path).metadata or {}
    return {name.decode(): value.decode() for name, value in found.items()}


@contextmanager
def _faults_told(path: str | Path, stage: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise IntegrityError(f"{path}: file is missing; run {stage}") from error
    except PermissionError:
        raise
    except (pa.ArrowException, OSError) as error:  # pages that do not unpack are an OSError
        raise IntegrityError(
            f"{path}: not a readable Parquet file ({error}); delete it and run {stage}"
        ) from error
