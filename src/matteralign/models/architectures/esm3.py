"""ESM3 networks without weights: the state dicts that the package esm loads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from esm.models.vqvae import StructureTokenEncoder

from matteralign.models.base.torch_setup import count_parameters
from matteralign.models.families.proteins.esm3 import NETWORK, STRUCTURE_ENCODER, build_esm3
from matteralign.models.families.proteins.esmc import HEAD_WIDTH
from matteralign.registry.card import ModelCard, StandIn
from matteralign.registry.stand_in import check_options

_FULL = {"d_model": 1536, "n_heads": 24, "v_heads": 256, "n_layers": 48}
_FULL_ENCODER = {
    "d_model": 1024, "n_heads": 1, "v_heads": 128, "n_layers": 2, "d_out": 128, "n_codes": 4096,
}  # fmt: skip

_SIZES = ("layers", "width", "vector_heads")
_ENCODER_SIZES = ("encoder_width", "encoder_heads")


def build(card: ModelCard, stand_in: StandIn, folder: Path) -> None:
    """Save an untrained network, and the structure encoder where the card has its file.

    Options
    -------
    layers, width, vector_heads
        Of the network.
    encoder_width, encoder_heads
        Of the structure encoder, which has two layers and 4,096 codes of 16 numbers.
    """
    options: dict[str, Any] = stand_in.options
    with_encoder = any(pinned.name == STRUCTURE_ENCODER for pinned in card.checkpoint.files)
    needed = (*_SIZES, *_ENCODER_SIZES) if with_encoder else _SIZES
    check_options(options, (*_SIZES, *_ENCODER_SIZES), needed)
    width = int(options["width"])
    sizes = {
        "d_model": width,
        "n_heads": width // HEAD_WIDTH,
        "v_heads": int(options["vector_heads"]),
        "n_layers": int(options["layers"]),
    }
    torch.manual_seed(stand_in.seed)
    torch.save(build_esm3(sizes, None).state_dict(), folder / NETWORK)
    if with_encoder:
        encoder = StructureTokenEncoder(
            d_model=int(options["encoder_width"]),
            n_heads=1,
            v_heads=int(options["encoder_heads"]),
            n_layers=2,
            d_out=16,
            n_codes=4096,
        )
        torch.save(encoder.state_dict(), folder / STRUCTURE_ENCODER)


def full_size(stand_in: StandIn) -> int:
    """Return the number of parameters of the published network, and of its structure encoder."""
    with torch.device("meta"):
        count = count_parameters(build_esm3(_FULL, None))
        if "encoder_width" in stand_in.options:
            count += count_parameters(StructureTokenEncoder(**_FULL_ENCODER))
    return count
