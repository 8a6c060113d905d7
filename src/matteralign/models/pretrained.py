"""Networks and tokenisers in the layout of Hugging Face, loaded from local files alone."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import AutoConfig, AutoModel, PreTrainedTokenizerFast

from matteralign.core.errors import MatterAlignError, UserError
from matteralign.core.suggest import unknown

_PRECISIONS = {
    "bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32,
}  # fmt: skip
_DTYPE = "dtype" if int(transformers.__version__.split(".")[0]) >= 5 else "torch_dtype"
# Their heads for a whole sentence are no part of a masked language model's file.
_WITHOUT_POOLER = {"albert", "bert", "molformer", "roberta"}
_FROM_MXFP4 = 16 / 4.25
"""Bits of a bfloat16 by bits of an MXFP4 weight: 4 and an 8-bit exponent for every 32."""


def load_network(
    folder: Path,
    *,
    precision: str,
    device: str,
    device_map: str | None = None,
    remote_code: bool = False,
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

    Raises
    ------
    UserError
        If the precision is not known, or weights that must be expanded do not fit in memory.
    MatterAlignError
        If the files lack a weight of the network.
    """
    if precision not in _PRECISIONS:
        raise UserError(unknown("precision", precision, _PRECISIONS))
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    config = AutoConfig.from_pretrained(
        folder, local_files_only=True, trust_remote_code=remote_code
    )
    extra: dict[str, Any] = _expanded(folder, config, precision, device)
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


def _expanded(folder: Path, config: Any, precision: str, device: str) -> dict[str, Any]:
    """Ask for MXFP4 weights in full precision, after a look at the memory of a CPU."""
    quantized = getattr(config, "quantization_config", None)
    if quantized is None:
        return {}
    method = quantized.get("quant_method")
    if method != "mxfp4":
        raise UserError(
            f"weights quantized by {method!r} cannot be read; use a checkpoint in full precision "
            "or in MXFP4"
        )
    stored = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    width = _PRECISIONS[precision].itemsize / 2
    needed, there = stored * _FROM_MXFP4 * width, _memory()
    if device == "cpu" and needed > there:
        raise UserError(
            f"MXFP4 weights of {stored / 1e9:.1f} GB become {needed / 1e9:.0f} GB in {precision}, "
            f"this machine has {there / 1e9:.0f} GB; run the model on a GPU (device cuda), or on "
            "a machine with more memory"
        )
    return {"quantization_config": transformers.Mxfp4Config(dequantize=True)}


def _memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
