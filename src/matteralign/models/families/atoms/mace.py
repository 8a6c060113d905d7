"""MACE potentials through mace-torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from e3nn import o3

from matteralign.core.errors import UserError
from matteralign.core.suggest import unknown
from matteralign.models.base.pooling import segment_mean
from matteralign.models.base.torch_setup import count_parameters, quiet_import
from matteralign.models.base.wrapper import Embedded, Wrapper
from matteralign.models.inputs.atoms import to_atoms
from matteralign.models.inputs.edges import edge_estimate
from matteralign.registry.card import ModelCard
from matteralign.store.structures import Structure

with quiet_import():
    from mace import data as mace_data
    from mace.calculators.mace import MACECalculator
    from mace.modules.utils import extract_invariant
    from mace.tools import torch_geometric, torch_tools

_FEATURES = ("invariant", "full")
_PRECISIONS = {"float32": torch.float32, "float64": torch.float64}
_LABELS = ("energy", "forces", "stress", "virials", "dipole", "charges", "polarizability")
# Every graph carries empty labels and their weights, for training: joining them takes as long
# as finding the neighbours.
_NOT_READ = ("weight", *(f"{name}_weight" for name in _LABELS),
             *(name for name in _LABELS if name != "charges"))  # fmt: skip


class MaceWrapper(Wrapper):
    """Node features of all layers, as ``MACECalculator.get_descriptors``.

    Options
    -------
    features
        ``invariant`` keeps the scalars of every layer; ``full`` the vectors and tensors too,
        which turn with the structure.
    precision
        ``float32`` or ``float64``: the network's arithmetic. Latents are float32 either way.
    head
        Read-out head of a multi-head model; null takes the only or the default one.
    """

    family: ClassVar[str] = "mace"
    options_known: ClassVar[Mapping[str, Any]] = {
        "features": "invariant",
        "precision": "float32",
        "head": None,
    }

    def __init__(self, card: ModelCard, files: Mapping[str, Path], device: str) -> None:
        super().__init__(card, files, device)
        precision = self.options["precision"]
        if precision not in _PRECISIONS:
            raise UserError(f"card {card.key}: " + unknown("precision", precision, _PRECISIONS))
        if self.options["features"] not in _FEATURES:
            raise UserError(
                f"card {card.key}: " + unknown("features", self.options["features"], _FEATURES)
            )
        # The format is a pickled module; its hash was checked before this call.
        model = torch.load(self.file(), map_location=device, weights_only=False)
        # Kept before the cast: total energies near -10^4 eV do not fit float32.
        isolated = model.atomic_energies_fn.atomic_energies.detach().double().cpu().numpy()
        self._calculator = MACECalculator(
            models=model.to(_PRECISIONS[precision]),
            device=device,
            default_dtype=precision,
            **self._head,
        )
        self._model = self._calculator.models[0].eval()
        heads = list(self._calculator.available_heads)
        row = np.atleast_2d(isolated)[heads.index(self._calculator.head) if len(heads) > 1 else 0]
        zs = [int(z) for z in self._model.atomic_numbers]
        self._isolated = dict(zip(zs, row.tolist(), strict=True))
        irreps = o3.Irreps(str(self._model.products[0].linear.irreps_out))
        self._invariant = {
            "num_layers": int(self._model.num_interactions),
            "num_features": irreps.dim // (irreps.lmax + 1) ** 2,
            "l_max": irreps.lmax,
        }

    def n_parameters(self) -> int:
        return count_parameters(self._model)

    def reference_energy(self, structure: Structure) -> float:
        with torch_tools.default_dtype("float64"):
            atoms = to_atoms(structure)
            atoms.calc = self._reference
            return float(atoms.get_potential_energy())

    @cached_property
    def _reference(self) -> MACECalculator:
        model = torch.load(self.file(), map_location=self.device, weights_only=False).double()
        return MACECalculator(
            models=model, device=self.device, default_dtype="float64", **self._head
        )

    @property
    def _head(self) -> dict[str, str]:
        return {} if self.options["head"] is None else {"head": self.options["head"]}

    def packages(self) -> list[str]:
        return ["numpy", "torch", "e3nn", "mace-torch", "matscipy"]

    def size(self, structure: Structure) -> int:
        return edge_estimate(structure, float(self._calculator.r_max))

    def embed(self, batch: Sequence[Structure]) -> Embedded:
        graphs = self._graphs(batch)
        with torch.no_grad():
            out = self._model(graphs, compute_force=False)
        features = out["node_feats"]
        if self.options["features"] == "invariant":
            features = extract_invariant(features, **self._invariant)
        counts = [s.n_atoms for s in batch]
        return Embedded(segment_mean(features.cpu().numpy(), counts), self._energies(out, batch))

    def turned(
        self, latents: npt.NDArray[np.float32], rotation: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float32]:
        parts = [o3.Irreps(str(product.linear.irreps_out)) for product in self._model.products]
        irreps = o3.Irreps([irrep for part in parts for irrep in part])
        wigner = irreps.D_from_matrix(torch.from_numpy(rotation)).numpy()
        return np.asarray(latents @ wigner.T, np.float32)

    def _energies(
        self, out: Mapping[str, torch.Tensor], batch: Sequence[Structure]
    ) -> npt.NDArray[np.float64]:
        """Add the energies of isolated atoms in float64 where the network gives them apart."""
        if "interaction_energy" not in out:
            return np.asarray(out["energy"].double().cpu().numpy(), np.float64)
        interaction = out["interaction_energy"].double().cpu().numpy()
        isolated = [sum(self._isolated[int(z)] for z in s.numbers) for s in batch]
        return np.asarray(interaction + isolated, np.float64)

    def _graphs(self, batch: Sequence[Structure]) -> dict[str, torch.Tensor]:
        calculator = self._calculator
        keys = mace_data.KeySpecification(info_keys={}, arrays_keys={})
        with torch_tools.default_dtype(calculator.default_dtype):
            graphs = [
                mace_data.AtomicData.from_config(
                    mace_data.config_from_atoms(
                        to_atoms(s), key_specification=keys, head_name=calculator.head
                    ),
                    z_table=calculator.z_table,
                    cutoff=calculator.r_max,
                    heads=calculator.available_heads,
                )
                for s in batch
            ]
        joined = torch_geometric.Batch.from_data_list(graphs, exclude_keys=_NOT_READ).to_dict()
        return {name: values.to(calculator.device) for name, values in joined.items()}
