"""Files of the kinds that are folders: which of them are read, in which order."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

SUFFIXES: Mapping[str, tuple[str, ...]] = {
    "cif-folder": (".cif", ".cif.gz"),
    "structure-folder": (
        ".cif", ".cif.gz", ".mmcif", ".mmcif.gz", ".pdb", ".pdb.gz", ".ent", ".ent.gz",
    ),
}  # fmt: skip
"""What names end with, in capitals as well."""


def files_of(kind: str, folder: Path) -> list[Path]:
    """Return the files of a kind at any depth, in the order of their paths."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.name.lower().endswith(SUFFIXES[kind]) and not path.is_dir()
    )


def stem(name: str, kind: str) -> str:
    """Return a name or path without its suffix of a kind."""
    # Of two that fit the longer: .cif.gz ends with no other of them, .gz is none.
    found = next(suffix for suffix in SUFFIXES[kind] if name.lower().endswith(suffix))
    return name[: -len(found)]
