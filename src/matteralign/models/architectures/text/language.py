"""Language models without weights: the folder that ``AutoModel`` and its tokeniser load."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from matteralign.core.errors import UserError
from matteralign.core.suggest import unknown
from matteralign.models.architectures.checkpoints import Tensors, save_network
from matteralign.models.architectures.text.molformer import write_code
from matteralign.models.architectures.text.vocabularies import selfies_vocabulary, smiles_vocabulary
from matteralign.registry.card import ModelCard, StandIn

_OWN_CODE = "matteralign.models.architectures.text.molformer.modeling_molformer"
_NETWORKS: Mapping[str, tuple[str, str, str]] = {
    "gpt-neo": ("transformers", "GPTNeoConfig", "GPTNeoForCausalLM"),
    "molformer": (_OWN_CODE, "MolformerConfig", "MolformerForMaskedLM"),
    "roberta": ("transformers", "RobertaConfig", "RobertaForMaskedLM"),
}
# Padding, unknown, first and last token.
_MARKS = {
    "molformer": ("<pad>", "<unk>", "<bos>", "<eos>"),
    "roberta": ("[PAD]", "[UNK]", "[CLS]", "[SEP]"),
}


def build(card: ModelCard, stand_in: StandIn, folder: Path) -> None:
    """Save an untrained network with its head, and a tokeniser of the same kind.

    Options
    -------
    network
        ``roberta``, ``gpt-neo`` or ``molformer``, whose folder has Python files as well.
    config
        What its configuration is told; the size of the vocabulary is the tokeniser's.
    """
    name = str(stand_in.options.get("network"))
    if name not in _NETWORKS:
        raise UserError(f"card {card.key}: " + unknown("network", name, _NETWORKS))
    if card.accepts.needs == "selfies":
        words = selfies_vocabulary(folder)
    else:
        words = smiles_vocabulary(folder, _MARKS[name])
    place, config, network = _NETWORKS[name]
    module = importlib.import_module(place)
    torch.manual_seed(stand_in.seed)
    made = getattr(module, config)(vocab_size=words, **stand_in.options["config"])
    names = [f.name for f in card.checkpoint.files]

    def with_code(tensors: Tensors, config: dict[str, Any]) -> Tensors:
        if place == _OWN_CODE:
            write_code(folder, config)
        return tensors

    save_network(getattr(module, network)(made), folder, names, with_code)
