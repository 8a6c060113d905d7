"""MoLFormer without weights: an encoder with rotary positions and linear attention.

After Ross et al., Nat. Mach. Intell. 2022, 4, 1256, and the papers it builds on: linear
attention (Katharopoulos et al., arXiv:2006.16236) with generalized features (Choromanski et al.,
arXiv:2009.14794) and rotary positions (Su et al., arXiv:2104.09864). Weights have the names of
the published file, so that the wrapper loads both alike; the published code is no part of this
package.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput, MaskedLMOutput

from matteralign.models.architectures.text.molformer.configuration_molformer import MolformerConfig

_BASE = 10_000.0


def turned(x: torch.Tensor) -> torch.Tensor:
    """Turn pairs of channels by an angle that grows with the position, shape (B, H, L, c)."""
    half = x.shape[-1] // 2
    speed = _BASE ** (-torch.arange(half, device=x.device, dtype=torch.float32) / half)
    angle = torch.arange(x.shape[-2], device=x.device)[:, None] * speed
    cosine, sine = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
    first, second = x[..., :half], x[..., half:]
    return torch.cat([first * cosine - second * sine, second * cosine + first * sine], -1)


class FeatureMap(nn.Module):
    """ReLU of random projections, in blocks of orthogonal directions of random length."""

    def __init__(self, config: MolformerConfig) -> None:
        super().__init__()
        self.channels = config.hidden_size // config.num_attention_heads
        self.features = config.num_random_features
        self.fixed = config.deterministic_eval
        self.register_buffer("weight", self.drawn(None))

    def drawn(self, device: Any) -> torch.Tensor:
        """Draw new directions, shape (channels, features)."""
        blocks = []
        for _ in range(-(-self.features // self.channels)):
            gauss = torch.randn(self.channels, self.channels, device=device)
            blocks.append(torch.linalg.qr(gauss).Q * gauss.norm(dim=1))
        return torch.cat(blocks, 1)[:, : self.features]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(x @ self.weight)


class SelfAttention(nn.Module):
    """Linear attention: the sum over keys is made once for all queries."""

    def __init__(self, config: MolformerConfig) -> None:
        super().__init__()
        self.heads, self.eps = config.num_attention_heads, config.linear_attention_eps
        for name in ("query", "key", "value"):
            setattr(self, name, nn.Linear(config.hidden_size, config.hidden_size))
        self.feature_map = FeatureMap(config)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        query, key, value = (
            layer(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        if self.training or not self.feature_map.fixed:
            self.feature_map.weight = self.feature_map.drawn(x.device)
        query, key = self.feature_map(turned(query)), self.feature_map(turned(key))
        key = key * mask[:, None, :, None]
        norm = (query @ key.sum(-2)[..., None]).clamp(min=self.eps)
        return (query @ (key.transpose(-1, -2) @ value) / norm).transpose(1, 2).flatten(-2)


class Projection(nn.Module):
    """A linear layer, the input of the block added, normalised."""

    def __init__(self, size: int, config: MolformerConfig) -> None:
        super().__init__()
        self.dense = nn.Linear(size, config.hidden_size)
        self.LayerNorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)

    def forward(self, x: torch.Tensor, residual: torch.Tensor) -> torch.Tensor:
        normalised: torch.Tensor = self.LayerNorm(self.dense(x) + residual)
        return normalised


class Layer(nn.Module):
    """Attention and two linear layers, each with its residual."""

    def __init__(self, config: MolformerConfig) -> None:
        super().__init__()
        self.attention = nn.ModuleDict(
            {"self": SelfAttention(config), "output": Projection(config.hidden_size, config)}
        )
        wide = nn.Linear(config.hidden_size, config.intermediate_size)
        self.intermediate = nn.ModuleDict({"dense": wide})
        self.output = Projection(config.intermediate_size, config)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        x = self.attention["output"](self.attention["self"](x, mask), x)
        wide = nn.functional.gelu(self.intermediate["dense"](x))
        made: torch.Tensor = self.output(wide, x)
        return made


class MolformerPreTrainedModel(PreTrainedModel):
    """What transformers asks about the networks below."""

    config_class = MolformerConfig
    base_model_prefix = "molformer"

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Linear | nn.Embedding):
            module.weight.data.normal_(std=0.02)
        if isinstance(module, nn.Linear) and module.bias is not None:
            module.bias.data.zero_()


class MolformerModel(MolformerPreTrainedModel):
    """The encoder."""

    def __init__(self, config: MolformerConfig, add_pooling_layer: bool = True) -> None:
        super().__init__(config)
        words = nn.Embedding(config.vocab_size, config.hidden_size, config.pad_token_id)
        self.embeddings = nn.ModuleDict({"word_embeddings": words})
        layers = [Layer(config) for _ in range(config.num_hidden_layers)]
        self.encoder = nn.ModuleDict({"layer": nn.ModuleList(layers)})
        self.LayerNorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.post_init()

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> Any:
        """Return `last_hidden_state`, shape (B, L, hidden_size)."""
        x = self.embeddings["word_embeddings"](input_ids)
        mask = attention_mask.to(x.dtype)
        for layer in self.encoder["layer"]:
            x = layer(x, mask)
        return BaseModelOutput(last_hidden_state=self.LayerNorm(x))


class Head(nn.Module):
    """From states to words."""

    def __init__(self, config: MolformerConfig) -> None:
        super().__init__()
        size = config.hidden_size
        normed = nn.LayerNorm(size, eps=config.layer_norm_eps)
        self.transform = nn.ModuleDict({"dense": nn.Linear(size, size), "LayerNorm": normed})
        self.decoder = nn.Linear(size, config.vocab_size, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.transform["LayerNorm"](nn.functional.gelu(self.transform["dense"](x)))
        words: torch.Tensor = self.decoder(x)
        return words


class MolformerForMaskedLM(MolformerPreTrainedModel):
    """The encoder with the head it is trained with, as it is published."""

    def __init__(self, config: MolformerConfig) -> None:
        super().__init__(config)
        self.molformer = MolformerModel(config, add_pooling_layer=False)
        self.lm_head = Head(config)
        self.post_init()

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> Any:
        """Return `logits`, shape (B, L, vocab_size)."""
        states = self.molformer(input_ids, attention_mask).last_hidden_state
        return MaskedLMOutput(logits=self.lm_head(states))
