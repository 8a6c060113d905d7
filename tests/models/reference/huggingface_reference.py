"""transformers from the folder, one SMILES at a time, tokenised by the tokenizers library."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from harness import compare
from tokenizers import Regex, Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Split
from transformers import AlbertModel, BertModel

from matteralign.registry.card import ModelCard
from matteralign.store.structures import Structure

PATTERN = (
    r"\%\([0-9]{3}\)|\[[^\]]+]|Br?|Cl?|N|O|S|P|F|I|b|c|n|o|s|p|\||\(|\)|\.|=|#|-|\+|\\|\/|:|~|@"
    r"|\?|>>?|\*|\$|\%[0-9]{2}|[0-9]"
)


def setup(card: ModelCard, files: dict[str, Path]) -> Any:
    folder = Path(tempfile.mkdtemp())
    for name, path in files.items():
        shutil.copy(path, folder / name)
    words = (folder / "vocab.txt").read_text().splitlines()
    vocabulary = {word: number for number, word in enumerate(words)}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Split(Regex(PATTERN), "isolated")
    kind = {"albert": AlbertModel, "bert": BertModel}[card.options["architecture"]]
    model = kind.from_pretrained(folder, local_files_only=True).eval()
    return tokenizer, model, vocabulary


def one(package: Any, structure: Structure) -> tuple[np.ndarray, None]:
    tokenizer, model, vocabulary = package
    middle = tokenizer.encode(structure.smiles, add_special_tokens=False).ids
    assert vocabulary["[UNK]"] not in middle
    ids = torch.tensor([[vocabulary["[CLS]"], *middle, vocabulary["[SEP]"]]])
    with torch.no_grad():
        states = model(ids).last_hidden_state[0]
    return states[1:-1].numpy().mean(axis=0), None


compare(setup, one)
