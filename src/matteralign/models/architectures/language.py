"""Language models without weights: the folder that ``AutoModel`` and its tokeniser load."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import GPTNeoConfig, GPTNeoForCausalLM, RobertaConfig, RobertaForMaskedLM

from matteralign.core.errors import UserError
from matteralign.core.suggest import unknown
from matteralign.models.architectures.checkpoints import save_network
from matteralign.models.architectures.vocabularies import selfies_vocabulary, smiles_vocabulary
from matteralign.registry.card import ModelCard, StandIn

_NETWORKS: Mapping[str, Any] = {
    "gpt-neo": (GPTNeoConfig, GPTNeoForCausalLM),
    "roberta": (RobertaConfig, RobertaForMaskedLM),
}
_MARKS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")


def build(card: ModelCard, stand_in: StandIn, folder: Path) -> None:
    """Save an untrained network with its head, and a tokeniser of the same kind.

    Options
    -------
    network
        ``roberta`` or ``gpt-neo``.
    config
        What its configuration is told; the size of the vocabulary is the tokeniser's.
    """
    name = str(stand_in.options.get("network"))
    if name not in _NETWORKS:
        raise UserError(f"card {card.key}: " + unknown("network", name, _NETWORKS))
    if card.accepts.needs == "selfies":
        words = selfies_vocabulary(folder)
    else:
        words = smiles_vocabulary(folder, _MARKS)
    config_class, model_class = _NETWORKS[name]
    torch.manual_seed(stand_in.seed)
    model = model_class(config_class(vocab_size=words, **stand_in.options["config"]))
    save_network(model, folder, [f.name for f in card.checkpoint.files])
