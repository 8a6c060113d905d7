"""Build the untrained network of a card, once, in the environment of its family."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock

from matteralign.core.files import read_record, write_json
from matteralign.core.paths import cache_root
from matteralign.registry.card import ModelCard
from matteralign.registry.stand_in import stand_in_key, untrained_card
from matteralign.sources.cache import adopt, cached_path
from matteralign.stages.runtime.launch import run_worker


def build_stand_in(card: ModelCard, report: Callable[[str], None]) -> ModelCard:
    """Return the card as it runs on its untrained network, building that when it is not there.

    The worker builds it with the model's package, loads it by the wrapper's own code and
    counts its parameters, before the files enter the cache.

    Raises
    ------
    UserError
        If the card does not say how.
    MatterAlignError
        If the network could not be built, or is not what the card says.
    """
    path = _record(card)
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{path}.lock"):
        files = built_files(card)
        if files is None:
            files = _build(card, path, report)
    return untrained_card(card, files)


def built_files(card: ModelCard) -> Mapping[str, Mapping[str, Any]] | None:
    """Return hash and size of each untrained file by name, or None when they are not there."""
    if card.checkpoint.stand_in is None or not _record(card).exists():
        return None
    files: Mapping[str, Mapping[str, Any]] = read_record(_record(card), ("files",))["files"]
    there = all(cached_path(f).exists() for f in untrained_card(card, files).checkpoint.files)
    return files if there else None


def _build(
    card: ModelCard, path: Path, report: Callable[[str], None]
) -> Mapping[str, Mapping[str, Any]]:
    report(f"building an untrained network for {card.key}")
    with tempfile.TemporaryDirectory(dir=path.parent, prefix="building-") as folder:
        where = Path(folder)
        result = where / "record.json"
        run_worker(
            "architecture",
            card,
            files={},
            threads=1,
            device="cpu",
            report=report,
            folder=where,
            result=result,
        )
        files: Mapping[str, Mapping[str, Any]] = read_record(result, ("files",))["files"]
        _keep(card, where, files)
    return files


def keep_built(card: ModelCard, folder: Path, files: Mapping[str, Mapping[str, Any]]) -> None:
    """Move the untrained files of a card, built and tried elsewhere, into the cache.

    Parameters
    ----------
    folder
        Where they lie under the names of the card.
    files
        ``sha256`` and ``size`` of each by name.
    """
    path = _record(card)
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{path}.lock"):
        if built_files(card) is None:
            _keep(card, folder, files)


def _keep(card: ModelCard, folder: Path, files: Mapping[str, Mapping[str, Any]]) -> None:
    for pinned in card.checkpoint.files:
        adopt(folder / pinned.name, pinned)
    write_json(_record(card), {"model": card.key, "files": files})


def _record(card: ModelCard) -> Path:
    return cache_root() / "architectures" / f"{stand_in_key(card)}.json"
