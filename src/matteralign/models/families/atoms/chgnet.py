"""CHGNet through its own package."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from chgnet.model import CHGNet
from pymatgen.core import Lattice
from pymatgen.core import Structure as Crystal

from matteralign.models.base.checks import Refusal, nearest_distances
from matteralign.models.base.torch_setup import count_parameters
from matteralign.models.base.wrapper import Embedded, Wrapper
from matteralign.models.families.atoms.chgnet_graph import angle_converter
from matteralign.models.inputs.boxes import boxed_cell
from matteralign.models.inputs.edges import edge_estimate
from matteralign.registry.card import ModelCard
from matteralign.store.structures import Structure

_BIAS = "atom_conv_layers.0.mlp_out.layers.1.bias"


class ChgnetWrapper(Wrapper):
    """Atom features after the last convolution and read-out norm, averaged over atoms.

    This is ``crystal_fea`` of ``predict_structure`` divided by the number of atoms: the
    package sums, the study averages.

    The network knows crystals only. A molecule is put into an orthorhombic box, its extent
    plus `vacuum` along each axis: wider than the cutoff, so no periodic image is seen and
    the latent does not depend on the box.

    Options
    -------
    vacuum
        Å added to a molecule's extent, at least the cutoff of 6 Å.
    """

    family: ClassVar[str] = "chgnet"
    options_known: ClassVar[Mapping[str, Any]] = {"vacuum": 8.0}

    def __init__(self, card: ModelCard, files: Mapping[str, Path], device: str) -> None:
        super().__init__(card, files, device)
        state = torch.load(self.file(), map_location="cpu", weights_only=True)["model"]
        # The first release had biases that its arguments do not tell of.
        older = {"mlp_out_bias": True} if _BIAS in state["state_dict"] else {}
        with contextlib.redirect_stdout(io.StringIO()):  # it prints its parameter count
            model = CHGNet.from_dict(state, **older)
        model.requires_grad_(False)
        self._model = model.to(device).eval()
        self._converter = angle_converter(model.graph_converter)
        self._cutoff = float(self._converter.atom_graph_cutoff)

    def n_parameters(self) -> int:
        return count_parameters(self._model)

    def reference_energy(self, structure: Structure) -> float:
        found = self._model.predict_structure(self.crystal(structure), task="e")
        return float(found["e"]) * structure.n_atoms

    def packages(self) -> list[str]:
        return ["numpy", "torch", "chgnet", "pymatgen"]

    def refuse_more(self, structure: Structure) -> Refusal | None:
        if structure.periodic:
            return None
        isolated = np.flatnonzero(nearest_distances(structure) >= self._cutoff)
        if len(isolated):
            return Refusal(
                "geometry",
                f"atom {int(isolated[0])} has no neighbour within the cutoff of "
                f"{self._cutoff:g} Å; CHGNet cannot take isolated atoms",
            )
        return None

    def size(self, structure: Structure) -> int:
        return edge_estimate(structure, self._cutoff)

    def embed(self, batch: Sequence[Structure]) -> Embedded:
        graphs = [self._converter(self.crystal(s)).to(self.device) for s in batch]
        # A batch without a single angle skips the layers of angles; among others a structure
        # without one gets their biases. Apart, each has what it has alone.
        angles = np.array([len(graph.bond_graph) > 0 for graph in graphs])
        groups = [rows for rows in (np.flatnonzero(angles), np.flatnonzero(~angles)) if len(rows)]
        with torch.no_grad():
            outs = [
                self._model([graphs[row] for row in rows], task="e", return_crystal_feas=True)
                for rows in groups
            ]
        back = np.argsort(np.concatenate(groups))
        counts = np.array([s.n_atoms for s in batch])
        features = np.concatenate([out["crystal_fea"].double().cpu().numpy() for out in outs])
        energies = np.concatenate([out["e"].double().cpu().numpy().reshape(-1) for out in outs])
        return Embedded(
            (features[back] / counts[:, None]).astype(np.float32), energies[back] * counts
        )

    def crystal(self, structure: Structure) -> Crystal:
        """Return the pymatgen structure that the network sees, molecules in their box."""
        return Crystal(
            Lattice(boxed_cell(structure, float(self.options["vacuum"]))),
            [int(z) for z in structure.numbers],
            np.asarray(structure.positions, np.float64),
            coords_are_cartesian=True,
        )
