"""Write model cards: what they say of a file, the text, the place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from matteralign.core.errors import MatterAlignError, UserError
from matteralign.core.files import write_text
from matteralign.core.hashing import sha256_file
from matteralign.registry.card import ModelCard
from matteralign.registry.load import read_card


def pinned_file(path: Path, name: str | None = None, url: str | None = None) -> dict[str, Any]:
    """Return what a card says of a file on this machine: its name, hash, size and source.

    Parameters
    ----------
    name
        As the wrapper calls it; else the file's own.
    url
        Where others get it; the file itself is a source either way.

    Raises
    ------
    UserError
        If there is no such file, or it is empty.
    """
    if not path.is_file():
        raise UserError(f"{path}: there is no such checkpoint file")
    if not path.stat().st_size:
        raise UserError(
            f"{path}: is empty (0 bytes): a copy or download that did not finish; get it again"
        )
    sources = [*([] if url is None else [{"url": url}]), {"url": path.resolve().as_uri()}]
    return {
        "name": name or path.name,
        "sha256": sha256_file(path),
        "size": path.stat().st_size,
        "sources": sources,
    }


def write_card(card: ModelCard, folder: Path) -> Path:
    """Write a card as ``<key>.yaml`` and return its path.

    Raises
    ------
    UserError
        If the file is there already.
    """
    path = folder / f"{card.key}.yaml"
    if path.exists():
        raise UserError(f"{path}: there is a card of this name; choose another key or edit it")
    fields = card.model_dump(mode="json", exclude_defaults=True)
    write_text(path, yaml.safe_dump(fields, sort_keys=False, allow_unicode=True, width=96))
    if read_card(path) != card:
        raise MatterAlignError(f"{path}: the card does not read back as it was written")
    return path
