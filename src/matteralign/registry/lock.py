"""A user's lock of weights: the hash of every file as it was downloaded, enforced afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import yaml
from pydantic import Field

from matteralign.core.errors import UserError
from matteralign.core.files import write_text
from matteralign.core.strict_yaml import read_yaml_file
from matteralign.core.suggest import require_known
from matteralign.core.validation import validated
from matteralign.registry.card import Key, ModelCard
from matteralign.registry.pinned import PinnedFile, Sha256, Strict

_HEAD = "# Written by `matteralign weights pin`. Files with other hashes are refused.\n"


class LockedFile(Strict):
    """One file of a model's weights, as it was seen."""

    model: Key
    file: str
    sha256: Sha256
    size: int = Field(gt=0, description="bytes")
    source: str = Field(description="where the card says that it comes from")
    date: str = Field(description="day on which it was pinned, as 2026-01-31")


class WeightsLock(Strict):
    """The whole file."""

    files: list[LockedFile] = []


def read_lock(path: Path) -> WeightsLock:
    """Read a lock.

    Raises
    ------
    UserError
        If it is not there, or not a lock; one line for each field that is wrong.
    """
    if not path.is_file():
        raise UserError(f"{path}: there is no such lock of weights")
    lock = validated(WeightsLock, read_yaml_file(path), path)
    seen = [(entry.model, entry.file) for entry in lock.files]
    twice = {pair for pair in seen if seen.count(pair) > 1}
    if twice:
        model, file = min(twice)
        raise UserError(f"{path}: {file} of {model} is there twice; delete one entry")
    return lock


def write_lock(path: Path, entries: Iterable[LockedFile]) -> None:
    """Write a lock, sorted by model and file."""
    files = sorted(entries, key=lambda entry: (entry.model, entry.file))
    values = {"files": [entry.model_dump(mode="json") for entry in files]}
    text = yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=200)
    write_text(path, _HEAD + text)


def with_lock(cards: Mapping[str, ModelCard], path: Path) -> dict[str, ModelCard]:
    """Return the cards with the hashes of a lock, which decide no identity.

    A file that several models share is locked for all of them.

    Raises
    ------
    UserError
        If the lock names a model or file that there is not, or contradicts a card or itself.
    """
    locked: dict[str, LockedFile] = {}
    for entry in read_lock(path).files:
        require_known("model", entry.model, cards, f"{path}: ")
        files = {pinned.name: pinned for pinned in cards[entry.model].checkpoint.files}
        require_known("file", entry.file, files, f"{path}: {entry.model}: ")
        pinned = files[entry.file]
        before = locked.get(pinned.origin())
        for other in (pinned.sha256, before and before.sha256):
            if other not in (None, entry.sha256):
                raise UserError(
                    f"{path}: {entry.file} of {entry.model} is locked with sha256 "
                    f"{entry.sha256}, pinned elsewhere with {other}: they are of different "
                    "releases; delete the entry that is wrong"
                )
        sizes = (("its card", pinned.size), ("another entry", before and before.size))
        for whose, size in sizes:
            if size not in (None, entry.size):
                raise UserError(
                    f"{path}: {entry.file} of {entry.model} is locked with size {entry.size}, "
                    f"{whose} has {size}; correct the size that is wrong"
                )
        locked[pinned.origin()] = entry

    def kept(pinned: PinnedFile) -> PinnedFile:
        entry = locked.get(pinned.origin())
        if entry is None:
            return pinned
        if pinned.sha256 is not None:
            return pinned.model_copy(update={"size": pinned.size or entry.size})
        return pinned.model_copy(update={"locked": entry.sha256, "locked_size": entry.size})

    made = {}
    for key, card in cards.items():
        update = {"files": [kept(pinned) for pinned in card.checkpoint.files]}
        checkpoint = card.checkpoint.model_copy(update=update)
        made[key] = card.model_copy(update={"checkpoint": checkpoint})
    return made
