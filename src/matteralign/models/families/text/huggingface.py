"""Encoders of reaction SMILES that come as weights, a configuration and a ``vocab.txt``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from transformers import AlbertConfig, AlbertModel, BertConfig, BertModel

from matteralign.core.errors import MatterAlignError, UserError
from matteralign.core.suggest import unknown
from matteralign.models.families.text.text import Encoded, TextWrapper
from matteralign.models.inputs.tokens import SmilesTokenizer
from matteralign.registry.card import ModelCard
from matteralign.store.structures import Structure

_ARCHITECTURES = {"albert": (AlbertConfig, AlbertModel), "bert": (BertConfig, BertModel)}
_TOKENIZERS = {"smiles-regex": SmilesTokenizer}
_POOLED = ("content", "all", "first")


class HuggingFaceWrapper(TextWrapper):
    """``last_hidden_state`` of an encoder, averaged over the tokens of the SMILES.

    Files: ``config.json``, ``pytorch_model.bin`` (opened with ``weights_only=True``) and
    ``vocab.txt``, which `SmilesTokenizer` reads.

    Options
    -------
    architecture
        ``bert`` or ``albert``.
    tokenizer
        ``smiles-regex``.
    tokens
        Which positions are averaged: ``content`` leaves out [CLS] and [SEP], ``all`` keeps
        them, ``first`` takes [CLS] alone. Padding never counts.
    """

    family: ClassVar[str] = "huggingface"
    options_known: ClassVar[Mapping[str, Any]] = {
        "architecture": "bert",
        "tokenizer": "smiles-regex",
        "tokens": "content",
    }

    def __init__(self, card: ModelCard, files: Mapping[str, Path], device: str) -> None:
        super().__init__(card, files, device)
        for option, known in (
            ("architecture", _ARCHITECTURES),
            ("tokenizer", _TOKENIZERS),
            ("tokens", _POOLED),
        ):
            if self.options[option] not in known:
                raise UserError(
                    f"card {card.key}: " + unknown(option, str(self.options[option]), known)
                )
        config_class, model_class = _ARCHITECTURES[self.options["architecture"]]
        config = json.loads(self.file("config.json").read_text(encoding="utf-8"))
        self.model = model_class(config_class(**config), add_pooling_layer=False)
        self._load(self.file("pytorch_model.bin"))
        self.model.to(device).eval().requires_grad_(False)
        self._tokenizer = _TOKENIZERS[self.options["tokenizer"]](self.file("vocab.txt"))
        self.pad = self._tokenizer.pad
        self.most = int(config["max_position_embeddings"])

    def packages(self) -> list[str]:
        return ["numpy", "torch", "transformers", "rdkit"]

    def encode(self, structure: Structure) -> Encoded:
        smiles = structure.smiles or ""
        missing = self._tokenizer.unknown(smiles)
        if missing is not None:
            return Encoded([], [], missing)
        ids = self._tokenizer.encode(smiles)
        first, last = {"content": (1, len(ids) - 1), "all": (0, len(ids)), "first": (0, 1)}[
            self.options["tokens"]
        ]
        return Encoded(ids, range(first, last))

    def _load(self, path: Path) -> None:
        """Load an encoder's weights; heads in the file are left, nothing may be missing."""
        state = torch.load(path, map_location="cpu", weights_only=True)
        prefix = self.options["architecture"] + "."
        state = {name.removeprefix(prefix): v for name, v in state.items() if prefix in name}
        result = self.model.load_state_dict(state, strict=False)
        extra = [name for name in result.unexpected_keys if not name.startswith("pooler")]
        # Positions 0, 1, 2, … are a buffer that newer versions make and older ones saved.
        missing = [n for n in result.missing_keys if not n.endswith("position_ids")]
        if missing or extra:
            raise MatterAlignError(
                f"{path}: not the weights of the network in config.json; missing "
                f"{missing[:3]}, unexpected {extra[:3]}"
            )
