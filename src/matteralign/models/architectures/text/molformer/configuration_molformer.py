"""The configuration of MoLFormer, with the values of its published ``config.json``."""

from __future__ import annotations

from typing import Any

from transformers import PretrainedConfig


class MolformerConfig(PretrainedConfig):
    """Sizes of the network; names are those of the published file."""

    model_type = "molformer"

    def __init__(
        self,
        vocab_size: int = 2362,
        hidden_size: int = 768,
        num_hidden_layers: int = 12,
        num_attention_heads: int = 12,
        intermediate_size: int = 768,
        num_random_features: int = 32,
        max_position_embeddings: int = 202,
        layer_norm_eps: float = 1e-12,
        linear_attention_eps: float = 1e-6,
        deterministic_eval: bool = False,
        pad_token_id: int = 2,
        **more: Any,
    ) -> None:
        self.vocab_size = vocab_size
        self.hidden_size = hidden_size
        self.num_hidden_layers = num_hidden_layers
        self.num_attention_heads = num_attention_heads
        self.intermediate_size = intermediate_size
        self.num_random_features = num_random_features
        self.max_position_embeddings = max_position_embeddings
        self.layer_norm_eps = layer_norm_eps
        self.linear_attention_eps = linear_attention_eps
        self.deterministic_eval = deterministic_eval
        untied = {"tie_word_embeddings": False}
        super().__init__(pad_token_id=pad_token_id, **(untied | more))
