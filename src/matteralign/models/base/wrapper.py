"""The interface of every model wrapper, whatever package it uses."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from matteralign.core.errors import UserError
from matteralign.core.suggest import unknown
from matteralign.models.base.catalogue import WRAPPER_VERSIONS
from matteralign.models.base.checks import Refusal, refuse_common
from matteralign.registry.card import ModelCard
from matteralign.store.structures import Structure

GPU_BATCHES = 32
"""How many batches of a CPU a GPU takes at once, before memory decides."""


@dataclass(frozen=True, eq=False)
class Embedded:
    """What a model made of one batch.

    Attributes
    ----------
    latents
        Shape (B, d), float32, one row per structure in the order given.
    energies
        Total energies in eV, shape (B,), float64; None when the model predicts none.
    """

    latents: npt.NDArray[np.float32]
    energies: npt.NDArray[np.float64] | None = None


class Wrapper(ABC):
    """One loaded model.

    A subclass loads its network in ``__init__`` from `files` alone (no download), names its
    options with their defaults in `options_known`, and implements `embed`, `n_parameters`
    and `packages`. Latents must not depend on which other structures share the batch. One
    whose network pads a batch to its largest structure sets `padded`.

    Parameters
    ----------
    card
        The model's card.
    files
        Checkpoint files by the name the card gives them; their hashes were checked.
    device
        ``cpu``, ``cuda`` or ``cuda:<n>``.

    Raises
    ------
    UserError
        If the card has an option that this wrapper does not know.
    """

    family: ClassVar[str]
    options_known: ClassVar[Mapping[str, Any]] = {}
    padded: ClassVar[bool] = False
    """Whether a batch costs count × largest, as `batch_cost` has it, and not the sum."""

    def __init__(self, card: ModelCard, files: Mapping[str, Path], device: str) -> None:
        self.card = card
        self.files = dict(files)
        self.device = device
        self.options = {**self.options_known, **card.options}
        for name in card.options:
            if name not in self.options_known:
                raise UserError(
                    f"card {card.key}: "
                    + unknown(f"option of wrapper {card.wrapper!r}", name, self.options_known)
                )

    @property
    def version(self) -> int:
        """Version of this wrapper's results, from the catalogue."""
        return WRAPPER_VERSIONS[self.card.wrapper]

    def refuse(self, structure: Structure) -> Refusal | None:
        """Return why the model cannot take `structure`, or None when it can."""
        return refuse_common(structure, self.card.accepts) or self.refuse_more(structure)

    def refuse_more(self, structure: Structure) -> Refusal | None:
        """Refuse what only this family cannot take; called after the common checks."""
        return None

    def turned(
        self, latents: npt.NDArray[np.float32], rotation: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float32]:
        """Return the latents of structures turned by `rotation`, as an equivariant model has them.

        Parameters
        ----------
        latents
            Shape (B, d).
        rotation
            A rotation matrix, shape (3, 3).

        Raises
        ------
        NotImplementedError
            Unless the family knows how its latents turn.
        """
        raise NotImplementedError(f"{self.card.wrapper} does not say how its latents turn")

    def size(self, structure: Structure) -> int:
        """Return what `structure` costs in a batch: atoms, unless a family counts more exactly.

        Graph networks count edges, text models tokens; `ModelCard.batch` is in the same unit.
        """
        return max(structure.n_atoms, 1)

    def budget(self) -> int:
        """Return what a batch may cost, in the unit of `size`.

        A CPU is fastest when a batch fits its caches, which is what the cards hold. A GPU wants
        many times that; where it is too much, `extract` halves it.
        """
        return self.card.batch * (GPU_BATCHES if self.device.startswith("cuda") else 1)

    @abstractmethod
    def embed(self, batch: Sequence[Structure]) -> Embedded:
        """Return latents and energies of structures that `refuse` let through."""

    @abstractmethod
    def n_parameters(self) -> int:
        """Return the number of parameters of the loaded network."""

    def reference_energy(self, structure: Structure) -> float | None:
        """Return the total energy in eV by the package's own calculator, one structure alone.

        It is what `embed` is compared with: it must not go through the code of this class.
        None where the package has no calculator.
        """
        return None

    def packages(self) -> list[str]:
        """Return the distributions whose versions decide the numbers."""
        return ["numpy"]

    def folder(self, into: Path) -> Path:
        """Lay links to the checkpoint files below `into`, under the names of the card.

        For loaders that take a folder and not a file.
        """
        for name, path in self.files.items():
            link = into / name
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(path.resolve())
        return into

    def file(self, name: str | None = None) -> Path:
        """Return one checkpoint file by name, or the only one.

        Raises
        ------
        UserError
            If there is no such file, or several and no name was given.
        """
        if name is None and len(self.files) == 1:
            return next(iter(self.files.values()))
        if name not in self.files:
            raise UserError(
                f"card {self.card.key}: "
                + unknown("checkpoint file", str(name), self.files)
                + "; name the files as this wrapper expects them"
            )
        return self.files[name]
