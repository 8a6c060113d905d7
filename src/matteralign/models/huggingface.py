"""Text encoders in the Hugging Face layout, run by transformers from local files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from transformers import BertConfig, BertModel

from matteralign.core.errors import MatterAlignError, UserError
from matteralign.core.suggest import unknown
from matteralign.models.base import Embedded, Wrapper
from matteralign.models.checks import Refusal
from matteralign.models.pooling import segment_mean
from matteralign.models.tokens import SmilesTokenizer
from matteralign.models.torch_setup import count_parameters
from matteralign.registry.card import ModelCard
from matteralign.store.structures import Structure

_ARCHITECTURES = {"bert": (BertConfig, BertModel)}
_TOKENIZERS = {"smiles-regex": SmilesTokenizer}
_POOLED = ("content", "all", "first")


class HuggingFaceWrapper(Wrapper):
    """``last_hidden_state`` of an encoder, averaged over the tokens of the SMILES.

    Files: ``config.json``, ``pytorch_model.bin`` (opened with ``weights_only=True``) and
    ``vocab.txt``.

    Options
    -------
    architecture
        ``bert``.
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
        self._model = model_class(config_class(**config), add_pooling_layer=False)
        self._load(self.file("pytorch_model.bin"))
        self._model.to(device).eval().requires_grad_(False)
        self._tokenizer = _TOKENIZERS[self.options["tokenizer"]](self.file("vocab.txt"))
        self._most = int(config["max_position_embeddings"])

    def n_parameters(self) -> int:
        return count_parameters(self._model)

    def packages(self) -> list[str]:
        return ["numpy", "torch", "transformers", "rdkit"]

    def size(self, structure: Structure) -> int:
        return len(self._tokenizer.split(structure.smiles or "")) + 2

    def refuse_more(self, structure: Structure) -> Refusal | None:
        token = self._tokenizer.unknown(structure.smiles or "")
        if token is not None:
            return Refusal("smiles", f"the vocabulary has no token for {token!r}")
        most = min(self._most, self.card.accepts.max_tokens or self._most)
        if self.size(structure) > most:
            return Refusal("size", f"{self.size(structure)} tokens, the model takes at most {most}")
        return None

    def embed(self, batch: Sequence[Structure]) -> Embedded:
        encoded = [self._tokenizer.encode(s.smiles or "") for s in batch]
        longest = max(map(len, encoded))
        ids = torch.full((len(batch), longest), self._tokenizer.pad, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for row, tokens in enumerate(encoded):
            ids[row, : len(tokens)] = torch.tensor(tokens)
            mask[row, : len(tokens)] = 1
        with torch.no_grad():
            states = self._model(
                input_ids=ids.to(self.device), attention_mask=mask.to(self.device)
            ).last_hidden_state.cpu()
        kept = [self._kept(states[row], len(tokens)) for row, tokens in enumerate(encoded)]
        return Embedded(segment_mean(np.concatenate(kept), [len(k) for k in kept]))

    def _kept(self, states: torch.Tensor, length: int) -> Any:
        first, last = {"content": (1, length - 1), "all": (0, length), "first": (0, 1)}[
            self.options["tokens"]
        ]
        return states[first:last].numpy()

    def _load(self, path: Path) -> None:
        """Load an encoder's weights; heads in the file are left, nothing may be missing."""
        state = torch.load(path, map_location="cpu", weights_only=True)
        prefix = self.options["architecture"] + "."
        state = {name.removeprefix(prefix): v for name, v in state.items() if prefix in name}
        result = self._model.load_state_dict(state, strict=False)
        extra = [name for name in result.unexpected_keys if not name.startswith("pooler.")]
        # Positions 0, 1, 2, … are a buffer that newer versions make and older ones saved.
        missing = [n for n in result.missing_keys if not n.endswith("position_ids")]
        if missing or extra:
            raise MatterAlignError(
                f"{path}: not the weights of the network in config.json; missing "
                f"{missing[:3]}, unexpected {extra[:3]}"
            )
