"""What every model of tokens shares: refuse, pad, run, average."""

from __future__ import annotations

from abc import abstractmethod
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

import numpy as np
import torch

from matteralign.models.base.checks import Refusal
from matteralign.models.base.pooling import segment_mean
from matteralign.models.base.torch_setup import count_parameters
from matteralign.models.base.wrapper import Embedded, Wrapper
from matteralign.registry.card import ModelCard
from matteralign.store.structures import Structure


@dataclass(frozen=True)
class Encoded:
    """The input of a model of tokens.

    Attributes
    ----------
    ids
        Token numbers, the marks that the tokeniser adds among them.
    kept
        Positions in `ids` that are averaged, at least one unless `missing` is set.
    missing
        The first part of the text that the vocabulary cannot express, or None.
    """

    ids: Sequence[int]
    kept: Sequence[int]
    missing: str | None = None


def padded(rows: Sequence[Sequence[int]], pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return token numbers padded on the right, and the mask that leaves padding out.

    Both have shape (B, length of the longest row), int64.
    """
    ids = torch.full((len(rows), max(map(len, rows))), pad, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, numbers in enumerate(rows):
        ids[row, : len(numbers)] = torch.tensor(numbers)
        mask[row, : len(numbers)] = 1
    return ids, mask


class TextWrapper(Wrapper):
    """``last_hidden_state`` of a network of tokens, averaged over some of them.

    A subclass sets `model`, `most` (tokens that the network can take) and `pad`, and
    implements `encode`. Rows are padded on the right and padding is masked, so a latent does
    not depend on what shares its batch. A text is never cut.
    """

    model: torch.nn.Module
    most: int
    pad: int = 0
    padded: ClassVar[bool] = True

    def __init__(self, card: ModelCard, files: Mapping[str, Path], device: str) -> None:
        super().__init__(card, files, device)
        self._encoded: WeakKeyDictionary[Structure, Encoded] = WeakKeyDictionary()

    @abstractmethod
    def encode(self, structure: Structure) -> Encoded:
        """Return the tokens of a structure that passed the common checks."""

    def encoded(self, structure: Structure) -> Encoded:
        """Return what `encode` gives, made once: checks, sizes and batches ask for it."""
        found = self._encoded.get(structure)
        if found is None:
            made = self.encode(structure)
            # Four bytes a number: a whole slice is kept.
            found = Encoded(array("i", made.ids), array("i", made.kept), made.missing)
            self._encoded[structure] = found
        return found

    def n_parameters(self) -> int:
        return count_parameters(self.model)

    def size(self, structure: Structure) -> int:
        return len(self.encoded(structure).ids)

    def refuse_more(self, structure: Structure) -> Refusal | None:
        encoded = self.encoded(structure)
        if encoded.missing is not None:
            code = self.card.accepts.needs
            return Refusal(code, f"the vocabulary has no token for {encoded.missing!r}")
        most = min(self.most, self.card.accepts.max_tokens or self.most)
        if len(encoded.ids) > most:
            return Refusal("size", f"{len(encoded.ids)} tokens, the model takes at most {most}")
        return None

    def embed(self, batch: Sequence[Structure]) -> Embedded:
        encoded = [self.encoded(s) for s in batch]
        states = self.states(*padded([one.ids for one in encoded], self.pad))
        kept: list[Any] = [
            states[row, list(one.kept)].float().cpu().numpy() for row, one in enumerate(encoded)
        ]
        return Embedded(segment_mean(np.concatenate(kept), [len(k) for k in kept]))

    def states(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Return the last hidden states, shape (B, L, d), on the device they were made on."""
        # A network that is spread over devices takes its input on the first of them.
        device: Any = self.model.device
        with torch.no_grad():
            result = self.model(input_ids=ids.to(device), attention_mask=mask.to(device))
        states: torch.Tensor = result.last_hidden_state
        return states
