"""Networks and tokenisers in the layout of Hugging Face, loaded from local files alone."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import AutoConfig, AutoModel, PreTrainedTokenizerFast

from matteralign.core.errors import MatterAlignError, UserError
from matteralign.core.suggest import unknown
from matteralign.models.base.torch_setup import count_parameters

_PRECISIONS = {
    "bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32,
}  # fmt: skip
_DTYPE = "dtype" if int(transformers.__version__.split(".")[0]) >= 5 else "torch_dtype"
# Their heads for a whole sentence are no part of a masked language model's file.
_WITHOUT_POOLER = {"albert", "bert", "molformer", "roberta"}


def load_network(
    folder: Path,
    *,
    precision: str,
    device: str,
    device_map: str | None = None,
    remote_code: bool = False,
    changes: Mapping[str, Any] | None = None,
) -> torch.nn.Module:
    """Load the network below `folder` without its head, ready to run.

    Parameters
    ----------
    folder
        Has ``config.json`` and the weights: ``model.safetensors``, its shards with their
        index, or ``pytorch_model.bin``, which is opened with ``weights_only=True``.
    precision
        Type of the weights: ``float32``, ``bfloat16`` or ``float16``.
    device_map
        How accelerate spreads the network over several GPUs, such as ``auto``; None puts all
        of it on `device`.
    remote_code
        Whether Python files in `folder`, which ``config.json`` names, are run.
    changes
        Values that replace those in ``config.json``.

    Raises
    ------
    UserError
        If the precision is not known, the weights are quantized in a way that cannot be read,
        or the network is larger than the memory of a CPU.
    MatterAlignError
        If the files lack a weight of the network.
    """
    if precision not in _PRECISIONS:
        raise UserError(unknown("precision", precision, _PRECISIONS))
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    config = AutoConfig.from_pretrained(
        folder, local_files_only=True, trust_remote_code=remote_code, **(changes or {})
    )
    extra = _quantization(config)
    if device == "cpu" and not remote_code:
        _refuse_too_large(config, precision)
    if config.model_type in _WITHOUT_POOLER:
        extra["add_pooling_layer"] = False
    if device_map is not None:
        extra["device_map"] = device_map
    extra[_DTYPE] = _PRECISIONS[precision]
    model, found = AutoModel.from_pretrained(
        folder,
        config=config,
        local_files_only=True,
        trust_remote_code=remote_code,
        output_loading_info=True,
        **extra,
    )
    absent = sorted(found["missing_keys"]) + sorted(map(str, found["mismatched_keys"]))
    if absent:
        raise MatterAlignError(
            f"{type(model).__name__}: the checkpoint lacks {len(absent)} weights of the network "
            f"in config.json, or has them in another shape, such as {absent[:3]}"
        )
    if device_map is None:
        model.to(device)
    model.config.use_cache = False
    network: torch.nn.Module = model.eval().requires_grad_(False)
    return network


def longest_input(model: torch.nn.Module) -> int:
    """Return how many tokens a network takes at most."""
    config: Any = model.config
    most = int(config.max_position_embeddings)
    # RoBERTa counts positions from the one after its padding's.
    return most - int(config.pad_token_id) - 1 if config.model_type == "roberta" else most


def load_tokenizer(folder: Path) -> Any:
    """Load ``tokenizer.json`` below `folder` as it stands, with its configuration.

    The class that ``tokenizer_config.json`` names is passed over: some of them build another
    tokeniser than the file describes.
    """
    return PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True)


def _quantization(config: Any) -> dict[str, Any]:
    """Ask for MXFP4 weights as numbers of the wanted precision; nothing else can be read.

    Kernels that compute in MXFP4 are fetched when they are first used and run on some GPUs
    alone; the numbers that the weights stand for are the same everywhere.
    """
    quantized = getattr(config, "quantization_config", None)
    if quantized is None:
        return {}
    method = quantized.get("quant_method")
    if method != "mxfp4":
        raise UserError(
            f"weights quantized by {method!r} cannot be read; use a checkpoint in full precision "
            "or in MXFP4"
        )
    return {"quantization_config": transformers.Mxfp4Config(dequantize=True)}


def _refuse_too_large(config: Any, precision: str) -> None:
    """Refuse a network that is larger than the memory of this machine before reading it."""
    with torch.device("meta"):
        count = count_parameters(AutoModel.from_config(config))
    needed = count * _PRECISIONS[precision].itemsize
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > there:
        raise UserError(
            f"the network's {count:,} parameters take {needed / 1e9:.0f} GB in {precision}, this "
            f"machine has {there / 1e9:.0f} GB of memory; run it on a GPU (device cuda), or give "
            "the card the option cpu_precision: bfloat16 where that is enough"
        )
