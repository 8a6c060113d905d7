"""Text files of users: read as UTF-8, line by line, with a bound on every line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from matteralign.core.errors import IntegrityError, UserError

LONGEST_LINE = 1 << 24
"""Characters of the longest line that is read; what is longer is no text of records."""

NUMBER = r"[+-]?(?:\d+\.?(\d*)|\.(\d+))(?:[eE]([+-]?\d+))?"
"""Pattern of a number (ASCII); its groups are the digits behind the point and the exponent."""
_PLAIN = re.compile(NUMBER, re.ASCII)
_PACKED = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"PK\x03\x04": "zip",
}
_WIDE = (b"\xff\xfe", b"\xfe\xff")


@contextmanager
def open_text(path: Path, newline: str | None = None) -> Iterator[Iterator[str]]:
    """Give the lines of a file; bytes that are not UTF-8 are kept as lone surrogates.

    Parameters
    ----------
    newline
        As for `open`.

    Raises
    ------
    UserError
        If the file is compressed, or text of another kind.
    IntegrityError
        While the lines are read: if one is too long.
    """
    with open(path, "rb") as source:
        head = source.read(6)
    for magic, kind in _PACKED.items():
        if head.startswith(magic):
            raise UserError(f"{path}: is compressed ({kind}); unpack it first")
    if head.startswith(_WIDE):
        raise UserError(f"{path}: is text in UTF-16; save it as UTF-8")
    with open(path, encoding="utf-8-sig", errors="surrogateescape", newline=newline) as source:
        yield _lines(source, path)


def _lines(source: TextIO, path: Path) -> Iterator[str]:
    number = 0
    while line := source.readline(LONGEST_LINE + 1):
        number += 1
        if len(line) > LONGEST_LINE:
            raise IntegrityError(
                f"{path}, line {number}: longer than {LONGEST_LINE:,} characters, no record"
            )
        yield line


def printable(text: str) -> str:
    """Return a text that can be printed and written: with escapes for what is not UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def flaw(text: str) -> str | None:
    """Return what keeps a text from being a value, None where nothing does."""
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        return "is not UTF-8"
    if any((c < " " and c != "\t") or c == "\x7f" for c in text):
        return "has a line break or another control character in it"
    return None


def plain_number(text: str) -> bool:
    """Return whether a text is plainly a number: Python also takes ``1_000`` and ``nan``."""
    return _PLAIN.fullmatch(text.strip()) is not None
