"""PET networks without weights: the checkpoint that metatrain saves."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import torch

from matteralign.core.errors import UserError
from matteralign.core.suggest import unknown
from matteralign.models.base.torch_setup import (
    count_parameters,
    own_index_select,
    quiet_import,
    quiet_logging,
)
from matteralign.registry.card import ModelCard, StandIn

with quiet_import(), quiet_logging(), own_index_select():
    from metatrain.pet import PET
    from metatrain.utils.architectures import get_default_hypers
    from metatrain.utils.data import DatasetInfo
    from metatrain.utils.data.target_info import get_energy_target_info, get_generic_target_info

# Settings of the first PET-MAD that differ from those of metatrain's current PET.
_NETWORKS = {
    "pet-mad-1.1": {
        "d_pet": 256, "d_node": 256, "d_feedforward": 512, "d_head": 128, "num_heads": 8,
        "num_attention_layers": 2, "num_gnn_layers": 2, "cutoff": 4.5, "cutoff_width": 0.2,
        "cutoff_function": "Cosine", "normalization": "LayerNorm", "activation": "SiLU",
        "transformer_type": "PostLN", "featurizer_type": "residual",
    },
}  # fmt: skip
_TYPES = list(range(1, 87))


def build(card: ModelCard, stand_in: StandIn, folder: Path) -> None:
    """Save an untrained network, as large as the trained one.

    ``options.network`` of `stand_in` names it. It predicts energies, and forces and stress
    directly, for the elements up to radon.
    """
    (pinned,) = card.checkpoint.files
    torch.manual_seed(stand_in.seed)
    torch.save(_network(stand_in.options).get_checkpoint(), folder / pinned.name)


def full_size(stand_in: StandIn) -> int:
    """Return the number of parameters of the published network."""
    return count_parameters(_network(stand_in.options))


def _network(options: dict[str, Any]) -> Any:
    name = str(options.get("network"))
    if name not in _NETWORKS:
        raise UserError(unknown("network of PET", name, _NETWORKS))
    hypers = copy.deepcopy(get_default_hypers("pet")["model"]) | _NETWORKS[name]
    forces = {"quantity": "force", "unit": "eV/A", "type": {"cartesian": {"rank": 1}}}
    stress = {"quantity": "pressure", "unit": "eV/A^3", "type": {"cartesian": {"rank": 2}}}
    atom = {"sample_kind": "atom", "per_atom": True, "num_subtargets": 1}
    system = {"sample_kind": "system", "per_atom": False, "num_subtargets": 1}
    targets = {
        "energy": get_energy_target_info(
            "energy", {"quantity": "energy", "unit": "eV"}, add_position_gradients=True
        ),
        "non_conservative_forces": get_generic_target_info(
            "non_conservative_forces", forces | atom
        ),
        "non_conservative_stress": get_generic_target_info(
            "non_conservative_stress", stress | system
        ),
    }
    info = DatasetInfo(length_unit="angstrom", atomic_types=_TYPES, targets=targets)
    with quiet_logging():
        return PET(hypers, info)
