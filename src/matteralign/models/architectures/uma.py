"""UMA networks without weights: the inference checkpoint that fairchem-core 2 loads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from matteralign.core.errors import UserError
from matteralign.core.suggest import unknown
from matteralign.models.base.torch_setup import count_parameters, quiet_import, quiet_logging
from matteralign.registry.card import ModelCard, StandIn
from matteralign.registry.stand_in import check_options

with quiet_import(), quiet_logging():
    from fairchem.core.models.base import HydraModel
    from fairchem.core.units.mlip_unit.api.inference import MLIPInferenceCheckpoint

_DATASETS = ["oc20", "omol", "omat", "odac", "omc"]
# Layers, largest degree and order, radial functions of the published sizes.
_SIZES = {"S": (4, 2, 2, 64), "M": (10, 4, 2, 128)}
_EXPERTS = 32
_SMALLER = {"layers", "channels", "experts"}
_KNOWN = {"size", *_SMALLER}
_UMA = "fairchem.core.models.uma."
_UNIT = "fairchem.core.units.mlip_unit.mlip_unit."


def build(card: ModelCard, stand_in: StandIn, folder: Path) -> None:
    """Save an untrained UMA 1.1; see `model_config` for the options.

    Energies are scaled by 1.5 eV and shifted by 0.1 eV per proton, so that a reader which
    forgets either is found out.
    """
    (pinned,) = card.checkpoint.files
    config = model_config(stand_in.options)
    torch.manual_seed(stand_in.seed)
    model = _network(config)
    checkpoint = MLIPInferenceCheckpoint(
        model_config={"_target_": "fairchem.core.models.base.HydraModel", **config},
        model_state_dict=model.state_dict(),
        ema_state_dict=torch.optim.swa_utils.AveragedModel(model).state_dict(),
        tasks_config=[_task(d, p) for d in _DATASETS for p in ("energy", "forces", "stress")],
    )
    torch.save(checkpoint, folder / pinned.name)


def full_size(stand_in: StandIn) -> int:
    """Return the number of parameters of the published network.

    The medium one would fill 6 GB. In the number of experts the count is a polynomial of
    degree two (the router has as many channels as twice the experts), so three small numbers
    of experts give it exactly.
    """
    options = {k: v for k, v in stand_in.options.items() if k not in _SMALLER}
    one, two, three = (
        count_parameters(_network(model_config({**options, "experts": n}))) for n in (1, 2, 3)
    )
    steps = _EXPERTS - 1
    return one + steps * (two - one) + steps * (steps - 1) // 2 * (three - 2 * two + one)


def model_config(options: dict[str, Any]) -> dict[str, Any]:
    """Return the configuration of a network.

    Options
    -------
    size
        ``S`` or ``M``.
    layers, channels, experts
        Fewer than the published network has.

    Raises
    ------
    UserError
        For an unknown option or size.
    """
    check_options(options, _KNOWN)
    size = str(options.get("size"))
    if size not in _SIZES:
        raise UserError(unknown("size of UMA", size, _SIZES))
    layers, degree, order, basis = _SIZES[size]
    channels = int(options.get("channels", 128))
    backbone = {
        "model": f"{_UMA}escn_moe.eSCNMDMoeBackbone", "model_version": 1.1,
        "num_experts": int(options.get("experts", _EXPERTS)), "moe_layer_type": "pytorch",
        "moe_dropout": 0.05, "use_composition_embedding": True, "use_global_embedding": False,
        "num_layers": int(options.get("layers", layers)), "lmax": degree, "mmax": order,
        "sphere_channels": channels, "hidden_channels": channels, "edge_channels": channels,
        "num_distance_basis": basis, "distance_function": "gaussian", "cutoff": 6.0,
        "max_num_elements": 100, "max_neighbors": 300, "otf_graph": True, "use_pbc": True,
        "use_pbc_single": True, "regress_forces": True, "regress_stress": True,
        "direct_forces": False, "norm_type": "rms_norm_sh", "act_type": "gate",
        "ff_type": "spectral", "chg_spin_emb_type": "rand_emb", "cs_emb_grad": True,
        "dataset_list": _DATASETS,
    }  # fmt: skip
    head = {
        "module": f"{_UMA}escn_moe.DatasetSpecificSingleHeadWrapper",
        "head_cls": f"{_UMA}escn_md.MLP_EFS_Head",
        "head_kwargs": {"wrap_property": False},
        "dataset_names": _DATASETS,
    }
    return {
        "backbone": backbone,
        "heads": {"energyandforcehead": head},
        "pass_through_head_outputs": True,
    }


def _network(config: dict[str, Any]) -> torch.nn.Module:
    with quiet_logging():
        made: torch.nn.Module = HydraModel(**config)
    return made


def _task(dataset: str, quantity: str) -> dict[str, Any]:
    level, size = {
        "energy": ("system", [1]), "forces": ("atom", [3]), "stress": ("system", [1, 9]),
    }[quantity]  # fmt: skip
    made: dict[str, Any] = {
        "_target_": f"{_UNIT}Task",
        "name": f"{dataset}_{quantity}",
        "level": level,
        "property": quantity,
        "out_spec": {"_target_": f"{_UNIT}OutputSpec", "dim": size, "dtype": "float32"},
        "normalizer": {
            "_target_": "fairchem.core.modules.normalization.normalizer.Normalizer",
            "mean": 0.0,
            "rmsd": 1.5,
        },
        "datasets": [dataset],
    }
    if quantity == "energy":
        references = "fairchem.core.modules.normalization.element_references.ElementReferences"
        made["element_references"] = {
            "_target_": references,
            "element_references": {
                "_target_": "torch.DoubleTensor",
                "_args_": [[-0.1 * z for z in range(119)]],
            },
        }
    return made
