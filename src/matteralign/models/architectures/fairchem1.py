"""EquiformerV2, DeNS and eSEN without weights, as the trainer of fairchem-core 1 saves them."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import torch

from matteralign.core.errors import UserError
from matteralign.core.suggest import unknown
from matteralign.models.base.torch_setup import count_parameters, quiet_logging
from matteralign.models.inputs.scatter import scatter_in_torch
from matteralign.registry.card import ModelCard, StandIn
from matteralign.registry.stand_in import check_options

with scatter_in_torch(), quiet_logging():
    from fairchem.core.common.registry import registry
    from fairchem.core.common.utils import setup_imports
    from fairchem.core.modules.normalization.element_references import LinearReferences
    from fairchem.core.modules.normalization.normalizer import Normalizer

    setup_imports()

# Layers, largest degree and largest order of EquiformerV2's published sizes.
_SIZES = {"S": (8, 4, 2), "M": (10, 6, 4), "L": (20, 6, 3)}
# Backbone, head and radial functions of the published eSEN.
_ESEN = {
    "esen-mp": ("esen_backbone_dens", "esen_mlp_efs_head_dens", 10),
    "esen-oam": ("esen_backbone", "esen_mlp_efs_head", 64),
    "esen-omat": ("esen_backbone", "esen_mlp_efs_head_dens", 64),
}
_NETWORKS = ("eqv2", "eqv2-dens", *_ESEN)
_SMALLER = {"layers", "channels", "degree", "order"}
_KNOWN = {"network", "size", "names", *_SMALLER}
_DENS = "fairchem.core.models.equiformer_v2.equiformer_v2_dens."


def build(card: ModelCard, stand_in: StandIn, folder: Path) -> None:
    """Save an untrained network as the trainer saves it; see `network` for the options.

    Energies are scaled by 1.5 eV and shifted by 0.1 eV per proton, so that a reader which
    forgets either is found out.
    """
    (pinned,) = card.checkpoint.files
    checkpoint = checkpoint_of(stand_in.options, stand_in.seed)
    torch.save(checkpoint, folder / pinned.name)


def full_size(stand_in: StandIn) -> int:
    """Return the number of parameters of the published network."""
    options = {k: v for k, v in stand_in.options.items() if k not in _SMALLER}
    return count_parameters(network(options))


def model_config(options: dict[str, Any]) -> dict[str, Any]:
    """Return the configuration of a network.

    Options
    -------
    network
        ``eqv2``, ``eqv2-dens``, ``esen-mp``, ``esen-oam`` or ``esen-omat``.
    size
        ``S``, ``M`` or ``L``, of EquiformerV2 alone.
    layers, channels, degree, order
        Smaller than the published network has them; the last two of EquiformerV2 alone.
    names
        ``old`` for the names that DeNS had before 1.10.

    Raises
    ------
    UserError
        For an unknown option or network.
    """
    check_options(options, _KNOWN)
    network = str(options.get("network"))
    if network not in _NETWORKS:
        raise UserError(unknown("network of fairchem-core 1", network, _NETWORKS))
    channels = int(options.get("channels", 128))
    if network in _ESEN:
        return _esen(network, int(options.get("layers", 10)), channels)
    layers, degree, order = _SIZES[str(options.get("size"))]
    backbone = _equiformer(
        int(options.get("layers", layers)),
        int(options.get("degree", degree)),
        int(options.get("order", order)),
        channels,
    )
    if network == "eqv2":
        return _hydra(
            {"model": "equiformer_v2_backbone", **backbone},
            energy={"module": "equiformer_v2_energy_head"},
            forces={"module": "equiformer_v2_force_head"},
            stress={"module": "rank2_symmetric_head", **_STRESS},
        )
    return _hydra(
        {"model": f"{_DENS}EqV2DeNSBackbone", "use_force_encoding": True, **backbone},
        energy={"module": f"{_DENS}DeNSScalarHead", "use_denoising": True},
        forces={"module": f"{_DENS}DeNSVectorHead"},
        stress={"module": f"{_DENS}DeNSRank2Head", "use_denoising": False, **_STRESS},
    )


def network(options: dict[str, Any]) -> torch.nn.Module:
    """Return the untrained module that `options` describe."""
    config = copy.deepcopy(model_config(options))
    with quiet_logging():
        made: torch.nn.Module = registry.get_model_class(config.pop("name"))(**config)
    return made


def checkpoint_of(options: dict[str, Any], seed: int) -> dict[str, Any]:
    """Return what the trainer would save of an untrained network."""
    torch.manual_seed(seed)
    state = {f"module.{name}": value for name, value in network(options).state_dict().items()}
    model = model_config(options)
    if options.get("names") == "old":
        model, state = _with_old_names(model, state)
    references = LinearReferences(-0.1 * torch.arange(119.0))
    return {
        "state_dict": state,
        "normalizers": {"energy": Normalizer(mean=0.0, rmsd=1.5).state_dict()},
        "elementrefs": {"energy": references.state_dict()},
        "config": _config(model, "esen" in str(options["network"])),
        "ema": None,
        "amp": None,
        "epoch": 0,
        "step": 0,
    }


_STRESS = {"output_name": "stress", "use_source_target_embedding": True, "decompose": True}


def _hydra(backbone: dict[str, Any], **heads: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": "hydra",
        "pass_through_head_outputs": True,
        "otf_graph": True,
        "backbone": backbone,
        "heads": heads,
    }


def _equiformer(layers: int, degree: int, order: int, channels: int) -> dict[str, Any]:
    return {
        "use_pbc": True, "use_pbc_single": True, "otf_graph": True,
        "enforce_max_neighbors_strictly": False, "max_neighbors": 20, "max_radius": 12.0,
        "max_num_elements": 96, "avg_num_nodes": 31.17, "avg_degree": 61.95,
        "num_layers": layers, "lmax_list": [degree], "mmax_list": [order],
        "sphere_channels": channels, "ffn_hidden_channels": channels, "edge_channels": channels,
        "attn_hidden_channels": channels // 2, "attn_alpha_channels": channels // 2,
        "attn_value_channels": channels // 8, "num_heads": 8,
        "norm_type": "layer_norm_sh", "grid_resolution": 18, "use_atom_edge_embedding": True,
        "distance_function": "gaussian", "attn_activation": "silu", "ffn_activation": "silu",
        "use_grid_mlp": True, "alpha_drop": 0.1, "drop_path_rate": 0.1, "weight_init": "uniform",
    }  # fmt: skip


def _esen(network: str, layers: int, channels: int) -> dict[str, Any]:
    backbone, head, basis = _ESEN[network]
    return _hydra(
        {
            "model": backbone, "max_num_elements": 100, "lmax": 3, "mmax": 2,
            "sphere_channels": channels, "hidden_channels": channels, "edge_channels": channels,
            "otf_graph": True, "max_neighbors": 300, "use_pbc": True, "use_pbc_single": True,
            "cutoff": 6.0, "distance_function": "gaussian", "num_distance_basis": basis,
            "direct_forces": False, "regress_forces": True, "regress_stress": True,
            "num_layers": layers, "norm_type": "rms_norm_sh", "act_type": "gate",
            "mlp_type": "spectral", "use_envelope": True,
        },
        mptrj={"module": head},
    )  # fmt: skip


def _config(model: dict[str, Any], conservative: bool) -> dict[str, Any]:
    stress = {
        "decomposition": {
            "stress_isotropic": {"irrep_dim": 0},
            "stress_anisotropic": {"irrep_dim": 2},
        }
    }
    return {
        "trainer": "mlip_trainer" if conservative else "equiformerv2_forces",
        "task": {},
        "model": model,
        "dataset": {"src": None, "format": "ase_db"},
        "outputs": {
            "energy": {"level": "system", "property": "energy"},
            "forces": {"level": "atom", "property": "forces"},
            "stress": {"level": "system", "property": "stress", **({} if conservative else stress)},
        },
        "loss_functions": [{"energy": {"fn": "mae", "coefficient": 1}}],
        "evaluation_metrics": {"primary_metric": "energy_mae", "metrics": {"energy": ["mae"]}},
        "optim": {"batch_size": 1, "eval_batch_size": 1, "max_epochs": 1, "ema_decay": 0.999},
        "cmd": {"seed": 0},
        "slurm": {},
        "amp": False,
    }


def _with_old_names(
    model: dict[str, Any], state: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a DeNS network under the names in which its larger sizes circulate."""
    heads = model["heads"]
    heads["energy"] = {"module": f"{_DENS}DeNSEnergyHead"}
    heads["forces"] = {"module": f"{_DENS}DeNSForceHead"}
    del heads["stress"]["use_denoising"]
    model["backbone"] |= {"use_denoising_energy": True, "use_denoising_stress": False}
    renamed = {
        key.replace("energy.scalar_block", "energy.energy_block").replace(
            "forces.vector_block", "forces.force_block"
        ): value
        for key, value in state.items()
    }
    return model, renamed
