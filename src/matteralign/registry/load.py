"""Find, read and check the model cards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

from matteralign.core.errors import MatterAlignError, UserError
from matteralign.core.strict_yaml import read_yaml_file
from matteralign.core.suggest import require_known, unknown
from matteralign.core.validation import validated
from matteralign.registry.card import ModelCard
from matteralign.registry.prompt_files import with_prompt_file

BUILTIN = Path(__file__).parent / "cards"
STUDY_ROWS = 59
"""Rows of Table 1 of the study."""
FIRST_OWN = 900
"""Indices from here on are for cards outside the package, which so never meet new ones in it."""


def load_cards(folders: Sequence[Path] = ()) -> dict[str, ModelCard]:
    """Return every card by key, in the order of their indices.

    Parameters
    ----------
    folders
        Further folders of cards, besides those that come with the package.

    Raises
    ------
    UserError
        If a card is not valid, names a row of the study that there is not, or two cards share
        a key, an index or a row; the message names the files, and the next free index or the
        nearest row where that helps.
    """
    return dict(_load(tuple(Path(f) for f in folders)))


def get_card(key: str, cards: Mapping[str, ModelCard]) -> ModelCard:
    """Return one card.

    Raises
    ------
    UserError
        If there is no such model; the message offers the nearest key.
    """
    require_known("model", key, cards)
    return cards[key]


@cache
def _load(folders: tuple[Path, ...]) -> Mapping[str, ModelCard]:
    cards: dict[str, ModelCard] = {}
    origin: dict[str, Path] = {}
    by_index: dict[int, str] = {}
    by_row: dict[str, str] = {}
    for path in _card_files((BUILTIN, *folders)):
        card = read_card(path)
        if card.key in cards:
            raise UserError(f"{path}: key {card.key!r} is already taken by {origin[card.key]}")
        if card.index in by_index:
            free = next_index(cards.values(), own=BUILTIN not in path.parents)
            raise UserError(
                f"{path}: index {card.index} is already taken by "
                f"{origin[by_index[card.index]]}; the next free index is {free}"
            )
        if card.study_row is not None:
            own = BUILTIN not in path.parents
            _check_row(path, card.study_row, {r: origin[k] for r, k in by_row.items()}, own)
            by_row[card.study_row] = card.key
        cards[card.key], origin[card.key], by_index[card.index] = card, path, card.key
    return dict(sorted(cards.items(), key=lambda item: item[1].index))


def _check_row(path: Path, row: str, taken: Mapping[str, Path], own: bool) -> None:
    """Refuse a row of the study that has a card already, or that only a user's card knows.

    The cards of the package are read first and hold every row.
    """
    if row in taken:
        raise UserError(
            f"{path}: study_row {row!r} is already the row of {taken[row]}; leave study_row out"
        )
    if own:
        raise UserError(f"{path}: {unknown('study_row', row, taken)} (leave it out of an extra)")


def _card_files(folders: Iterable[Path]) -> list[Path]:
    files: list[Path] = []
    for folder in folders:
        if not folder.is_dir():
            raise UserError(f"{folder}: folder of model cards does not exist")
        files += sorted(folder.rglob("*.yaml"))
    return files


def next_index(cards: Iterable[ModelCard], *, own: bool) -> int:
    """Return the next free index, for a card of the user's own or one of the package.

    Raises
    ------
    MatterAlignError
        If the package has no index left below those of users' cards.
    """
    taken = [card.index for card in cards if own or card.index < FIRST_OWN]
    free = max([*taken, FIRST_OWN - 1 if own else -1]) + 1
    if not own and free >= FIRST_OWN:
        raise MatterAlignError(f"indices below {FIRST_OWN} are used up")
    return free


def read_card(path: Path) -> ModelCard:
    """Read and validate one card file.

    Raises
    ------
    UserError
        If the file is not YAML, a field is missing, unknown or of the wrong kind, or a file that
        it names in `prompts` is not there.
    """
    raw = read_yaml_file(path, shipped=BUILTIN in path.parents)
    if not isinstance(raw, dict):
        found = "an empty file" if raw is None else f"a {type(raw).__name__}"
        raise UserError(f"{path}: a card is a mapping of fields, found {found}")
    return with_prompt_file(validated(ModelCard, raw, path), path)
