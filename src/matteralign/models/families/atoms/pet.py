"""PET-MAD and its successors through upet."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from matteralign.core.errors import IntegrityError
from matteralign.models.base.pooling import segment_mean
from matteralign.models.base.torch_setup import (
    count_parameters,
    own_index_select,
    quiet_import,
    quiet_logging,
)
from matteralign.models.base.wrapper import Embedded, Wrapper
from matteralign.models.inputs.atoms import to_atoms
from matteralign.registry.card import ModelCard
from matteralign.store.structures import Structure

with quiet_import(), quiet_logging(), own_index_select():
    from metatomic.torch import ModelEvaluationOptions, ModelOutput, System, systems_to_torch
    from metatrain.utils.neighbor_lists import get_system_with_neighbor_lists
    from upet import get_upet

_FEATURES = "mtt::aux::energy_last_layer_features"


class PetWrapper(Wrapper):
    """Input of the energy's last linear layers: node and edge features of every message pass.

    The edge features of an atom are summed over its neighbours by the package, as its own
    energies are.
    """

    family: ClassVar[str] = "pet"

    def __init__(self, card: ModelCard, files: Mapping[str, Path], device: str) -> None:
        super().__init__(card, files, device)
        # The loader takes model, size and version from the name of the file. The format is a
        # pickled checkpoint; its hash was checked before this call.
        with tempfile.TemporaryDirectory() as folder, quiet_logging(), own_index_select():
            name = next(iter(self.files))
            model = get_upet(checkpoint_path=self.folder(Path(folder)) / name)
        capabilities = model.capabilities()
        if _FEATURES not in capabilities.outputs:
            raise IntegrityError(f"{self.file()}: the model gives no {_FEATURES}")
        self._model = model.to(device)
        self._neighbors = self._model.requested_neighbor_lists()
        self._dtype = {"float32": torch.float32, "float64": torch.float64}[capabilities.dtype]
        outputs = {
            "energy": ModelOutput(quantity="energy", unit="eV", sample_kind="system"),
            _FEATURES: ModelOutput(sample_kind="atom"),
        }
        self._options = ModelEvaluationOptions(length_unit="angstrom", outputs=outputs)

    def n_parameters(self) -> int:
        return count_parameters(self._model)

    def packages(self) -> list[str]:
        return ["numpy", "torch", "upet", "metatrain", "metatomic-torch"]

    def embed(self, batch: Sequence[Structure]) -> Embedded:
        systems = [self._system(s) for s in batch]
        with torch.no_grad():
            made = self._model(systems, self._options, check_consistency=False)
        features = made[_FEATURES].block()
        # Atoms come system by system; the order within a system does not change its mean.
        order = torch.argsort(features.samples.column("system"), stable=True)
        nodes = features.values[order].cpu().numpy()
        energies = made["energy"].block().values
        return Embedded(
            segment_mean(nodes, [s.n_atoms for s in batch]),
            np.asarray(energies.reshape(-1).double().cpu().numpy(), np.float64),
        )

    def _system(self, structure: Structure) -> System:
        atoms = to_atoms(structure)
        atoms.cell[~atoms.pbc] = 0.0  # how the package says that a direction is free
        system: Any = systems_to_torch(atoms, dtype=self._dtype)
        return get_system_with_neighbor_lists(system, self._neighbors).to(self.device)
