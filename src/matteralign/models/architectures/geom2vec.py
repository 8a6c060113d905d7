"""Geom2Vec's ViSNet without weights: the state dict that its authors save."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from matteralign.models.base.torch_setup import count_parameters
from matteralign.models.families.atoms.geom2vec import PREFIX, visnet
from matteralign.registry.card import ModelCard, StandIn
from matteralign.registry.stand_in import check_options

# What ``visnet_l6_h256_rbf64_r75`` says of itself.
_FULL: dict[str, Any] = {"channels": 256, "layers": 6, "radial": 64, "cutoff": 7.5}


def build(card: ModelCard, stand_in: StandIn, folder: Path) -> None:
    """Save an untrained network; `channels` and `layers` may be fewer than the published one's.

    Raises
    ------
    UserError
        For an unknown option.
    """
    check_options(stand_in.options, _FULL)
    torch.manual_seed(stand_in.seed)
    model = visnet(**{**_FULL, **stand_in.options})
    state = {PREFIX + name: value for name, value in model.state_dict().items()}
    (pinned,) = card.checkpoint.files
    torch.save(state, folder / pinned.name)


def full_size(stand_in: StandIn) -> int:
    """Return the number of parameters of the published network, its pretraining head apart."""
    return count_parameters(visnet(**_FULL))
