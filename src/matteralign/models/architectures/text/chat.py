"""Chat models without weights: shards, tokeniser and chat template as they are published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import (
    GptOssConfig,
    GptOssForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    Qwen3MoeConfig,
    Qwen3MoeForCausalLM,
)

from matteralign.core.errors import UserError
from matteralign.core.suggest import unknown
from matteralign.models.architectures.checkpoints import Tensors, save_network
from matteralign.models.architectures.text.mxfp4 import to_mxfp4
from matteralign.models.architectures.text.vocabularies import byte_vocabulary
from matteralign.registry.card import ModelCard, StandIn

_DEEPSEEK = """\
{{- bos_token }}{% for message in messages %}{% if message.role == "system" %}{{ message.content }}\
{% elif message.role == "user" %}<｜User｜>{{ message.content }}{% endif %}{% endfor %}\
{% if add_generation_prompt %}<｜Assistant｜><think>
{% endif %}"""
_CHATML = """\
{% for message in messages %}<|im_start|>{{ message.role }}
{{ message.content }}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
<think>
{% endif %}"""
_HARMONY = """\
<|start|>system<|message|>Current date: {{ strftime_now("%Y-%m-%d") }}

Reasoning: {{ reasoning_effort | default("medium") }}<|end|>\
{% for message in messages %}{% if message.role == "system" %}\
<|start|>developer<|message|># Instructions

{{ message.content }}<|end|>{% else %}\
<|start|>{{ message.role }}<|message|>{{ message.content }}<|end|>{% endif %}{% endfor %}\
{% if add_generation_prompt %}<|start|>assistant{% endif %}"""


@dataclass(frozen=True)
class _Kind:
    config: Any
    model: Any
    marks: tuple[str, ...]
    template: str
    quantized: bool = False


_NETWORKS: Mapping[str, _Kind] = {
    "gpt-oss": _Kind(
        GptOssConfig, GptOssForCausalLM,
        ("<|startoftext|>", "<|start|>", "<|message|>", "<|end|>"), _HARMONY, quantized=True,
    ),
    "llama": _Kind(
        LlamaConfig, LlamaForCausalLM,
        ("<｜begin▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>", "<think>"), _DEEPSEEK,
    ),
    "qwen3-moe": _Kind(
        Qwen3MoeConfig, Qwen3MoeForCausalLM,
        ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>"), _CHATML,
    ),
}  # fmt: skip


def build(card: ModelCard, stand_in: StandIn, folder: Path) -> None:
    """Save an untrained network with its head, a byte-level tokeniser and a chat template.

    The template has the form of the model's own: the same marks, in the same order.

    Options
    -------
    network
        ``llama``, ``qwen3-moe`` or ``gpt-oss``, whose experts are saved in MXFP4.
    config
        What its configuration is told; the size of the vocabulary is the tokeniser's.
    """
    name = str(stand_in.options.get("network"))
    if name not in _NETWORKS:
        raise UserError(f"card {card.key}: " + unknown("network", name, _NETWORKS))
    kind = _NETWORKS[name]
    names = [f.name for f in card.checkpoint.files]
    words = byte_vocabulary(
        folder, list(kind.marks), kind.template, in_file="chat_template.jinja" in names
    )
    torch.manual_seed(stand_in.seed)
    model = kind.model(kind.config(vocab_size=words, **stand_in.options["config"]))
    save_network(model.to(torch.bfloat16), folder, names, _experts if kind.quantized else None)


def _experts(tensors: Tensors, config: dict[str, Any]) -> Tensors:
    """Turn the experts' matrices into MXFP4 and say so in the configuration."""
    config["quantization_config"] = {
        "quant_method": "mxfp4",
        "modules_to_not_convert": [
            "model.layers.*.self_attn", "model.layers.*.mlp.router", "model.embed_tokens",
            "lm_head",
        ],
    }  # fmt: skip
    changed: dict[str, torch.Tensor] = {}
    for name, tensor in tensors.items():
        if name.endswith(("experts.gate_up_proj", "experts.down_proj")):
            blocks, scales = to_mxfp4(tensor.transpose(1, 2))
            changed |= {f"{name}_blocks": blocks, f"{name}_scales": scales}
        else:
            changed[name] = tensor
    return changed
