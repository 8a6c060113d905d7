"""SevenNet potentials through sevenn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import sevenn._keys as key
import torch
from sevenn.atom_graph_data import AtomGraphData
from sevenn.calculator import SevenNetCalculator
from sevenn.checkpoint import SevenNetCheckpoint
from sevenn.train.dataload import unlabeled_atoms_to_graph
from torch_geometric.loader.dataloader import Collater

from matteralign.core.errors import UserError
from matteralign.core.suggest import unknown
from matteralign.models.base.pooling import segment_mean
from matteralign.models.base.torch_setup import count_parameters
from matteralign.models.base.wrapper import Embedded, Wrapper
from matteralign.models.inputs.atoms import to_atoms
from matteralign.models.inputs.edges import edge_estimate
from matteralign.registry.card import ModelCard
from matteralign.store.structures import Structure

_READ_OUT = "reduce_input_to_hidden"
_FORCES = ("force_output",)


class SevennetWrapper(Wrapper):
    """Scalar node features that enter the read-out, after the last convolution block.

    Options
    -------
    modal
        Level of theory of a multi-fidelity model such as ``PBE``; null for the others.
    """

    family: ClassVar[str] = "sevennet"
    options_known: ClassVar[Mapping[str, Any]] = {"modal": None}

    def __init__(self, card: ModelCard, files: Mapping[str, Path], device: str) -> None:
        super().__init__(card, files, device)
        checkpoint = SevenNetCheckpoint(self.file())  # a pickle; its hash was checked before
        config = checkpoint.config
        model = checkpoint.build_model()
        self._parameters = count_parameters(model)
        self._cutoff = float(config[key.CUTOFF])
        self._modal = self._check_modal(model.modal_map)
        # Forces are never asked for: without that module no gradient graph is kept.
        for name in _FORCES:
            model.delete_module_by_key(name)
        model.key_grad = None
        model.set_is_batch_data(True)
        model.requires_grad_(False)
        self._model = model.to(device).eval()
        self._collate = Collater([], follow_batch=None, exclude_keys=None)
        self._features: list[torch.Tensor] = []
        self._model._modules[_READ_OUT].register_forward_pre_hook(self._keep)

    def n_parameters(self) -> int:
        return self._parameters

    def reference_energy(self, structure: Structure) -> float:
        atoms = to_atoms(structure)
        atoms.calc = self._reference
        return float(atoms.get_potential_energy())

    @cached_property
    def _reference(self) -> SevenNetCalculator:
        return SevenNetCalculator(str(self.file()), device=self.device, modal=self._modal)

    def packages(self) -> list[str]:
        return ["numpy", "torch", "e3nn", "sevenn", "matscipy", "torch-geometric"]

    def size(self, structure: Structure) -> int:
        return edge_estimate(structure, self._cutoff)

    def embed(self, batch: Sequence[Structure]) -> Embedded:
        graphs = [self._graph(s) for s in batch]
        self._features.clear()
        with torch.no_grad():
            out = self._model(self._collate(graphs).to(self.device))
        (features,) = self._features
        width = self.card.latent.dim
        return Embedded(
            # Multi-fidelity models append the level of theory, the same for every atom.
            segment_mean(features[:, :width].cpu().numpy(), [s.n_atoms for s in batch]),
            out[key.PRED_TOTAL_ENERGY].reshape(-1).cpu().numpy().astype(np.float64),
        )

    def _keep(self, module: torch.nn.Module, inputs: tuple[Any, ...]) -> None:
        self._features.append(inputs[0][key.NODE_FEATURE].detach())

    def _graph(self, structure: Structure) -> Any:
        graph = AtomGraphData.from_numpy_dict(
            unlabeled_atoms_to_graph(to_atoms(structure), self._cutoff, with_shift=False)
        )
        if self._modal is not None:
            graph[key.DATA_MODALITY] = self._modal
        return graph

    def _check_modal(self, known: Mapping[str, int] | None) -> str | None:
        modal = self.options["modal"]
        if not known:
            if modal is not None:
                raise UserError(f"card {self.card.key}: option modal set, the model has one level")
            return None
        if modal not in known:
            raise UserError(f"card {self.card.key}: " + unknown("modal", str(modal), known))
        return str(modal)
