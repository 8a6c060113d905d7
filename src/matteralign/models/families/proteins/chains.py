"""What all models of protein chains share: counting, letters, coordinates, pooling."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from matteralign.models.base.checks import Refusal
from matteralign.models.base.pooling import segment_mean
from matteralign.models.base.wrapper import Wrapper
from matteralign.store.structures import Structure


class ChainWrapper(Wrapper):
    """A model of protein chains: its batches are counted in residues, padding among them."""

    padded: ClassVar[bool] = True

    def size(self, structure: Structure) -> int:
        return max(len(structure.sequence or ""), 1)

    def refuse_more(self, structure: Structure) -> Refusal | None:
        known = self.letters()
        for place, letter in enumerate(structure.sequence or "", 1):
            if known is not None and letter not in known:
                return Refusal("residue", f"residue {place} is {letter!r}, the model has no token")
        return None

    @abstractmethod
    def letters(self) -> frozenset[str] | None:
        """Return the residues that the model has a token for; None when it reads none."""


def resolved(structure: Structure, atoms: int) -> npt.NDArray[np.bool_]:
    """Return which residues have the first `atoms` of N, CA, C and O, shape (L,)."""
    assert structure.backbone is not None
    flat = structure.backbone[:, :atoms].reshape(len(structure.backbone), -1)
    return np.asarray(np.isfinite(flat).all(axis=1), np.bool_)


def centred(structure: Structure, atoms: int) -> npt.NDArray[np.float32]:
    """Return the backbone about the centre of the residues that `resolved` finds.

    Moved in float64 before it is rounded: a chain far from the origin loses no digits, and
    networks that take a missing atom for one at the origin see the same wherever the chain is.

    Returns
    -------
    ndarray
        Shape (L, `atoms`, 3) in Å, float32; NaN where a residue lacks any of the atoms.
    """
    assert structure.backbone is not None
    there = resolved(structure, atoms)
    backbone = np.asarray(structure.backbone[:, :atoms], np.float64)
    moved = backbone - backbone[there].mean(axis=(0, 1))
    moved[~there] = np.nan
    rounded: npt.NDArray[np.float32] = moved.astype(np.float32)
    return rounded


def mean_over_residues(
    states: Any, tokens: Sequence[npt.NDArray[np.integer[Any]]]
) -> npt.NDArray[np.float32]:
    """Average the hidden states of the tokens that stand for residues.

    Parameters
    ----------
    states
        Tensor or array, shape (B, T, d).
    tokens
        For each chain the positions below T that count; special tokens and padding are left
        out of them.

    Returns
    -------
    ndarray
        Shape (B, d), float32.
    """
    array = states.float().cpu().numpy() if hasattr(states, "cpu") else np.asarray(states)
    kept = [array[row, places] for row, places in enumerate(tokens)]
    return segment_mean(np.concatenate(kept), [len(rows) for rows in kept])
