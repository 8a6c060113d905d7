"""UMA, the mixture of experts of fairchem-core 2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from ase import Atoms

from matteralign.core.errors import UserError
from matteralign.core.suggest import unknown
from matteralign.models.base.checks import Refusal
from matteralign.models.base.pooling import segment_mean
from matteralign.models.base.torch_setup import count_parameters, quiet_import, quiet_logging
from matteralign.models.base.wrapper import Embedded, Wrapper
from matteralign.models.inputs.atoms import to_atoms
from matteralign.models.inputs.boxes import boxed_cell
from matteralign.registry.card import ModelCard
from matteralign.store.structures import Structure

with quiet_import(), quiet_logging():
    from fairchem.core.datasets.atomic_data import AtomicData, atomicdata_list_to_batch
    from fairchem.core.units.mlip_unit import load_predict_unit
    from fairchem.core.units.mlip_unit.api.inference import (
        CHARGE_RANGE,
        SPIN_RANGE,
        inference_settings_batch,
    )

_VACUUM = 20.0  # Å, along the free directions of a slab or wire; the cutoff is 6 Å
_SEED = 0  # of the frames that turn edges onto an axis: their roll is random and cancels
_READ = ["charge", "spin"]
_KINDS = ("periodic", "molecule")


class UmaWrapper(Wrapper):
    """Scalar (l = 0) channels of the node embedding after the backbone's last norm.

    That is what the energy head reads. Structures of different composition share a batch: the
    experts are mixed for each, nothing is merged or compiled. Forces and stress are not computed.

    Options
    -------
    tasks
        Task by kind of structure: ``periodic`` where any direction is, else ``molecule``. The
        task decides the mixture of experts, and with it the latent. Charge and spin multiplicity
        of a structure are read by task ``omol`` alone.
    """

    family: ClassVar[str] = "uma"
    options_known: ClassVar[Mapping[str, Any]] = {
        "tasks": {"periodic": "omat", "molecule": "omol"},
    }

    def __init__(self, card: ModelCard, files: Mapping[str, Path], device: str) -> None:
        super().__init__(card, files, device)
        kind, _, number = device.partition(":")
        if number:
            torch.cuda.set_device(int(number))
        with quiet_logging():
            # The format is a pickled checkpoint; its hash was checked before this call.
            self._unit = load_predict_unit(
                self.file(),
                replace(inference_settings_batch(), auto_add_default_untrained_tasks=False),
                overrides={"backbone": {"regress_forces": False, "regress_stress": False}},
                device=kind,
            )
        self._model = self._unit.model.module
        self._tasks = self._checked_tasks()
        for outputs in self._model.dataset_to_tasks.values():
            outputs[:] = [task for task in outputs if task.property == "energy"]
        self._nodes = torch.empty(0)
        self._model.backbone.register_forward_hook(self._keep)

    def n_parameters(self) -> int:
        return count_parameters(self._model)

    def packages(self) -> list[str]:
        return ["numpy", "torch", "fairchem-core", "e3nn"]

    def refuse_more(self, structure: Structure) -> Refusal | None:
        lone = structure.n_atoms == 1 and not structure.periodic
        if lone and not self._model.supports_single_atoms:
            return Refusal("size", "the network takes no atom by itself")
        if self._task(structure) != "omol":
            return None
        for name, value, (low, high) in (
            ("charge", structure.charge, CHARGE_RANGE),
            ("spin multiplicity", structure.spin, SPIN_RANGE),
        ):
            if not low <= value <= high:
                return Refusal("charge", f"{name} {value} is not within {low} and {high}")
        return None

    def embed(self, batch: Sequence[Structure]) -> Embedded:
        graphs = [
            AtomicData.from_ase(self.atoms(s), task_name=self._task(s), r_data_keys=_READ)
            for s in batch
        ]
        data = atomicdata_list_to_batch(graphs)
        torch.manual_seed(_SEED)
        with torch.no_grad(), quiet_logging():
            energies = self._unit.predict(data)["energy"]
        nodes = self._nodes[:, 0, :].cpu().numpy()
        return Embedded(
            segment_mean(nodes, [s.n_atoms for s in batch]),
            energies.reshape(-1).double().cpu().numpy(),
        )

    def atoms(self, structure: Structure) -> Atoms:
        """Return what the network sees of a structure, charge and spin as its task reads them."""
        atoms = to_atoms(structure)
        if structure.periodic and not np.all(structure.pbc):
            atoms.cell = boxed_cell(structure, _VACUUM)
        molecular = self._task(structure) == "omol"
        atoms.info["charge"] = structure.charge if molecular else 0
        atoms.info["spin"] = structure.spin if molecular else 0
        return atoms

    def _task(self, structure: Structure) -> str:
        return self._tasks["periodic" if structure.periodic else "molecule"]

    def _keep(self, module: Any, inputs: Any, output: dict[str, torch.Tensor]) -> None:
        self._nodes = output["node_embedding"].detach()

    def _checked_tasks(self) -> dict[str, str]:
        tasks = dict(self.options["tasks"])
        if set(tasks) != set(_KINDS):
            raise UserError(
                f"card {self.card.key}: option tasks must name a task for each of {_KINDS}"
            )
        for task in tasks.values():
            if task not in self._model.dataset_to_tasks:
                raise UserError(
                    f"card {self.card.key}: "
                    + unknown("task", str(task), self._model.dataset_to_tasks)
                )
        return tasks
