"""ESMC networks without weights: the state dict that the package esm loads."""

from __future__ import annotations

from pathlib import Path

import torch

from matteralign.models.esmc import HEAD_WIDTH, build_esmc
from matteralign.registry.card import ModelCard, StandIn


def build(card: ModelCard, stand_in: StandIn, folder: Path) -> None:
    """Save an untrained network of ``options.layers`` layers and ``options.width`` channels."""
    width, layers = int(stand_in.options["width"]), int(stand_in.options["layers"])
    torch.manual_seed(stand_in.seed)
    model = build_esmc({"d_model": width, "n_heads": width // HEAD_WIDTH, "n_layers": layers})
    (pinned,) = card.checkpoint.files
    torch.save(model.state_dict(), folder / pinned.name)
