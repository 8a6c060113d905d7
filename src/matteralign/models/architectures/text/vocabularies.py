"""Small real tokenisers for untrained networks, saved as ``tokenizer.json`` and its settings."""

from __future__ import annotations

from pathlib import Path

from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from matteralign.models.inputs.tokens import SMILES_PATTERN

_SMILES = [
    *"CNOFSPIBbcnops()=#-+/\\.123456789%@", "Cl", "Br", "[H]", "[nH]", "[NH3+]", "[NH2+]", "[NH+]",
    "[nH+]", "[O-]", "[N-]", "[n-]", "[C-]", "[CH-]", "[N+]", "[C@H]", "[C@@H]", "[C@]", "[C@@]",
    "[Na+]", "[Cl-]",
]  # fmt: skip
_SELFIES = [
    f"[{bond}{atom}]"
    for bond in ("", "=", "#")
    for atom in ("C", "N", "O", "F", "S", "P", "Ring1", "Ring2", "Branch1", "Branch2", "N+1", "O-1")
] + ["[Cl]", "[Br]", "[NH1+1]", "[NH3+1]", "[CH1-1]", "[N-1]", "[nop]"]
_CORPUS = [
    "You are a chemist. The molecule is written as SMILES; the structure as an ASE Atoms object.",
    "c1ccccc1 CC(=O)O CN1C=NC2=C1C(=O)N(C(=O)N2C)C O=C=O C#N [NH3+]CC([O-])=O",
    "{'numbers': array([8, 1, 1]), 'positions': array([[ 0.      ,  0.763239, -0.477047]]), "
    "'cell': array([[0., 0., 0.]]), 'pbc': array([False, False, False])}",
]


def smiles_vocabulary(folder: Path, marks: tuple[str, str, str, str]) -> int:
    """Save a tokeniser of the parts of a SMILES and return how many tokens it has.

    Parameters
    ----------
    marks
        Padding, unknown, first and last token, in the words of the model.
    """
    pad, unknown, first, last = marks
    tokenizer = Tokenizer(_words([*marks, *_SMILES], unknown))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(SMILES_PATTERN.pattern), "isolated")
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{first} $A {last}", special_tokens=[(first, 2), (last, 3)]
    )
    return _save(
        tokenizer, folder, pad_token=pad, unk_token=unknown, cls_token=first, sep_token=last
    )


def selfies_vocabulary(folder: Path) -> int:
    """Save a tokeniser of SELFIES symbols and return how many tokens it has.

    As in ChemGPT's files, the settings name no special token; the vocabulary does.
    """
    tokenizer = Tokenizer(_words(["[UNK]", "[PAD]", *_SELFIES], "[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"\[[^\]]*\]"), "isolated")
    return _save(tokenizer, folder)


def byte_vocabulary(folder: Path, marks: list[str], template: str, in_file: bool) -> int:
    """Save a byte-level tokeniser with a chat template and return how many tokens it has.

    Parameters
    ----------
    marks
        The tokens that the template writes, the mark of a text's beginning first.
    template
        The chat template, in Jinja.
    in_file
        Whether it is in ``chat_template.jinja``, and not in ``tokenizer_config.json``.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=marks,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_CORPUS, trainer)
    saved = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=marks[0])
    saved.chat_template = template
    saved.save_pretrained(folder, save_jinja_files=in_file)
    return len(saved)


def _words(words: list[str], unknown: str) -> models.WordLevel:
    return models.WordLevel({word: i for i, word in enumerate(words)}, unk_token=unknown)


def _save(tokenizer: Tokenizer, folder: Path, **marks: str) -> int:
    saved = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **marks)
    saved.save_pretrained(folder)
    return len(saved)
