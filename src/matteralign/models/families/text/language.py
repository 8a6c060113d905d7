"""Language models of molecules: SMILES or SELFIES through the checkpoint's own tokeniser."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from matteralign.core.errors import UserError
from matteralign.core.suggest import unknown
from matteralign.models.families.text.pretrained import load_network, load_tokenizer, longest_input
from matteralign.models.families.text.text import Encoded, TextWrapper
from matteralign.registry.card import ModelCard
from matteralign.store.structures import Structure


class LanguageWrapper(TextWrapper):
    """``last_hidden_state`` of any network that ``AutoModel`` loads, averaged over tokens.

    Files: ``config.json``, the weights, ``tokenizer.json`` and ``tokenizer_config.json``. The
    text is the SMILES or the SELFIES, as ``accepts.needs`` of the card says.

    Options
    -------
    tokens
        Which positions are averaged. ``all``, the default: every token of the input, the
        marks that the tokeniser adds among them, as the study says (all but padding);
        ``content``: the tokens of the molecule alone; ``first``: the first token.
    precision
        Of the weights on a GPU; ``float32``.
    cpu_precision
        Of the weights on a CPU; ``float32``.
    device_map
        How the network is spread over several GPUs, for accelerate; null keeps it on one.
    config
        Values that replace those in ``config.json``; none.
    remote_code
        Whether the Python files that ``config.json`` names are run. They must be files of the
        card, and the card must say that it ``executes_code``.
    """

    family: ClassVar[str] = "language"
    options_known: ClassVar[Mapping[str, Any]] = {
        "tokens": "all",
        "precision": "float32",
        "cpu_precision": "float32",
        "device_map": None,
        "config": {},
        "remote_code": False,
    }
    pooled: ClassVar[tuple[str, ...]] = ("all", "content", "first")

    def __init__(self, card: ModelCard, files: Mapping[str, Path], device: str) -> None:
        super().__init__(card, files, device)
        if self.options["tokens"] not in self.pooled:
            name = str(self.options["tokens"])
            raise UserError(f"card {card.key}: " + unknown("choice of tokens", name, self.pooled))
        if self.options["remote_code"] and not card.checkpoint.executes_code:
            raise UserError(
                f"card {card.key}: option remote_code runs Python files of the checkpoint; the "
                "card must say checkpoint.executes_code: true"
            )
        kind = "cpu_precision" if device == "cpu" else "precision"
        with tempfile.TemporaryDirectory(prefix="checkpoint-") as folder:
            self.folder(Path(folder))
            self.tokenizer = load_tokenizer(Path(folder))
            self.model = load_network(
                Path(folder),
                precision=str(self.options[kind]),
                device=device,
                device_map=self.options["device_map"],
                remote_code=bool(self.options["remote_code"]),
                changes=self.options["config"],
            )
        self.most = longest_input(self.model)
        self._unknown = self._numbers_of_unknown()

    def packages(self) -> list[str]:
        return ["numpy", "rdkit", "tokenizers", "torch", "transformers"]

    def encode(self, structure: Structure) -> Encoded:
        text = structure.selfies if self.card.accepts.needs == "selfies" else structure.smiles
        return self.tokenize(text or "")

    def tokenize(self, text: str) -> Encoded:
        """Return the tokens of a text, with the marks that the tokeniser adds."""
        found = self.tokenizer(
            text, return_offsets_mapping=True, return_special_tokens_mask=True, truncation=False
        )
        ids, added = found["input_ids"], found["special_tokens_mask"]
        missing = self.missing(text, ids, found["offset_mapping"])
        kept = {
            "all": range(len(ids)),
            "content": [i for i, mark in enumerate(added) if not mark],
            "first": range(1),
        }[self.options["tokens"]]
        return Encoded(ids, kept, missing)

    def missing(self, text: str, ids: list[int], offsets: list[tuple[int, int]]) -> str | None:
        """Return the first part of `text` that became an unknown token, or none at all."""
        seen = bytearray(len(text))
        for number, (start, end) in zip(ids, offsets, strict=True):
            if number in self._unknown:
                return text[start:end]
            seen[start:end] = b"\1" * (end - start)
        if all(done or char.isspace() for char, done in zip(text, seen, strict=True)):
            return None
        # A tokeniser without an unknown token drops what it does not know, and its offsets
        # slip after that: which character it was is asked one by one.
        alone = (c for c in text if not self.tokenizer(c, add_special_tokens=False)["input_ids"])
        return next(alone, text)

    def _numbers_of_unknown(self) -> set[int]:
        backend = self.tokenizer.backend_tokenizer
        named = getattr(backend.model, "unk_token", None)
        numbers = {self.tokenizer.unk_token_id}
        if named is not None:
            numbers.add(backend.token_to_id(named))
        return numbers - {None}
