"""Checkpoints of fairchem-core 1 as its last release, 1.10, reads them.

The file itself is never changed: what follows works on what was read from it.
"""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import torch

from matteralign.core.errors import IntegrityError

# Heads of EquiformerV2-DeNS before 1.10, and the part of each that was renamed with it.
_RENAMED = {
    "DeNSEnergyHead": ("DeNSScalarHead", "energy_block", "scalar_block"),
    "DeNSForceHead": ("DeNSVectorHead", "force_block", "vector_block"),
}
# Flags of the old backbone that are arguments of the new heads: wanted in training alone.
_MOVED = {"use_denoising_energy": "energy", "use_denoising_stress": "stress"}


# Metrics are saved beside the weights, as numbers of numpy.
_HARMLESS: list[Any] = [
    np.float64(0).__reduce__()[0],
    np.dtype,
    np.dtypes.Float64DType,
    np.dtypes.Int64DType,
]


def read_checkpoint(path: Path, trusted: bool) -> dict[str, Any]:
    """Return a checkpoint as fairchem-core 1.10 reads it; see `readable`.

    Parameters
    ----------
    path
        Saved by the trainer of fairchem-core 1.
    trusted
        Open as a pickle what is more than tensors and numbers: the file's hash was checked, and
        its card says that it may execute code.

    Raises
    ------
    IntegrityError
        If it is more than that and not trusted, or no such checkpoint.
    """
    try:
        with torch.serialization.safe_globals(_HARMLESS):
            found = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if not trusted:
            raise IntegrityError(
                f"{path}: holds more than tensors and numbers, and its card does not say "
                "`executes_code: true`; not opened"
            ) from error
        found = torch.load(path, map_location="cpu", weights_only=False)
    return readable(found, path)


def readable(checkpoint: dict[str, Any], path: Path) -> dict[str, Any]:
    """Return a checkpoint with the names and the layout that 1.10 expects.

    The published configurations of EquiformerV2-DeNS M and L name heads that 1.10 does not
    have; they, their weights and two flags get their new names. The training set moves to
    where the calculator looks for it when it is given a configuration and not a path.

    Raises
    ------
    IntegrityError
        If `checkpoint` is not one of fairchem-core 1.
    """
    if not isinstance(checkpoint, dict) or not {"config", "state_dict"} <= set(checkpoint):
        raise IntegrityError(f"{path}: not a checkpoint of fairchem-core 1: no config, state_dict")
    config = copy.deepcopy(checkpoint["config"])
    config["dataset"] = {"train": {**(config.get("dataset") or {}), "src": None}}
    config["is_debug"] = True  # writes no folders
    model = config.get("model_attributes") or config["model"]
    renamed = _rename_heads(model)
    state = {_renamed_key(k, renamed): v for k, v in checkpoint["state_dict"].items()}
    return {**checkpoint, "config": config, "state_dict": state}


def _rename_heads(model: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Rename heads in a model's configuration; return old and new part by head."""
    renamed: dict[str, tuple[str, str]] = {}
    heads, backbone = model.get("heads", {}), model.get("backbone", {})
    for name, head in heads.items():
        package, _, kind = str(head["module"]).rpartition(".")
        if kind in _RENAMED:
            new, old_part, new_part = _RENAMED[kind]
            head["module"] = f"{package}.{new}"
            renamed[name] = (old_part, new_part)
    for flag, head in _MOVED.items():
        if flag in backbone:
            value = backbone.pop(flag)
            if head in heads:
                heads[head]["use_denoising"] = value
    return renamed


def _renamed_key(key: str, renamed: dict[str, tuple[str, str]]) -> str:
    for head, (old, new) in renamed.items():
        key = key.replace(f"output_heads.{head}.{old}.", f"output_heads.{head}.{new}.")
    return key
