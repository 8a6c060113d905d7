"""Which models of a slice's panel can read what its dataset offers, and why others cannot."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from matteralign.config.slices import Selection, Slice
from matteralign.core.errors import UserError
from matteralign.core.suggest import require_known
from matteralign.datasets.base.offers import Offers
from matteralign.registry.card import ModelCard
from matteralign.registry.load import get_card

_ALL = Selection()

# What the conditions of a selection compare with.
_TAGS: Mapping[str, Callable[[ModelCard], list[str]]] = {
    "family": lambda card: [card.family],
    "modality": lambda card: [card.modality],
    "embedding": lambda card: [card.embedding],
    "environment": lambda card: [card.environment],
    "group": lambda card: [card.group or card.family],
    "functional": lambda card: [card.functional],
    "training": lambda card: card.training_sets,
}

_HAVE = {
    "atoms": "atoms",
    "positions": "coordinates",
    "smiles": "SMILES",
    "selfies": "SELFIES",
    "sequence": "protein sequences",
    "backbone": "protein backbones",
}


@dataclass(frozen=True)
class Choice:
    """One model and whether it is on a panel.

    Attributes
    ----------
    card
        The model.
    chosen
        Whether it is on the panel.
    reason
        Why it is left out; of a model that was asked for by key, why it will take few rows,
        or none where `keys` of a selection insists on it; None: nothing speaks against it.
    note
        How it reads this dataset, where it could read it in several ways.
    """

    card: ModelCard
    chosen: bool
    reason: str | None = None
    note: str | None = None


def choose(chosen: Slice, cards: Mapping[str, ModelCard], offers: Offers) -> list[Choice]:
    """Decide for every known model whether it is on a slice's panel, lowest index first.

    A panel given as a list of keys is taken as it is, where each of them can read something of
    the dataset. A selection has the models that meet its conditions and can read what the
    dataset offers: what their cards need, and at least ``min_coverage`` of its elements; and
    those of its ``keys``, whatever the dataset offers. Of a selection of ``keys`` alone, those
    are the panel.

    Raises
    ------
    UserError
        If a key or a tag does not exist, with the nearest that does; a model of the list can
        take no row, with the reason; or fewer than two models are left.
    """
    offers = offers.filtered(chosen.filters)
    asked, selection = _asked(chosen, cards)
    check_tags(selection, cards.values())
    listed = isinstance(chosen.panel, list) or selection.keys_alone
    choices = []
    for card in cards.values():
        unfit = _unfit(card, offers, chosen.min_coverage)
        if card.key in asked:
            if isinstance(chosen.panel, list) and _takes_nothing(card, offers):
                raise UserError(
                    f"panel: model {card.key!r} {unfit} (rows of {chosen.dataset!r} have "
                    f"{_told(offers.gives)}); take it off the list, or insist with "
                    "`panel: {keys: [...]}`"
                )
            choices.append(Choice(card, True, unfit, _note(card, offers)))
            continue
        reason = "not on the list of the panel" if listed else None
        reason = reason or _unselected(card, selection) or unfit
        choices.append(Choice(card, reason is None, reason, _note(card, offers)))
    if sum(choice.chosen for choice in choices) < 2:
        raise UserError(
            f"the panel has {sum(choice.chosen for choice in choices)} models, a comparison "
            f"needs two; on dataset {chosen.dataset!r} rows have {_told(offers.gives)}"
        )
    return sorted(choices, key=lambda choice: choice.card.index)


def select(models: str | list[str] | Selection, cards: Mapping[str, ModelCard]) -> list[str]:
    """Return the keys that a choice of models takes of some cards, lowest index first.

    Parameters
    ----------
    models
        ``all``, keys, or a selection. Keys are taken whatever its conditions say.

    Raises
    ------
    UserError
        If a key or a tag does not exist, with the nearest that does.
    """
    if isinstance(models, list):
        models = Selection(keys=models)
    selection = _ALL if isinstance(models, str) else models
    for key in (*selection.keys, *selection.exclude):
        get_card(key, cards)
    check_tags(selection, cards.values(), "models")
    taken = [
        card
        for card in cards.values()
        if card.key in selection.keys or not (selection.keys_alone or _unselected(card, selection))
    ]
    return [card.key for card in sorted(taken, key=lambda card: card.index)]


def check_tags(selection: Selection, cards: Iterable[ModelCard], where: str = "panel") -> None:
    """Refuse values that no card has.

    Parameters
    ----------
    where
        The section in which the selection stands, for the message.

    Raises
    ------
    UserError
        With the nearest value that a card has.
    """
    known = list(cards)
    for name, tags in _TAGS.items():
        values = {tag for card in known for tag in tags(card)}
        for value in getattr(selection, name):
            require_known(name, value, values, f"{where}.{name}: ")


def _asked(chosen: Slice, cards: Mapping[str, ModelCard]) -> tuple[set[str], Selection]:
    """Return the keys that are on the panel in any case, and the selection of the others."""
    if isinstance(chosen.panel, list):
        keys, selection = chosen.panel, _ALL
    else:
        selection = _ALL if chosen.panel == "all" else chosen.panel
        keys = selection.keys
    for key in (*keys, *selection.exclude):
        get_card(key, cards)
    return set(keys), selection


def _unselected(card: ModelCard, selection: Selection) -> str | None:
    if card.key in selection.exclude:
        return "excluded by the panel"
    if selection.study is not None and selection.study != (card.study_row is not None):
        return "no row of the study" if selection.study else "a row of the study"
    for name, tags in _TAGS.items():
        wanted = getattr(selection, name)
        if wanted and not set(wanted) & set(tags(card)):
            return f"{name} is {' and '.join(tags(card)) or 'nothing'}"
    return None


def _unfit(card: ModelCard, offers: Offers, min_coverage: float) -> str | None:
    """Return why a model cannot read a dataset, or None when it can."""
    missing = needs(card) - offers.gives
    if missing:
        return f"reads {_told(missing)}, of which the dataset has none"
    known = card.accepts.element_set()
    if known is not None and offers.elements:
        both = len(known & offers.elements)
        if both < min_coverage * len(offers.elements) or not both:
            return f"knows {both} of the dataset's {len(offers.elements)} elements"
    return None


def _takes_nothing(card: ModelCard, offers: Offers) -> bool:
    known = card.accepts.element_set()
    foreign = known is not None and offers.elements and not known & offers.elements
    return bool(needs(card) - offers.gives or foreign)


def needs(card: ModelCard) -> frozenset[str]:
    """Return what a structure must have for a model, in the words of `Offers.gives`."""
    if card.accepts.needs == "nothing":
        return frozenset()
    if card.accepts.needs != "text":
        return frozenset({card.accepts.needs})
    from matteralign.models.prompts import FIELDS, read_prompt

    return frozenset(FIELDS[name].needs for name in read_prompt(card).fields())


def _note(card: ModelCard, offers: Offers) -> str | None:
    tasks = card.options.get("tasks")
    if not isinstance(tasks, Mapping) or offers.periodic is None:
        return None
    return f"task {tasks.get('periodic' if offers.periodic else 'molecule')}"


def _told(names: Iterable[str]) -> str:
    return ", ".join(sorted(_HAVE[name] for name in names)) or "nothing"
