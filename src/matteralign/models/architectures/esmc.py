"""ESMC networks without weights: the state dict that the package esm loads."""

from __future__ import annotations

from pathlib import Path

import torch

from matteralign.models.base.torch_setup import count_parameters
from matteralign.models.families.proteins.esmc import HEAD_WIDTH, build_esmc
from matteralign.registry.card import ModelCard, StandIn
from matteralign.registry.stand_in import check_options

_FULL = {
    "600M": {"d_model": 1152, "n_heads": 18, "n_layers": 36},
    "300M": {"d_model": 960, "n_heads": 15, "n_layers": 30},
}


def build(card: ModelCard, stand_in: StandIn, folder: Path) -> None:
    """Save an untrained network.

    Options
    -------
    network
        Which published network it stands in for: ``600M`` or ``300M``.
    layers, width
        Of the transformer.
    """
    check_options(stand_in.options, ("network", "layers", "width"), needed=("layers", "width"))
    width, layers = int(stand_in.options["width"]), int(stand_in.options["layers"])
    torch.manual_seed(stand_in.seed)
    model = build_esmc({"d_model": width, "n_heads": width // HEAD_WIDTH, "n_layers": layers})
    (pinned,) = card.checkpoint.files
    torch.save(model.state_dict(), folder / pinned.name)


def full_size(stand_in: StandIn) -> int:
    """Return the number of parameters of the published network."""
    with torch.device("meta"):
        return count_parameters(build_esmc(_FULL[stand_in.options["network"]]))
