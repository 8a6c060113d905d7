"""Archives read with suspicion: members by name, no path outside, no links, no bombs.

Understood are tar (plain, gzip, bzip2, xz), zip (wheels included) and a single file that is
compressed by gzip, bzip2 or xz. Nothing is unpacked that was not asked for.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Protocol, cast

from matteralign.core.errors import IntegrityError, told
from matteralign.sources.ahead import Ahead

_DAMAGE = (
    tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, lzma.LZMAError, zlib.error, EOFError,
    NotImplementedError, RuntimeError, OSError, ValueError,
)  # fmt: skip
_BLOCK = 1 << 20
_SINGLE: dict[bytes, Callable[..., Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}


class Readable(Protocol):
    """An object that bytes can be read from."""

    def read(self, size: int = -1, /) -> bytes:
        """Return up to `size` bytes."""


@dataclass(frozen=True)
class Limits:
    """What an archive may hold before it counts as a bomb.

    Attributes
    ----------
    members
        Number of members, wanted or not.
    size
        Bytes of all members together once unpacked.
    """

    members: int = 5_000_000
    size: int = 1 << 40

    @classmethod
    def of(cls, archive: Path) -> Limits:
        """Return limits for an archive: 200 times its size, and no less than 1 GiB."""
        return cls(size=max(1 << 30, 200 * archive.stat().st_size))


@dataclass(frozen=True)
class Member:
    """One member: its path in the archive, the bytes it announces, and its stream."""

    name: str
    size: int | None
    stream: Readable


def read_members(
    archive: Path, wanted: Callable[[str], bool], limits: Limits | None = None
) -> Iterator[Member]:
    """Yield the wanted members of an archive in its order, each to be read at once.

    The archive is read in one stream from its beginning to its end.

    Parameters
    ----------
    wanted
        Whether a member is wanted, by its path in the archive.
    limits
        By default those of `Limits.of`.

    Raises
    ------
    IntegrityError
        If the archive is damaged, is a bomb, or a wanted member is a link, no plain file,
        leads outside, or is there twice; the message names archive and member.
    """
    limits = limits or Limits.of(archive)
    with _explained(archive):
        if zipfile.is_zipfile(archive):
            found = _zip_members(archive, wanted, limits)
        elif _is_tar(archive):
            found = _tar_members(archive, wanted, limits)
        else:
            found = _single_member(archive, wanted, limits)
        seen: set[str] = set()
        for member in found:
            if member.name in seen:
                raise IntegrityError(f"{archive}: member {member.name!r} is there twice")
            seen.add(member.name)
            guarded = _Guarded(member.stream, limits.size, archive)
            yield Member(member.name, member.size, guarded)


@contextmanager
def extract_member(archive: Path, member: str) -> Iterator[Readable]:
    """Open one member of an archive for reading, without unpacking the rest.

    Raises
    ------
    IntegrityError
        If the archive is damaged or has no such plain member.
    """
    found = read_members(archive, lambda name: name == member)
    first = next(found, None)
    if first is None:
        raise IntegrityError(f"{archive}: holds no file {member!r}")
    yield first.stream


def safe_name(archive: Path, name: str) -> PurePosixPath:
    """Return a member's path below a folder.

    Raises
    ------
    IntegrityError
        If the path would lead out of the folder.
    """
    path = PurePosixPath(name)
    bad = path.is_absolute() or ".." in path.parts or not path.parts
    if bad or "\\" in name or "\0" in name or path.parts[0].endswith(":"):
        raise IntegrityError(f"{archive}: member {name!r} would be written outside its folder")
    return path


@contextmanager
def _explained(archive: Path) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        raise IntegrityError(f"{archive}: damaged archive ({told(error)}); delete it") from error


def _decompressed(archive: Path) -> Any:
    """Open a file for reading what it holds; gzip, bzip2 and xz check their sums at the end.

    The stream reader of `tarfile` would not look at the sum of a gzip file.
    """
    with open(archive, "rb") as raw:
        head = raw.read(6)
    opener = next((o for magic, o in _SINGLE.items() if head.startswith(magic)), open)
    return opener(archive, "rb")


def _is_tar(archive: Path) -> bool:
    try:
        with _decompressed(archive) as raw, tarfile.open(fileobj=raw, mode="r|") as bundle:
            # Zeros that were compressed look like a tar without members.
            return bundle.next() is not None
    except tarfile.ReadError as error:
        # Only a stream that unpacks to something else is a single file.
        if "truncated" in str(error) or "empty" in str(error):
            raise
        return False


def _tar_members(archive: Path, wanted: Callable[[str], bool], limits: Limits) -> Iterator[Member]:
    unpacked = 0
    # What `tarfile` asks of a stream is `read` alone.
    with (
        Ahead(_decompressed(archive)) as raw,
        tarfile.open(fileobj=cast("Any", raw), mode="r|") as bundle,
    ):
        for count, info in enumerate(bundle, start=1):
            unpacked += info.size
            _refuse_bomb(archive, count, unpacked, limits)
            # The list of what was passed would grow without end.
            bundle.members.clear()  # type: ignore[attr-defined]
            name = info.name.removeprefix("./")
            if info.isdir() or not wanted(name):
                continue
            safe_name(archive, name)
            if info.issym() or info.islnk():
                raise IntegrityError(f"{archive}: member {name!r} is a link")
            stream = bundle.extractfile(info) if info.isreg() and not info.issparse() else None
            if stream is None:
                raise IntegrityError(f"{archive}: member {name!r} is no plain file")
            yield Member(name, info.size, stream)
        rest = _Guarded(raw, limits.size, archive)
        while rest.read(_BLOCK):  # to the end, where the sum is
            pass


def _zip_members(archive: Path, wanted: Callable[[str], bool], limits: Limits) -> Iterator[Member]:
    unpacked = 0
    with zipfile.ZipFile(archive) as bundle:
        for count, info in enumerate(bundle.infolist(), start=1):
            unpacked += info.file_size
            _refuse_bomb(archive, count, unpacked, limits)
            if info.is_dir() or not wanted(info.filename):
                continue
            safe_name(archive, info.filename)
            if stat.S_ISLNK(info.external_attr >> 16):
                raise IntegrityError(f"{archive}: member {info.filename!r} is a link")
            with bundle.open(info) as stream:
                yield Member(info.filename, info.file_size, stream)


def _single_member(
    archive: Path, wanted: Callable[[str], bool], limits: Limits
) -> Iterator[Member]:
    with open(archive, "rb") as raw:
        head = raw.read(6)
    if not head.startswith(tuple(_SINGLE)):
        raise IntegrityError(f"{archive}: damaged archive, or none of tar, zip, gzip, bzip2, xz")
    name = archive.name.rsplit(".", 1)[0]
    if wanted(name):
        with _decompressed(archive) as stream:
            yield Member(name, None, stream)


class _Guarded:
    """A member's stream: errors name the archive, and a decompression bomb is not unpacked."""

    def __init__(self, stream: Readable, most: int, archive: Path) -> None:
        self._stream, self._left, self._archive = stream, most, archive

    def read(self, size: int = -1, /) -> bytes:
        """Return up to `size` bytes."""
        if size < 0:
            return b"".join(iter(lambda: self.read(_BLOCK), b""))
        with _explained(self._archive):
            block = self._stream.read(size)
        self._left -= len(block)
        if self._left < 0:
            raise IntegrityError(f"{self._archive}: unpacks to far more than its size: a bomb")
        return block


def _refuse_bomb(archive: Path, count: int, unpacked: int, limits: Limits) -> None:
    if count > limits.members or unpacked > limits.size:
        raise IntegrityError(
            f"{archive}: {count} members of {unpacked} bytes so far: more than an archive of "
            f"{archive.stat().st_size} bytes may hold (a bomb)"
        )
