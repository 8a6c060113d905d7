"""EquiformerV2, EquiformerV2-DeNS and the first eSEN through fairchem-core 1.10."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from ase.neighborlist import neighbor_list

from matteralign.models.base.checks import Refusal, nearest_distances
from matteralign.models.base.pooling import segment_mean
from matteralign.models.base.torch_setup import count_parameters, quiet_logging
from matteralign.models.base.wrapper import Embedded, Wrapper
from matteralign.models.families.atoms.fairchem1_checkpoint import read_checkpoint
from matteralign.models.inputs.boxes import to_boxed_atoms
from matteralign.models.inputs.scatter import scatter_in_torch
from matteralign.registry.card import ModelCard
from matteralign.store.structures import Structure

with scatter_in_torch(), quiet_logging():
    from fairchem.core import OCPCalculator
    from fairchem.core.common.utils import setup_imports
    from fairchem.core.datasets import data_list_collater

    setup_imports()

_SEED = 0  # of the frames that turn edges onto an axis: their roll is random and cancels


class _ReadCalculator(OCPCalculator):  # type: ignore[misc]
    """The package's calculator, made from a checkpoint that was read and repaired before."""

    def __init__(self, checkpoint: dict[str, Any], path: Path, **settings: Any) -> None:
        self._checkpoint = checkpoint
        super().__init__(config_yml=checkpoint["config"], checkpoint_path=path, **settings)

    def load_checkpoint(self, checkpoint_path: Path, checkpoint: Any = None) -> None:
        self.trainer.load_checkpoint(checkpoint_path, self._checkpoint, inference_only=True)
        del self._checkpoint


class Fairchem1Wrapper(Wrapper):
    """Scalar (l = 0) channels of the node embedding after the backbone's last norm.

    That is what the energy head reads. Forces and stress are not computed.

    The networks know crystals only: what is not periodic is put into a box, see
    `matteralign.models.inputs.boxes`.

    Options
    -------
    vacuum
        Å between a molecule and its images, more than the cutoff of 12 Å (eSEN: 6 Å).
    """

    family: ClassVar[str] = "fairchem1"
    options_known: ClassVar[Mapping[str, Any]] = {"vacuum": 20.0}

    def __init__(self, card: ModelCard, files: Mapping[str, Path], device: str) -> None:
        super().__init__(card, files, device)
        path = self.file()
        checkpoint = read_checkpoint(path, trusted=card.checkpoint.executes_code)
        _, _, number = device.partition(":")
        checkpoint["config"]["local_rank"] = int(number or 0)
        with quiet_logging():
            self._calculator = _ReadCalculator(checkpoint, path, cpu=device == "cpu", seed=_SEED)
        self._model = self._calculator.trainer._unwrapped_model.eval().requires_grad_(False)
        self._cutoff = float(self._model.backbone.cutoff)
        # The only head, or the one of the three that is named after what it predicts.
        heads = self._model.output_heads
        self._head = heads["energy"] if "energy" in heads else next(iter(heads.values()))
        for part in (self._model.backbone, self._head):
            part.regress_forces = part.regress_stress = False

    def n_parameters(self) -> int:
        return count_parameters(self._model)

    def packages(self) -> list[str]:
        return ["numpy", "torch", "fairchem-core", "e3nn", "torch-geometric"]

    def refuse_more(self, structure: Structure) -> Refusal | None:
        if nearest_distances(structure).min() < self._cutoff:
            return None
        atoms = to_boxed_atoms(structure, float(self.options["vacuum"]))
        if len(neighbor_list("i", atoms, self._cutoff)):
            return None
        return Refusal(
            "geometry",
            f"no two atoms are within the cutoff of {self._cutoff:g} Å; the network needs one edge",
        )

    def embed(self, batch: Sequence[Structure]) -> Embedded:
        calculator = self._calculator
        vacuum = float(self.options["vacuum"])
        graphs = [calculator.a2g.convert(to_boxed_atoms(s, vacuum)) for s in batch]
        data = data_list_collater(graphs, otf_graph=True).to(calculator.trainer.device)
        torch.manual_seed(_SEED)
        with torch.no_grad():
            embedding = self._model.backbone(data)
            energies = self._energies(data, embedding)
        nodes = embedding["node_embedding"]
        nodes = nodes.embedding if hasattr(nodes, "embedding") else nodes
        return Embedded(
            segment_mean(nodes[:, 0, :].cpu().numpy(), [s.n_atoms for s in batch]),
            energies.reshape(-1).double().cpu().numpy(),
        )

    def _energies(self, data: Any, embedding: dict[str, Any]) -> torch.Tensor:
        if hasattr(embedding["node_embedding"], "embedding"):
            energies = self._head(data, embedding)["energy"]
        else:  # eSEN's head differentiates; its energy alone is the sum of what its network gives
            atomic = self._head.energy_block(embedding["node_embedding"][:, 0, :]).view(-1)
            energies = atomic.new_zeros(len(data.natoms)).index_add_(0, data.batch, atomic)
        prediction = energies.view(len(data.natoms), -1)
        total: torch.Tensor = self._calculator.trainer._denorm_preds("energy", prediction, data)
        return total
