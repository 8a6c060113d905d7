"""One way to read a record, for every format: what goes wrong in it is the record's alone.

A reader raises what it likes. `attempt` turns that into the reason for which the record is
skipped, and keeps what the libraries below warned of meanwhile: Python's warnings and the log
of RDKit. What is no fault of the record goes on: interrupts, a lack of memory, disks that
cannot be read.
"""

from __future__ import annotations

import logging
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Generic, TypeVar

from matteralign.core.errors import IntegrityError, MatterAlignError, UserError, os_fault, told
from matteralign.datasets.base.text import printable

T = TypeVar("T")
_MOST_WARNINGS = 20  # of a record
_LONGEST = 500  # characters of a warning
_CLOCK = re.compile(r"^\[\d\d:\d\d:\d\d\] ")  # what RDKit puts before every line


class BadRecordError(ValueError):
    """A record that cannot become a structure; the message says why."""


class RecordWarning(UserWarning):
    """What a user should know of a record that can be read: ``warnings.warn(text, RecordWarning)``.

    The log says each text once, with the number of its records: a text that names a field of the
    record and not its value is said once for all.
    """


class DamagedFileError(IntegrityError):
    """A file that is damaged at a record: reading stops and no record is skipped."""


@dataclass(frozen=True)
class Attempt(Generic[T]):
    """What came of reading a record.

    Attributes
    ----------
    value
        What was read; None: nothing.
    reason
        Why nothing was read, in one sentence; None: something was.
    warnings
        What was warned of while it was read, each text once, those of libraries with their names.
    """

    value: T | None
    reason: str | None = None
    warnings: tuple[str, ...] = ()


def attempt(read: Callable[[], T], place: str, before: Sequence[str] = ()) -> Attempt[T]:
    """Read a record, or learn why it cannot be read.

    Parameters
    ----------
    read
        Returns the record. Any exception it raises belongs to the record, except those below.
    place
        File and record, for messages.
    before
        What was warned of on the way to the record.

    Raises
    ------
    UserError
        If there is too little memory, the system does not let a file be read, or `read` raises
        it: which rows there are must not depend on the machine.
    DamagedFileError
        If `read` raises it.
    """
    heard = [*before]
    try:
        with _machine(place), listening(heard):
            value = read()
    except (UserError, DamagedFileError):
        raise
    except Exception as error:  # noqa: BLE001 - a library may raise anything
        return Attempt(None, _reason(error), _kept(heard))
    return Attempt(value, None, _kept(heard))


@contextmanager
def blamed(what: str) -> Iterator[None]:
    """Make every error of another package one of the record: ``what: its message``.

    Raises
    ------
    BadRecordError
        If the block raises anything that is not of the machine or of this project.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, BadRecordError | MatterAlignError) or _of_the_machine(error):
            raise
        raise BadRecordError(f"{what}: {_reason(error)}") from error


@contextmanager
def whole_file(path: Path, kind: str) -> Iterator[None]:
    """Make every error of another package one of a whole file, which names it.

    Raises
    ------
    IntegrityError
        If the file cannot be split into records.
    UserError
        As `attempt`.
    """
    try:
        with _machine(str(path)):
            yield
    except MatterAlignError:
        raise
    except Exception as error:
        raise IntegrityError(f"{path}: not readable as {kind}: {_reason(error)}") from error


@contextmanager
def _machine(place: str) -> Iterator[None]:
    """Tell what is no fault of a record in one line."""
    try:
        yield
    except MemoryError as error:
        raise UserError(f"{place}: needs more memory than there is") from error
    except OSError as error:
        if _of_the_machine(error):
            raise UserError(f"{place}: {os_fault(error)}") from error
        raise


def _of_the_machine(error: Exception) -> bool:
    # An OSError without a number is one that a library made up.
    numbered = isinstance(error, OSError) and error.errno is not None
    return numbered or isinstance(error, MemoryError)


def _reason(error: Exception) -> str:
    # Other packages quote lines as they found them.
    text = printable(" ".join(told(error).split()))
    if isinstance(error, ValueError | IntegrityError) or text == type(error).__name__:
        return text
    # The text of a KeyError is the key alone.
    return f"{type(error).__name__}: {text}"


@contextmanager
def listening(heard: list[str]) -> Iterator[None]:
    """Collect what is warned of in the block, also when it raises."""
    with warnings.catch_warnings(record=True) as caught, _rdkit(heard):
        warnings.simplefilter("always")
        try:
            yield
        finally:
            heard.extend(map(_worded, caught))


class _Into(logging.Handler):
    """A handler that appends lines to a list."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(_CLOCK.sub("", record.getMessage()))


@contextmanager
def _rdkit(heard: list[str]) -> Iterator[None]:
    """Collect the log of RDKit, which else is written to the standard error."""
    if "rdkit" not in sys.modules:
        yield
        return
    from rdkit import rdBase

    logger, lines = logging.getLogger("rdkit"), list[str]()
    before = logger.handlers[:]
    logger.handlers[:] = [_Into(lines)]
    rdBase.LogToPythonLogger()
    try:
        yield
    finally:
        rdBase.LogToCppStreams()
        logger.handlers[:] = before
        heard.extend(f"rdkit: {line}" for line in lines)


def _worded(caught: warnings.WarningMessage) -> str:
    text = str(caught.message)
    if issubclass(caught.category, RecordWarning):
        return text
    parts = PurePath(caught.filename).parts
    roots = [at for at, part in enumerate(parts) if part in ("site-packages", "dist-packages")]
    package = parts[roots[-1] + 1].removesuffix(".py") if roots else caught.category.__name__
    return f"{package}: {text}"


def _kept(heard: list[str]) -> tuple[str, ...]:
    texts = dict.fromkeys(printable(" ".join(text.split()))[:_LONGEST] for text in heard)
    more = len(texts) - _MOST_WARNINGS
    return (*list(texts)[:_MOST_WARNINGS], *([f"{more} more warnings"] if more > 0 else []))
