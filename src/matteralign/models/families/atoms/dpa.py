"""DPA-3 potentials as frozen by deepmd-kit: a TorchScript archive that needs torch alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch
from ase.data import chemical_symbols
from matscipy.neighbours import neighbour_list

from matteralign.models.base.pooling import segment_mean
from matteralign.models.base.torch_setup import count_parameters
from matteralign.models.base.wrapper import Embedded, Wrapper
from matteralign.models.inputs.boxes import to_boxed_atoms
from matteralign.registry.card import ModelCard
from matteralign.store.structures import Structure


class DpaWrapper(Wrapper):
    """Node features after the last layer of the descriptor, the input of the fitting network.

    Every atom has a fixed number of neighbour slots; where more atoms are within the cutoff the
    nearest fill them, as in deepmd-kit. Neighbours beyond the cell are images with coordinates
    of their own ("ghosts") that share the features of the atom they repeat.
    """

    family: ClassVar[str] = "dpa"
    padded: ClassVar[bool] = True

    def __init__(self, card: ModelCard, files: Mapping[str, Path], device: str) -> None:
        super().__init__(card, files, device)
        model = torch.jit.load(self.file(), map_location=device)  # its hash was checked before
        self._model = model.eval()
        self._cutoff, self._slots = float(model.get_rcut()), int(model.get_nnei())
        types = {name: number for number, name in enumerate(model.get_type_map())}
        self._types = np.array([types.get(symbol, 0) for symbol in chemical_symbols])

    def n_parameters(self) -> int:
        return count_parameters(self._model)

    def packages(self) -> list[str]:
        return ["numpy", "torch", "matscipy"]

    def embed(self, batch: Sequence[Structure]) -> Embedded:
        inputs = [part.to(self.device) for part in self._padded(batch)]
        positions, types, mapping, neighbours = inputs
        atoms = self._model.atomic_model
        # Optimised, the first batch of every kind waits half a minute for a compiler.
        with torch.no_grad(), torch.jit.optimized_execution(False):
            features, *_ = atoms.descriptor(positions, types, neighbours, mapping)
            own = types[:, : neighbours.shape[1]]
            energies = atoms.apply_out_stat(atoms.fitting_net(features, own), own)["energy"]
        counts = [s.n_atoms for s in batch]
        rows = [row[:n] for row, n in zip(features.cpu().numpy(), counts, strict=True)]
        total = [float(e[:n].sum()) for e, n in zip(energies.double(), counts, strict=True)]
        return Embedded(segment_mean(np.concatenate(rows), counts), np.array(total))

    def _padded(self, batch: Sequence[Structure]) -> tuple[torch.Tensor, ...]:
        """Return coordinates, types, mapping and neighbours, atoms first and ghosts after them.

        What pads a structure is nobody's neighbour.
        """
        graphs = [self._graph(s) for s in batch]
        n_own = max(s.n_atoms for s in batch)
        n_all = n_own + max(len(source) for _, source, _ in graphs)
        positions = np.zeros((len(batch), n_all, 3))
        types = np.zeros((len(batch), n_all), np.int64)
        mapping = np.zeros((len(batch), n_all), np.int64)
        neighbours = np.full((len(batch), n_own, self._slots), -1)
        for row, (structure, (places, source, near)) in enumerate(zip(batch, graphs, strict=True)):
            n = structure.n_atoms
            filled = np.concatenate([np.arange(n), n_own + np.arange(len(source))])
            repeated = np.concatenate([np.arange(n), source])
            positions[row, filled] = places
            types[row, filled] = self._types[structure.numbers[repeated]]
            mapping[row, filled] = repeated
            neighbours[row, :n] = np.where(near >= n, near + n_own - n, near)
        return tuple(map(torch.from_numpy, (positions, types, mapping, neighbours)))

    def _graph(
        self, structure: Structure
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return the neighbours of each atom, nearest first.

        Returns
        -------
        places
            Coordinates in Å of n atoms and g ghosts, shape (n + g, 3).
        source
            The atom that each ghost repeats, shape (g,).
        near
            Shape (n, slots): numbers of places, -1 in slots that stay empty.
        """
        atoms = to_boxed_atoms(structure, self._cutoff + 1.0)
        n = len(atoms)
        first, second, shift, distance = neighbour_list("ijSd", atoms, self._cutoff)
        order = np.lexsort((distance, first))
        first, second, shift = first[order], second[order], shift[order]
        beyond = shift.any(axis=1)
        images, number = np.unique(
            np.column_stack([second, shift])[beyond], axis=0, return_inverse=True
        )
        place = second.astype(np.int64)
        place[beyond] = n + number.reshape(-1)
        slot = np.arange(len(first)) - np.searchsorted(first, np.arange(n))[first]
        kept = slot < self._slots
        near = np.full((n, self._slots), -1, np.int64)
        near[first[kept], slot[kept]] = place[kept]
        source = images[:, 0].astype(np.int64)
        ghosts = atoms.positions[source] + images[:, 1:] @ np.asarray(atoms.cell)
        return np.concatenate([atoms.positions, ghosts]), source, near
