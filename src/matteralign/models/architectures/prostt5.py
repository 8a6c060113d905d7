"""ProstT5 networks without weights: the folder that transformers loads."""

from __future__ import annotations

import io
from pathlib import Path

import sentencepiece
import torch
from transformers import T5Config, T5EncoderModel, T5ForConditionalGeneration

from matteralign.core.files import write_json
from matteralign.models.architectures.checkpoints import save_network
from matteralign.models.base.torch_setup import count_parameters
from matteralign.models.families.proteins.prostt5 import AMINO_ACIDS, PREFIXES, STATES
from matteralign.registry.card import ModelCard, StandIn

_FULL = {"d_model": 1024, "d_kv": 128, "d_ff": 16384, "num_layers": 24, "num_heads": 32}
_SPACE = "▁"


def build(card: ModelCard, stand_in: StandIn, folder: Path) -> None:
    """Save an untrained network, encoder and decoder, and a SentencePiece vocabulary.

    Options
    -------
    d_model, d_kv, d_ff, num_layers, num_heads
        Of the configuration.
    """
    _save_vocabulary(folder)
    torch.manual_seed(stand_in.seed)
    model = T5ForConditionalGeneration(T5Config(vocab_size=150, **stand_in.options))
    save_network(model, folder, [f.name for f in card.checkpoint.files])


def full_size(_: StandIn) -> int:
    """Return the number of parameters of the published network's encoder."""
    with torch.device("meta"):
        return count_parameters(T5EncoderModel(T5Config(vocab_size=150, **_FULL)))


def _save_vocabulary(folder: Path) -> None:
    written = io.BytesIO()
    words = [_SPACE + state for state in STATES]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([" ".join(AMINO_ACIDS)]),
        model_writer=written,
        model_type="word",
        # Three marks; SentencePiece keeps a prefix with and without the space before it.
        vocab_size=3 + len(AMINO_ACIDS) + len(words) + 2 * len(PREFIXES),
        user_defined_symbols=[*words, *PREFIXES.values()],
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        minloglevel=2,
    )
    (folder / "spiece.model").write_bytes(written.getvalue())
    marks = {"eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    write_json(folder / "special_tokens_map.json", marks)
    settings = {"tokenizer_class": "T5Tokenizer", "do_lower_case": False, "extra_ids": 0}
    write_json(folder / "tokenizer_config.json", marks | settings)
