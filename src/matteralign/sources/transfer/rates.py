"""How fast each server was last, to say how long a download will take."""

from __future__ import annotations

from urllib.parse import urlsplit

from filelock import FileLock

from matteralign.core.errors import IntegrityError
from matteralign.core.files import read_json, write_json
from matteralign.core.paths import cache_root

_LEAST = 1 << 20  # fewer bytes measure the greeting, not the line


def note_rate(url: str, size: int, seconds: float) -> None:
    """Remember the bytes per second of a finished download."""
    if size < _LEAST or seconds <= 0:
        return
    path = cache_root() / "rates.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{path}.lock"):
        write_json(path, _rates() | {urlsplit(url).netloc: round(size / seconds)})


def known_rate(url: str) -> float | None:
    """Return the bytes per second that the server of `url` gave last, or None."""
    return _rates().get(urlsplit(url).netloc)


def _rates() -> dict[str, float]:
    path = cache_root() / "rates.json"
    if not path.exists():
        return {}
    try:
        found = read_json(path)
    except IntegrityError:
        return {}  # an estimate is not worth an error
    if not isinstance(found, dict):
        return {}
    return {str(k): float(v) for k, v in found.items() if isinstance(v, int | float) and v > 0}
