"""Orb networks without weights: the state dict that orb-models loads."""

from __future__ import annotations

from pathlib import Path

import torch
from orb_models.forcefield.pretrained import (
    orb_v2_architecture,
    orb_v3_conservative_architecture,
    orb_v3_direct_architecture,
)

from matteralign.core.errors import UserError
from matteralign.core.suggest import unknown
from matteralign.registry.card import ModelCard, StandIn

_ARCHITECTURES = {
    "orb-v2": orb_v2_architecture,
    "orb-v3-conservative": orb_v3_conservative_architecture,
    "orb-v3-direct": orb_v3_direct_architecture,
}


def build(card: ModelCard, stand_in: StandIn, folder: Path) -> None:
    """Save an untrained network; ``options.network`` of `stand_in` names it.

    It is as large as the trained one: the package loads no other size under the model's name.
    """
    name = str(stand_in.options.get("network"))
    if name not in _ARCHITECTURES:
        raise UserError(f"card {card.key}: " + unknown("network of Orb", name, _ARCHITECTURES))
    torch.manual_seed(stand_in.seed)
    model = _ARCHITECTURES[name](device="cpu")
    (pinned,) = card.checkpoint.files
    torch.save(model.state_dict(), folder / pinned.name)
