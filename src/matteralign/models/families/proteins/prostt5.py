"""ProstT5, a T5 of amino acids and of the structural alphabet 3Di, run by transformers."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import mini3di
import numpy as np
import torch
import transformers
from transformers import T5EncoderModel, T5Tokenizer

from matteralign.core.errors import MatterAlignError, UserError
from matteralign.core.suggest import unknown
from matteralign.models.base.torch_setup import count_parameters
from matteralign.models.base.wrapper import Embedded
from matteralign.models.families.proteins.chains import ChainWrapper, mean_over_residues
from matteralign.models.families.text.text import padded
from matteralign.registry.card import ModelCard
from matteralign.store.structures import Structure

AMINO_ACIDS = "ACDEFGHIKLMNPQRSTVWYX"
STATES = "acdefghiklmnpqrstvwy"
"""The 20 states of 3Di (van Kempen et al. 2024), in lower case as ProstT5 reads them."""
PREFIXES = {"sequence": "<AA2fold>", "structure": "<fold2AA>"}

# The authors' own preparation of a sequence; the tokens of these letters were never trained.
_AS_X = str.maketrans("UZOB", "XXXX")
_PRECISIONS = {"float16": torch.float16, "float32": torch.float32}


class Prostt5Wrapper(ChainWrapper):
    """``last_hidden_state`` of the encoder, averaged over the residues.

    A chain is its letters with a space between them, after the prefix of its language. The
    prefix and ``</s>`` are left out of the mean.

    Options
    -------
    input
        ``sequence``: amino acids after ``<AA2fold>``; U, Z, O and B are X, as the authors have
        it. ``structure``: 3Di states after ``<fold2AA>``, see `structure_states`.
    precision
        ``float32``, or ``float16`` on a GPU.
    """

    family: ClassVar[str] = "prostt5"
    options_known: ClassVar[Mapping[str, Any]] = {"input": "sequence", "precision": "float32"}

    def __init__(self, card: ModelCard, files: Mapping[str, Path], device: str) -> None:
        super().__init__(card, files, device)
        for option, known in (("input", PREFIXES), ("precision", _PRECISIONS)):
            if self.options[option] not in known:
                raise UserError(
                    f"card {card.key}: " + unknown(option, str(self.options[option]), known)
                )
        self._input = str(self.options["input"])
        transformers.logging.set_verbosity_error()
        transformers.logging.disable_progress_bar()
        with tempfile.TemporaryDirectory() as scratch:
            folder = self.folder(Path(scratch))
            tokenizer = T5Tokenizer.from_pretrained(
                folder, local_files_only=True, do_lower_case=False
            )
            self._model, found = T5EncoderModel.from_pretrained(
                folder,
                local_files_only=True,
                output_loading_info=True,
                dtype=_PRECISIONS[self.options["precision"]],
            )
        if found["missing_keys"] or found["mismatched_keys"]:
            absent = [*found["missing_keys"], *map(str, found["mismatched_keys"])]
            raise MatterAlignError(f"model {card.key}: the checkpoint lacks {sorted(absent)[:3]}")
        self._model.to(device).eval().requires_grad_(False)
        self._pad = int(tokenizer.pad_token_id)
        self._numbers = {word: self._number(tokenizer, word) for word in self._words()}
        self._last = int(tokenizer.eos_token_id)
        self._states = mini3di.Encoder()

    def _words(self) -> Sequence[str]:
        letters = AMINO_ACIDS if self._input == "sequence" else STATES
        return [PREFIXES[self._input], *letters]

    def _number(self, tokenizer: Any, word: str) -> int:
        numbers = tokenizer(word, add_special_tokens=False).input_ids
        if len(numbers) != 1 or numbers[0] == tokenizer.unk_token_id:
            raise MatterAlignError(
                f"model {self.card.key}: the tokeniser has no single token for {word!r}"
            )
        return int(numbers[0])

    def n_parameters(self) -> int:
        return count_parameters(self._model)

    def packages(self) -> list[str]:
        return ["numpy", "torch", "transformers", "tokenizers", "mini3di"]

    def letters(self) -> frozenset[str] | None:
        return frozenset(AMINO_ACIDS + "UZOB") if self._input == "sequence" else None

    def embed(self, batch: Sequence[Structure]) -> Embedded:
        prefix = self._numbers[PREFIXES[self._input]]
        rows = [
            [prefix, *(self._numbers[letter] for letter in self._text(s)), self._last]
            for s in batch
        ]
        ids, mask = padded(rows, self._pad)
        with torch.no_grad():
            found = self._model(
                input_ids=ids.to(self.device), attention_mask=mask.to(self.device)
            ).last_hidden_state
        places = [np.arange(1, len(numbers) - 1) for numbers in rows]
        return Embedded(mean_over_residues(found, places))

    def _text(self, structure: Structure) -> str:
        if self._input == "sequence":
            return (structure.sequence or "").translate(_AS_X)
        return structure_states(structure, self._states)


def structure_states(structure: Structure, encoder: Any) -> str:
    """Return the 3Di states of a chain, one lower-case letter per residue that has its CA.

    As mini3di and foldseek do it: residues without CA are passed over, and the state is D
    where a residue, a neighbour or its partner lacks an atom, and at both ends. CB is placed
    by the backbone, also where the record has one.
    """
    assert structure.backbone is not None
    n, alpha, c = (np.asarray(structure.backbone[:, slot], np.float64) for slot in range(3))
    there = np.isfinite(alpha).all(axis=1)
    n, alpha, c = n[there], alpha[there], c[there]
    with np.errstate(invalid="ignore"):
        states = encoder.encode_atoms(ca=alpha, cb=np.full_like(alpha, np.nan), n=n, c=c)
    return str(encoder.build_sequence(states)).lower()
