"""ESMC protein language models through the package esm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from esm.models.esmc import ESMC
from esm.pretrained import register_local_model
from esm.tokenization import get_esmc_model_tokenizers
from esm.utils.constants.esm3 import SEQUENCE_VOCAB

from matteralign.models.base.torch_setup import count_parameters
from matteralign.models.base.wrapper import Embedded
from matteralign.models.families.proteins.chains import ChainWrapper, mean_over_residues
from matteralign.registry.card import ModelCard
from matteralign.store.structures import Structure

HEAD_WIDTH = 64
"""Channels per attention head in every published network of this package."""


def network_sizes(tensors: Mapping[str, torch.Tensor]) -> dict[str, int]:
    """Return width, heads and layers of a transformer stack from its tensors."""
    width = tensors["transformer.norm.weight"].shape[0]
    blocks = {n.split(".")[2] for n in tensors if n.startswith("transformer.blocks.")}
    return {"d_model": width, "n_heads": width // HEAD_WIDTH, "n_layers": len(blocks)}


def build_esmc(sizes: Mapping[str, int]) -> ESMC:
    """Return a network with initial weights."""
    return ESMC(**sizes, tokenizer=get_esmc_model_tokenizers(), use_flash_attn=False)


class EsmcWrapper(ChainWrapper):
    """``embeddings`` of the last layer, which this package gives after its final norm.

    The network is built as large as the file says and read from it through
    ``ESMC.from_pretrained``, in float32 on every device; the package itself would round to
    bfloat16 on a GPU. X, B, U, Z and O have tokens of their own.
    """

    family: ClassVar[str] = "esmc"

    def __init__(self, card: ModelCard, files: Mapping[str, Path], device: str) -> None:
        super().__init__(card, files, device)
        register_local_model(card.key, self._build)
        self._model: Any = ESMC.from_pretrained(card.key, device=torch.device("cpu"))
        self._model.to(device).eval().requires_grad_(False)

    def _build(self, device: Any) -> ESMC:
        tensors = torch.load(self.file(), map_location=device, weights_only=True)
        model = build_esmc(network_sizes(tensors))
        model.load_state_dict(tensors)
        return model

    def n_parameters(self) -> int:
        return count_parameters(self._model)

    def packages(self) -> list[str]:
        return ["numpy", "torch", "esm", "transformers", "tokenizers"]

    def letters(self) -> frozenset[str]:
        return residue_letters()

    def embed(self, batch: Sequence[Structure]) -> Embedded:
        with torch.no_grad():
            tokens = self._model._tokenize([s.sequence for s in batch])
            found = self._model(sequence_tokens=tokens).embeddings
        places = [np.arange(1, 1 + len(s.sequence or "")) for s in batch]
        return Embedded(mean_over_residues(found, places))


def residue_letters() -> frozenset[str]:
    """Return the residues in the vocabulary of ESMC and ESM3."""
    return frozenset(token for token in SEQUENCE_VOCAB if token.isalpha())
