"""Untrained networks of the models' architectures, in the file formats of the trained ones.

Each module builds them with the model's own package, inside its environment. What it writes
is loaded by the wrapper exactly as the trained file is.
"""

from __future__ import annotations

import importlib
from pathlib import Path

from matteralign.core.errors import UserError
from matteralign.core.suggest import unknown
from matteralign.registry.card import ModelCard
from matteralign.registry.stand_in import stand_in_of

_BUILDERS = {
    "chat": "matteralign.models.architectures.text.chat",
    "esm2": "matteralign.models.architectures.esm2",
    "esm3": "matteralign.models.architectures.esm3",
    "esm_if1": "matteralign.models.architectures.esm_if1",
    "esmc": "matteralign.models.architectures.esmc",
    "fairchem1": "matteralign.models.architectures.fairchem1",
    "geom2vec": "matteralign.models.architectures.geom2vec",
    "language": "matteralign.models.architectures.text.language",
    "mace": "matteralign.models.architectures.mace",
    "orb": "matteralign.models.architectures.orb",
    "pet": "matteralign.models.architectures.pet",
    "prostt5": "matteralign.models.architectures.prostt5",
    "uma": "matteralign.models.architectures.uma",
}


def build_architecture(card: ModelCard, folder: Path) -> None:
    """Write every checkpoint file of a card below `folder`, with seeded initial weights.

    Raises
    ------
    UserError
        If the card does not say how, or its wrapper has no builder.
    """
    stand_in = stand_in_of(card)
    if card.wrapper not in _BUILDERS:
        raise UserError(f"model {card.key}: " + unknown("architecture of", card.wrapper, _BUILDERS))
    importlib.import_module(_BUILDERS[card.wrapper]).build(card, stand_in, folder)
