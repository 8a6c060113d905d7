"""Orb potentials through orb-models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from orb_models.forcefield import base
from orb_models.forcefield.atomic_system import ase_atoms_to_atom_graphs
from orb_models.forcefield.calculator import ORBCalculator
from orb_models.forcefield.pretrained import ORB_PRETRAINED_MODELS

from matteralign.core.errors import UserError
from matteralign.core.suggest import unknown
from matteralign.models.base.checks import Refusal
from matteralign.models.base.pooling import segment_mean
from matteralign.models.base.torch_setup import count_parameters
from matteralign.models.base.wrapper import Embedded, Wrapper
from matteralign.models.inputs.atoms import to_atoms
from matteralign.models.inputs.edges import edge_estimate
from matteralign.registry.card import ModelCard
from matteralign.store.structures import Structure


class OrbWrapper(Wrapper):
    """Node features of the last message-passing step, the input of the heads.

    Options
    -------
    architecture
        Name in ``ORB_PRETRAINED_MODELS``; the state dict must fit it.
    precision
        ``float32-highest`` or ``float64``.
    """

    family: ClassVar[str] = "orb"
    options_known: ClassVar[Mapping[str, Any]] = {
        "architecture": None,
        "precision": "float32-highest",
    }

    def __init__(self, card: ModelCard, files: Mapping[str, Path], device: str) -> None:
        super().__init__(card, files, device)
        name = str(self.options["architecture"])
        if name not in ORB_PRETRAINED_MODELS:
            raise UserError(
                f"card {card.key}: " + unknown("architecture", name, ORB_PRETRAINED_MODELS)
            )
        self._model = ORB_PRETRAINED_MODELS[name](
            weights_path=str(self.file()),
            device=device,
            precision=self.options["precision"],
            compile=False,
        ).eval()

    def n_parameters(self) -> int:
        return count_parameters(self._model)

    def reference_energy(self, structure: Structure) -> float:
        atoms = to_atoms(structure)
        atoms.calc = self._reference
        return float(atoms.get_potential_energy())

    @cached_property
    def _reference(self) -> ORBCalculator:
        return ORBCalculator(self._model, device=self.device)

    def packages(self) -> list[str]:
        return ["numpy", "torch", "orb-models", "scipy"]

    def refuse_more(self, structure: Structure) -> Refusal | None:
        if structure.pbc is not None and structure.periodic and not structure.pbc.all():
            return Refusal("geometry", "Orb takes structures periodic along all three axes or none")
        return None

    def size(self, structure: Structure) -> int:
        system = self._model.system_config
        return edge_estimate(structure, system.radius, system.max_num_neighbors)

    def embed(self, batch: Sequence[Structure]) -> Embedded:
        system, device = self._model.system_config, torch.device(self.device)
        graphs = base.batch_graphs(
            [
                ase_atoms_to_atom_graphs(to_atoms(s), system_config=system, device=device)
                for s in batch
            ]
        )
        with torch.no_grad():
            nodes = self._model.model(graphs)["node_features"]
            energies = self._model.heads["energy"].predict(nodes, graphs)
            if self._model.pair_repulsion:
                energies = energies + self._model.pair_repulsion_fn(graphs)["energy"]
        return Embedded(
            segment_mean(nodes.cpu().numpy(), [s.n_atoms for s in batch]),
            energies.reshape(-1).cpu().numpy().astype(np.float64),
        )
