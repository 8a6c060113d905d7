"""ESM-IF1 networks without weights: the file that fair-esm loads."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

import torch

from matteralign.models.base.torch_setup import count_parameters
from matteralign.models.families.proteins.fair_esm import esm
from matteralign.registry.card import ModelCard, StandIn
from matteralign.registry.stand_in import check_options

_FULL = {
    "layers": 8, "width": 512, "hidden": 2048, "heads": 8, "scalars": 1024, "vectors": 256,
    "neighbours": 30,
}  # fmt: skip
_FIXED = {
    "arch": "invariant_gvp",
    "dropout": 0.1,
    "attention_dropout": 0.1,
    "gvp_dropout": 0.1,
    "gvp_edge_hidden_dim_scalar": 32,
    "gvp_edge_hidden_dim_vector": 1,
    "gvp_num_encoder_layers": 4,
}


def network_arguments(options: dict[str, Any]) -> Namespace:
    """Return the arguments that fair-esm reads a network from.

    Options
    -------
    layers, width, hidden, heads
        Of the transformer's encoder and of its decoder.
    scalars, vectors
        Channels of the four message-passing layers before it.
    neighbours
        Of a residue in the graph.
    """
    check_options(options, _FULL, needed=_FULL)
    both = {
        "layers": "layers", "width": "embed_dim", "hidden": "ffn_embed_dim",
        "heads": "attention_heads",
    }  # fmt: skip
    sides = {
        f"{side}_{name}": int(options[option])
        for side in ("encoder", "decoder")
        for option, name in both.items()
    }
    return Namespace(
        **_FIXED,
        **sides,
        gvp_node_hidden_dim_scalar=int(options["scalars"]),
        gvp_node_hidden_dim_vector=int(options["vectors"]),
        gvp_top_k_neighbors=int(options["neighbours"]),
    )


def build(card: ModelCard, stand_in: StandIn, folder: Path) -> None:
    """Save an untrained network; see `network_arguments` for the options of `stand_in`."""
    arguments = network_arguments(stand_in.options)
    torch.manual_seed(stand_in.seed)
    model = _network(arguments)
    tensors = model.state_dict()
    for name in tensors:
        # Only its type is ever read; the package leaves it as it was in memory.
        if name.endswith("_float_tensor"):
            tensors[name].zero_()
    (pinned,) = card.checkpoint.files
    torch.save({"args": arguments, "model": tensors}, folder / pinned.name)


def full_size(_: StandIn) -> int:
    """Return the number of parameters of the published network."""
    with torch.device("meta"):
        return count_parameters(_network(network_arguments(_FULL)))


def _network(arguments: Namespace) -> Any:
    alphabet = esm.data.Alphabet.from_architecture(arguments.arch)
    return esm.inverse_folding.gvp_transformer.GVPTransformerModel(arguments, alphabet)
