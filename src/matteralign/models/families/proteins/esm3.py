"""ESM3-open through the package esm, on its sequence track or its structure track."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from esm.models.esm3 import ESM3
from esm.models.vqvae import StructureTokenEncoder
from esm.pretrained import register_local_model
from esm.tokenization import get_esm3_model_tokenizers
from esm.utils import encoding
from esm.utils.constants.models import ESM3_OPEN_SMALL
from esm.utils.misc import stack_variable_length_tensors

from matteralign.core.errors import UserError
from matteralign.core.suggest import unknown
from matteralign.models.base.torch_setup import count_parameters
from matteralign.models.base.wrapper import Embedded
from matteralign.models.families.proteins.chains import (
    ChainWrapper,
    centred,
    mean_over_residues,
    resolved,
)
from matteralign.models.families.proteins.esmc import network_sizes, residue_letters
from matteralign.registry.card import ModelCard
from matteralign.store.structures import Structure

NETWORK = "esm3_sm_open_v1.pth"
STRUCTURE_ENCODER = "esm3_structure_encoder_v0.pth"

_TRACKS = ("sequence", "structure")
_ATOM37 = (0, 1, 2)  # N, CA and C in the order of the package's 37 atoms


class Esm3Wrapper(ChainWrapper):
    """``embeddings`` of the last layer, which this package gives before its final norm.

    One track alone is given, as ``ESM3.logits`` of a protein with nothing else does: on the
    sequence track the amino acids; on the structure track N, CA and C, as coordinates and as
    the tokens that the package's own structure encoder makes of them, while every place of
    the sequence is the mask token. Residues without coordinates are masked there as the
    package does it, and left out of the mean.

    Options
    -------
    track
        ``sequence`` or ``structure``; the latter needs the structure encoder's file as well.
    """

    family: ClassVar[str] = "esm3"
    options_known: ClassVar[Mapping[str, Any]] = {"track": "sequence"}

    def __init__(self, card: ModelCard, files: Mapping[str, Path], device: str) -> None:
        super().__init__(card, files, device)
        self._track = str(self.options["track"])
        if self._track not in _TRACKS:
            raise UserError(f"card {card.key}: " + unknown("track", self._track, _TRACKS))
        register_local_model(ESM3_OPEN_SMALL, self._build)
        self._model: Any = ESM3.from_pretrained(ESM3_OPEN_SMALL, device=torch.device("cpu"))
        self._model.to(device).eval().requires_grad_(False)
        if self._track == "structure":
            self._model.get_structure_encoder().to(device).eval().requires_grad_(False)

    def _build(self, device: Any) -> ESM3:
        tensors = torch.load(self.file(NETWORK), map_location=device, weights_only=True)
        model = build_esm3(esm3_sizes(tensors), self._build_encoder)
        model.load_state_dict(tensors)
        return model

    def _build_encoder(self, device: Any) -> StructureTokenEncoder:
        tensors = torch.load(self.file(STRUCTURE_ENCODER), map_location=device, weights_only=True)
        encoder = StructureTokenEncoder(**encoder_sizes(tensors))
        encoder.load_state_dict(tensors)
        return encoder

    def n_parameters(self) -> int:
        # The structure encoder, once asked for, is a part of the network.
        return count_parameters(self._model)

    def packages(self) -> list[str]:
        return ["numpy", "torch", "esm", "transformers", "tokenizers"]

    def letters(self) -> frozenset[str] | None:
        return residue_letters() if self._track == "sequence" else None

    def embed(self, batch: Sequence[Structure]) -> Embedded:
        with torch.no_grad():
            if self._track == "sequence":
                found = self._model(**self._sequences(batch)).embeddings
                places = [np.arange(1, 1 + len(s.sequence or "")) for s in batch]
            else:
                found = self._model(**self._structures(batch)).embeddings
                places = [np.flatnonzero(resolved(s, 3)) + 1 for s in batch]
        return Embedded(mean_over_residues(found, places))

    def _sequences(self, batch: Sequence[Structure]) -> dict[str, torch.Tensor]:
        tokenizer = self._model.tokenizers.sequence
        tokens = stack_variable_length_tensors(
            [encoding.tokenize_sequence(s.sequence or "", tokenizer) for s in batch],
            constant_value=tokenizer.pad_token_id,
        ).to(self.device)
        return {"sequence_tokens": tokens, "sequence_id": tokens != tokenizer.pad_token_id}

    def _structures(self, batch: Sequence[Structure]) -> dict[str, torch.Tensor]:
        tokenizer = self._model.tokenizers.structure
        coordinates, tokens = [], []
        for structure in batch:
            made, _, ids = encoding.tokenize_structure(
                torch.from_numpy(atom37(structure)), self._model.get_structure_encoder(), tokenizer
            )
            coordinates.append(made)
            tokens.append(ids)
        padded = stack_variable_length_tensors(tokens, constant_value=tokenizer.pad_token_id)
        where = stack_variable_length_tensors(coordinates, constant_value=torch.inf)
        return {
            "structure_tokens": padded,
            "structure_coords": where,
            "per_res_plddt": where.isfinite().all(dim=-1).any(dim=-1).float(),
            "sequence_id": padded != tokenizer.pad_token_id,
        }


def atom37(structure: Structure) -> np.ndarray:
    """Return N, CA and C in the package's order of 37 atoms, shape (L, 37, 3), NaN elsewhere."""
    backbone = centred(structure, 3)
    made = np.full((len(backbone), 37, 3), np.nan, np.float32)
    made[:, _ATOM37] = backbone
    return made


def build_esm3(sizes: Mapping[str, int], structure_encoder: Any) -> ESM3:
    """Return a network with initial weights; it is asked for no decoder."""
    with _without_download():
        tokenizers = get_esm3_model_tokenizers(ESM3_OPEN_SMALL)
    return ESM3(
        **sizes,
        structure_encoder_fn=structure_encoder,
        structure_decoder_fn=structure_encoder,
        function_decoder_fn=structure_encoder,
        tokenizers=tokenizers,
    )


@contextmanager
def _without_download() -> Iterator[None]:
    """Keep the package from fetching a snapshot for the vocabularies of tracks left empty.

    With this variable it looks for its data below the working folder, when they are used.
    """
    before = os.environ.get("INFRA_PROVIDER")
    os.environ["INFRA_PROVIDER"] = "1"
    try:
        yield
    finally:
        del os.environ["INFRA_PROVIDER"]
        if before is not None:
            os.environ["INFRA_PROVIDER"] = before


def esm3_sizes(tensors: Mapping[str, torch.Tensor]) -> dict[str, int]:
    """Return the sizes of the network that `tensors` are of."""
    heads = tensors["transformer.blocks.0.geom_attn.distance_scale_per_head"].shape[0]
    return {**network_sizes(tensors), "v_heads": heads}


def encoder_sizes(tensors: Mapping[str, torch.Tensor]) -> dict[str, int]:
    """Return the sizes of the structure encoder that `tensors` are of."""
    codes, out = tensors["codebook.embeddings"].shape
    blocks = {n.split(".")[2] for n in tensors if n.startswith("transformer.blocks.")}
    return {
        "d_model": tensors["pre_vq_proj.weight"].shape[1],
        "n_heads": 1,
        "v_heads": tensors["transformer.blocks.0.geom_attn.distance_scale_per_head"].shape[0],
        "n_layers": len(blocks),
        "d_out": out,
        "n_codes": codes,
    }
