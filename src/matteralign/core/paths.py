"""Where shared, rebuildable things live: one cache folder for data, weights and environments."""

from __future__ import annotations

import os
from pathlib import Path

CACHE_VARIABLE = "MATTERALIGN_CACHE"


def cache_root() -> Path:
    """Return the cache folder: ``$MATTERALIGN_CACHE``, else the platform's user cache."""
    given = os.environ.get(CACHE_VARIABLE)
    if given:
        return Path(given).expanduser().resolve()
    base = os.environ.get("XDG_CACHE_HOME")
    root = Path(base).expanduser() if base else Path.home() / ".cache"
    return root / "matteralign"
