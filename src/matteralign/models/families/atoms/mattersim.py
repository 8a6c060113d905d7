"""MatterSim potentials (M3GNet architecture) through mattersim."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch_geometric.loader.dataloader import Collater

from matteralign.models.base.pooling import segment_mean
from matteralign.models.base.torch_setup import count_parameters, quiet_import
from matteralign.models.base.wrapper import Embedded, Wrapper
from matteralign.models.inputs.boxes import to_boxed_atoms
from matteralign.models.inputs.edges import edge_estimate
from matteralign.registry.card import ModelCard
from matteralign.store.structures import Structure

with quiet_import():  # it sends its log to standard output
    from mattersim.datasets.utils.convertor import GraphConvertor
    from mattersim.forcefield.m3gnet.m3gnet import M3Gnet
    from mattersim.forcefield.potential import batch_to_dict


class MattersimWrapper(Wrapper):
    """Atom features after the last graph block, the input of the read-out ``final``.

    The network knows crystals only: a molecule is put in a box of its extent plus `vacuum`, in
    which no periodic image is within the cutoff.

    Options
    -------
    vacuum
        Å added to a molecule's extent, more than the cutoff of 5 Å.
    """

    family: ClassVar[str] = "mattersim"
    options_known: ClassVar[Mapping[str, Any]] = {"vacuum": 8.0}

    def __init__(self, card: ModelCard, files: Mapping[str, Path], device: str) -> None:
        super().__init__(card, files, device)
        checkpoint = torch.load(self.file(), map_location="cpu", weights_only=True)
        arguments = checkpoint["model_args"]
        model = M3Gnet(device=device, **arguments)
        # A table of constants that newer versions make and older ones did not keep.
        state = {"sbf.coef": model.sbf.coef} | checkpoint["model"]
        model.load_state_dict(state)
        model.requires_grad_(False)
        self._model = model.to(device).eval()
        self._converter = GraphConvertor(
            "m3gnet", arguments["cutoff"], True, arguments["threebody_cutoff"]
        )
        self._collate = Collater([], follow_batch=None, exclude_keys=None)
        self._features: list[torch.Tensor] = []
        self._model.final.register_forward_pre_hook(self._keep)

    def n_parameters(self) -> int:
        return count_parameters(self._model)

    def packages(self) -> list[str]:
        return ["numpy", "torch", "mattersim", "pymatgen", "torch-geometric"]

    def size(self, structure: Structure) -> int:
        return edge_estimate(structure, self._converter.twobody_cutoff)

    def embed(self, batch: Sequence[Structure]) -> Embedded:
        vacuum = float(self.options["vacuum"])
        graphs = [self._converter.convert(to_boxed_atoms(s, vacuum)) for s in batch]
        self._features.clear()
        with torch.no_grad():
            energies = self._model(batch_to_dict(self._collate(graphs), device=self.device))
        (features,) = self._features
        return Embedded(
            segment_mean(features.cpu().numpy(), [s.n_atoms for s in batch]),
            energies.reshape(-1).cpu().numpy().astype(np.float64),
        )

    def _keep(self, module: torch.nn.Module, inputs: tuple[Any, ...]) -> None:
        self._features.append(inputs[0].detach())
