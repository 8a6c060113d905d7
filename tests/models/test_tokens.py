from __future__ import annotations

from pathlib import Path

import pytest

from matteralign.core.errors import MatterAlignError
from matteralign.models.inputs.tokens import SmilesTokenizer

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "C", "c", "N", "O", "(", ")", "=", "1", "Cl", "[nH]"]


@pytest.fixture
def tokenizer(tmp_path: Path) -> SmilesTokenizer:
    path = tmp_path / "vocab.txt"
    path.write_text("\n".join(WORDS) + "\n")
    return SmilesTokenizer(path)


def test_a_smiles_splits_into_atoms_bonds_and_rings(tokenizer: SmilesTokenizer) -> None:
    assert tokenizer.split("CC(=O)Nc1ccc(O)cc1") == list("CC(=O)Nc1ccc(O)cc1")
    assert tokenizer.split("ClC[nH]%12Br[C@@H]") == ["Cl", "C", "[nH]", "%12", "Br", "[C@@H]"]


def test_encoding_is_line_numbers_between_marks(tokenizer: SmilesTokenizer) -> None:
    assert tokenizer.encode("C=O") == [2, 4, 10, 7, 3]


def test_what_the_vocabulary_lacks_is_named(tokenizer: SmilesTokenizer) -> None:
    assert tokenizer.unknown("c1cc[nH]c1") is None
    assert tokenizer.unknown("C[Si]") == "[Si]"
    assert tokenizer.unknown("C{") == "{"


def test_a_vocabulary_without_marks_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "vocab.txt"
    path.write_text("C\nN\n")
    with pytest.raises(MatterAlignError, match=r"lacks \[PAD\]"):
        SmilesTokenizer(path)
