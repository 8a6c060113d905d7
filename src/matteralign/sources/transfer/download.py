"""Files that their authors serve over HTTP: resumed, repeated with patience, never glued."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

import requests
from urllib3.exceptions import HTTPError

from matteralign.core.errors import FetchError, IntegrityError
from matteralign.sources.transfer.disk import need_room
from matteralign.sources.transfer.http import headers_for, reason, refuse_status, session
from matteralign.sources.transfer.partial import Partial
from matteralign.sources.transfer.progress import Progress
from matteralign.sources.transfer.rates import note_rate
from matteralign.sources.transfer.settings import Settings

_BLOCK = 1 << 16
_BREAKS = 5  # in a row, without one byte between them
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")


def download(
    url: str,
    part: Path,
    *,
    size: int | None,
    hashed: bool,
    settings: Settings,
    report: Callable[[str], None],
) -> None:
    """Write what `url` serves to `part`, continuing from what is there of the same file.

    A part is gone on with only when the server says, by the validator it gave at first
    (``If-Range``), that the file is the same still; else it is begun again. A connection that
    breaks is resumed where it broke, after a pause that doubles.

    Parameters
    ----------
    part
        Temporary file; it stays when the download fails, for the next attempt.
    size
        Bytes that the file must have, or None.
    hashed
        The caller knows the hash of the whole: a part is then gone on with even where the
        server gives no validator.

    Raises
    ------
    FetchError
        If the server cannot be reached, refuses, keeps breaking off, or the disk is too small.
    IntegrityError
        If the server announces another size than `size`; nothing is fetched then.
    """
    partial, breaks = Partial(part, url, hashed), 0
    with session(settings) as client:
        while True:
            before = partial.start()
            problem = _attempt(client, url, partial, size, settings, report)
            if problem is None:
                return
            breaks = 0 if partial.length() > before else breaks + 1
            if breaks >= _BREAKS:
                raise FetchError(f"download failed: {problem}")
            pause = settings.backoff * 2**breaks
            report(f"{partial.name}: {problem}; trying again in {pause:.0f} s")
            time.sleep(pause)


def _attempt(
    client: requests.Session,
    url: str,
    partial: Partial,
    size: int | None,
    settings: Settings,
    report: Callable[[str], None],
) -> str | None:
    """Fetch once; return why the file is not whole, or None when it is."""
    headers = headers_for(url) | partial.headers()
    try:
        answer = client.get(url, stream=True, headers=headers, timeout=(10, settings.timeout))
    except (requests.RequestException, OSError) as error:
        raise FetchError(f"download failed: {reason(error)}") from error
    with answer:
        begun = _begin(answer, partial, url)
        if begun is None:
            partial.discard()
            return "the server has another file than was begun"
        start, total = begun
        if total == 0:
            partial.discard()
            raise FetchError("the file there is empty (0 bytes)")
        if total is not None and size is not None and total != size:
            partial.discard()
            raise IntegrityError(f"the server has {total} bytes, {size} are pinned")
        if start == total:
            return None
        need_room(partial.path.parent, (total or 0) - start, partial.name)
        progress = Progress(partial.name, report, start, total)
        try:
            with open(partial.path, "ab" if start else "wb") as out:
                # Undecoded: the file is what was sent, even if the server calls it encoded.
                for block in answer.raw.stream(_BLOCK, decode_content=False):
                    out.write(block)
                    progress.update(len(block))
        except HTTPError as error:
            return reason(error)
        except OSError as error:
            raise FetchError(f"could not write {partial.path}: {error}") from error
    note_rate(url, progress.received, progress.seconds)
    length = partial.length()
    if total is not None and length != total:
        if length > total:
            partial.discard()
        return f"{length} bytes came of {total}"
    return None


def _begin(answer: requests.Response, partial: Partial, url: str) -> tuple[int, int | None] | None:
    """Return where the body begins in the file and the file's size, None when it does not fit."""
    start = partial.start()
    if answer.status_code == 416 and start:
        # Nothing lies behind the part: either it is whole, or it is no part of this file.
        whole = answer.headers.get("Content-Range") == f"bytes */{start}"
        return (start, start) if whole and partial.total == start else None
    refuse_status(answer, url)
    if answer.status_code == 206:
        found = _RANGE.match(answer.headers.get("Content-Range", ""))
        fits = found is not None and int(found[1]) == start and partial.fits(answer.headers)
        if found is None or not fits or partial.total not in (None, int(found[2])):
            return None
        return start, int(found[2])
    length = answer.headers.get("Content-Length", "")
    total = int(length) if length.isdigit() else None
    partial.begin(answer.headers, total)
    return 0, total
