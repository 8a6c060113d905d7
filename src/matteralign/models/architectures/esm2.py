"""ESM2 networks without weights: the two files that fair-esm loads."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import torch

from matteralign.models.base.torch_setup import count_parameters
from matteralign.models.families.proteins.fair_esm import esm
from matteralign.registry.card import ModelCard, StandIn
from matteralign.registry.stand_in import check_options

_FULL = {"650M": (33, 1280, 20), "150M": (30, 640, 20), "8M": (6, 320, 20)}
"""Layers, width and heads of the published networks."""
_CONTACTS = "contact_head.regression"


def build(card: ModelCard, stand_in: StandIn, folder: Path) -> None:
    """Save an untrained network under the names and with the keys of the published files.

    Options
    -------
    network
        Which published network it stands in for: ``650M``, ``150M`` or ``8M``.
    layers, width, heads
        Of the transformer.
    """
    sizes = ("layers", "width", "heads")
    check_options(stand_in.options, (*sizes, "network"), needed=sizes)
    layers, width, heads = (int(stand_in.options[name]) for name in sizes)
    torch.manual_seed(stand_in.seed)
    model = esm.ESM2(num_layers=layers, embed_dim=width, attention_heads=heads)
    tensors = model.state_dict()
    contacts = {name: tensors.pop(name) for name in list(tensors) if name.startswith(_CONTACTS)}
    main, regression = sorted((f.name for f in card.checkpoint.files), key=len)
    config = Namespace(
        encoder_layers=layers,
        encoder_embed_dim=width,
        encoder_attention_heads=heads,
        token_dropout=True,
    )
    torch.save(
        {"cfg": {"model": config}, "model": {_published(n): t for n, t in tensors.items()}},
        folder / main,
    )
    torch.save({"model": contacts}, folder / regression)


def full_size(stand_in: StandIn) -> int:
    """Return the number of parameters of the published network."""
    layers, width, heads = _FULL[stand_in.options["network"]]
    with torch.device("meta"):
        return count_parameters(esm.ESM2(layers, width, heads))


def _published(name: str) -> str:
    if name.startswith("contact_head"):
        return name
    return f"encoder.{name}" if name.startswith("lm_head") else f"encoder.sentence_encoder.{name}"
