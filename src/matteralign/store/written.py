"""Which files of a folder the program wrote, so that a user's own beside them are left alone."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from matteralign.core.errors import IntegrityError
from matteralign.core.files import read_json, write_json

_LIST = ".written.json"


def keep_only(folder: Path, written: Collection[Path]) -> None:
    """Remove what an earlier call noted for a folder and was not written now; note the rest.

    Parameters
    ----------
    written
        Files in the folder. Others that were never noted are not touched.

    Raises
    ------
    IntegrityError
        If the list in the folder is damaged.
    """
    names = {path.name for path in written}
    for name in _noted(folder) - names:
        path = folder / name
        if path.is_file() or path.is_symlink():
            path.unlink()
    write_json(folder / _LIST, sorted(names))


def _noted(folder: Path) -> set[str]:
    path = folder / _LIST
    found = read_json(path) if path.exists() else []
    if not isinstance(found, list):
        raise IntegrityError(f"{path}: holds no list of names; delete it")
    # Never a file elsewhere, whatever the list says.
    return {str(name) for name in found if Path(str(name)).name == str(name)}
