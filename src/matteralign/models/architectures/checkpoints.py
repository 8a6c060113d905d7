"""Write a network of transformers under the file names of its published checkpoint."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import load_file, save_file

from matteralign.core.files import read_json, write_json

Tensors = Mapping[str, torch.Tensor]
INDEX = "model.safetensors.index.json"


def save_network(
    model: Any,
    folder: Path,
    names: Sequence[str],
    change: Callable[[Tensors, dict[str, Any]], Tensors] | None = None,
) -> None:
    """Save ``config.json`` and the weights, in one file or in as many shards as `names` has.

    Parameters
    ----------
    model
        A network with its head, as it is published.
    names
        Files of the card: ``pytorch_model.bin``, or safetensors with their index where there
        are several.
    change
        Makes of the tensors and the configuration what the published file has instead.
    """
    transformers.logging.disable_progress_bar()
    with tempfile.TemporaryDirectory(dir=folder, prefix="saved-") as saved:
        model.save_pretrained(saved)
        config = read_json(Path(saved) / "config.json")
        tensors: Tensors = {}
        for part in sorted(Path(saved).glob("*.safetensors")):
            tensors = {**tensors, **load_file(part)}
        if change is not None:
            tensors = change(tensors, config)
        write_json(folder / "config.json", config)
    if "pytorch_model.bin" in names:
        torch.save(dict(tensors), folder / "pytorch_model.bin")
    else:
        _save_shards(tensors, folder, [n for n in names if n.endswith(".safetensors")])


def _save_shards(tensors: Tensors, folder: Path, shards: Sequence[str]) -> None:
    order = sorted(tensors)
    parts = {shard: order[i :: len(shards)] for i, shard in enumerate(sorted(shards))}
    for shard, keys in parts.items():
        save_file({k: tensors[k].contiguous() for k in keys}, folder / shard, {"format": "pt"})
    if len(shards) > 1:
        where = {key: shard for shard, keys in parts.items() for key in keys}
        total = sum(t.numel() * t.element_size() for t in tensors.values())
        write_json(folder / INDEX, {"metadata": {"total_size": total}, "weight_map": where})
