"""Parameters of the published text models, counted on networks that hold no numbers."""

from __future__ import annotations

import torch
import transformers as T

from matteralign.models.architectures.text.molformer.configuration_molformer import MolformerConfig
from matteralign.models.architectures.text.molformer.modeling_molformer import MolformerForMaskedLM

# What their config.json say; everything else is the default of the architecture.
PUBLISHED = {
    "chemberta": (
        T.RobertaConfig(
            vocab_size=600, hidden_size=384, num_hidden_layers=3, num_attention_heads=12,
            intermediate_size=464, max_position_embeddings=515, type_vocab_size=1,
        ),
        T.RobertaForMaskedLM,
    ),
    "chemgpt-1.2b": (
        T.GPTNeoConfig(vocab_size=600, hidden_size=2048, max_position_embeddings=2048),
        T.GPTNeoForCausalLM,
    ),
    "deepseek-r1-distill-llama-8b": (
        T.LlamaConfig(
            vocab_size=128256, hidden_size=4096, intermediate_size=14336, num_hidden_layers=32,
            num_attention_heads=32, num_key_value_heads=8,
        ),
        T.LlamaForCausalLM,
    ),
    "qwen3-30b-a3b-thinking-2507": (
        T.Qwen3MoeConfig(
            vocab_size=151936, hidden_size=2048, moe_intermediate_size=768, num_hidden_layers=48,
            num_attention_heads=32, num_key_value_heads=4, head_dim=128, num_experts=128,
            num_experts_per_tok=8,
        ),
        T.Qwen3MoeForCausalLM,
    ),
    "gpt-oss-20b": (
        T.GptOssConfig(
            vocab_size=201088, hidden_size=2880, intermediate_size=2880, num_hidden_layers=24,
            num_attention_heads=64, num_key_value_heads=8, head_dim=64, num_local_experts=32,
        ),
        T.GptOssForCausalLM,
    ),
}  # fmt: skip


def counts() -> dict[str, list[int]]:
    """Return the parameters without and with the head, by key of a card."""
    found = {}
    for key, (config, kind) in PUBLISHED.items():
        with torch.device("meta"):
            whole = kind(config)
            head = {"add_pooling_layer": False} if "Roberta" in kind.__name__ else {}
            body = T.AutoModel.from_config(config, **head)
        found[key] = [sum(p.numel() for p in m.parameters()) for m in (body, whole)]
    with torch.device("meta"):
        whole = MolformerForMaskedLM(MolformerConfig())
    molformer = (whole.molformer, whole)
    found["molformer-xl"] = [sum(p.numel() for p in m.parameters()) for m in molformer]
    return found
