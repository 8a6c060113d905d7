"""Tokenisers that come as a rule and a vocabulary file instead of a package."""

from __future__ import annotations

import re
from pathlib import Path

from matteralign.core.errors import MatterAlignError

SMILES_PATTERN = re.compile(
    r"(\%\([0-9]{3}\)|\[[^\]]+]|Br?|Cl?|N|O|S|P|F|I|b|c|n|o|s|p|\||\(|\)|\.|=|#|-|\+|\\|\/"
    r"|:|~|@|\?|>>?|\*|\$|\%[0-9]{2}|[0-9])"
)
"""Splits a SMILES into atoms, bonds and ring closures (Schwaller et al., Molecular
Transformer, ACS Cent. Sci. 2019, 5, 1572; the pattern of rxnfp 0.1.0)."""


class SmilesTokenizer:
    """The tokeniser of rxnfp: `SMILES_PATTERN`, then one number per line of ``vocab.txt``.

    Parameters
    ----------
    vocabulary
        Path of ``vocab.txt``.

    Raises
    ------
    MatterAlignError
        If one of the special tokens is missing from the vocabulary.
    """

    def __init__(self, vocabulary: Path) -> None:
        lines = vocabulary.read_text(encoding="utf-8").splitlines()
        self.numbers = {token: number for number, token in enumerate(lines)}
        for token in ("[PAD]", "[CLS]", "[SEP]"):
            if token not in self.numbers:
                raise MatterAlignError(f"{vocabulary}: the vocabulary lacks {token}")
        self.pad = self.numbers["[PAD]"]
        self.first = self.numbers["[CLS]"]
        self.last = self.numbers["[SEP]"]

    def split(self, smiles: str) -> list[str]:
        """Return the tokens of a SMILES; characters the pattern skips are not in them."""
        return SMILES_PATTERN.findall(smiles)

    def unknown(self, smiles: str) -> str | None:
        """Return the first part of a SMILES that the vocabulary cannot express, or None."""
        tokens = self.split(smiles)
        for token in tokens:
            if token not in self.numbers:
                return token
        if "".join(tokens) != smiles:
            rest = SMILES_PATTERN.sub("", smiles)
            return rest[0]
        return None

    def encode(self, smiles: str) -> list[int]:
        """Return token numbers, ``[CLS]`` first and ``[SEP]`` last."""
        return [self.first, *(self.numbers[t] for t in self.split(smiles)), self.last]
