"""Text models on untrained networks: averages, padding and refusals; prints one JSON object.

The expected averages use transformers' own classes, one structure at a time without padding,
and numpy.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer

from matteralign.core.errors import MatterAlignError
from matteralign.models.catalogue import wrapper_class
from matteralign.models.contract import relative_deviation
from matteralign.models.jobs import build_and_load
from matteralign.models.torch_setup import prepare_environment
from matteralign.registry.card import ModelCard
from matteralign.store.structures import Structure

CARDS = {c["key"]: ModelCard.model_validate(c) for c in json.loads(Path(sys.argv[1]).read_text())}
FOLDER = Path(sys.argv[2])
prepare_environment(1, FOLDER / "scratch")
import transformers  # noqa: E402

transformers.logging.disable_progress_bar()

MOLECULES = {
    "benzene": ("c1ccccc1", "[C][=C][C][=C][C][=C][Ring1][=Branch1]"),
    "ethanol": ("CCO", "[C][C][O]"),
    "water": ("O", "[O]"),
    "cyanide": ("C#N", "[C][#N]"),
}


def structure(name: str, smiles: str | None, selfies: str | None) -> Structure:
    # Its atoms are not the molecule's: a model of SMILES must not look.
    return Structure(
        name, np.array([6], np.uint8), np.zeros((1, 3)), smiles=smiles, selfies=selfies
    )


TAKEN = [structure(name, *texts) for name, texts in MOLECULES.items()]


def loaded(card: ModelCard, **options: Any) -> Any:
    changed = card.model_copy(update={"options": card.options | options})
    folder = FOLDER / f"{card.key}-{len(list(FOLDER.iterdir()))}"
    folder.mkdir()
    wrapper, _ = build_and_load(changed, folder, threads=1)
    return wrapper, folder


def alone(network: Any, ids: list[int], kept: slice) -> np.ndarray:
    with torch.no_grad():
        states = network(torch.tensor([ids])).last_hidden_state[0]
    return states.double().numpy()[kept].mean(axis=0)


def averages(key: str, network_class: Any, chosen: dict[str, slice]) -> dict[str, float]:
    found = {}
    for tokens, kept in chosen.items():
        wrapper, folder = loaded(CARDS[key], tokens=tokens)
        words = Tokenizer.from_file(str(folder / "tokenizer.json"))
        # The wrapper drops a head for sentences that the file has no weights for.
        network = network_class.from_pretrained(folder).eval()
        texts = [s.selfies if wrapper.card.accepts.needs == "selfies" else s.smiles for s in TAKEN]
        expected = [alone(network, words.encode(text).ids, kept) for text in texts]
        found[tokens] = relative_deviation(np.stack(expected), wrapper.embed(TAKEN).latents)
    return found


def reasons(wrapper: Any, cases: dict[str, Structure]) -> dict[str, Any]:
    found = {name: wrapper.refuse(case) for name, case in cases.items()}
    return {name: refusal and list(refusal) for name, refusal in found.items()}


def molecules() -> dict[str, Any]:
    long = "C" * 600
    smiles, folder = loaded(CARDS["chemberta"])
    selfies, _ = loaded(CARDS["chemgpt-1.2b"])
    ethanol = TAKEN[1]
    report: dict[str, Any] = {
        "smiles": averages(
            "chemberta",
            transformers.RobertaModel,
            {"all": slice(None), "content": slice(1, -1), "first": slice(1)},
        ),
        "selfies": averages("chemgpt-1.2b", transformers.GPTNeoModel, {"all": slice(None)}),
        "refused": reasons(
            smiles,
            {
                "taken": ethanol,
                "unknown": replace(ethanol, smiles="C[Si](C)C"),
                "long": replace(ethanol, smiles=long),
                "fits": replace(ethanol, smiles="C" * 510),
                "none": replace(ethanol, smiles=None),
            },
        )
        | reasons(
            selfies,
            {
                "selfies unknown": replace(ethanol, smiles="C[Si]", selfies="[C][Si]"),
                "selfies long": replace(ethanol, smiles=long, selfies="[C]" * 129),
                "selfies none": replace(ethanol, selfies=None),
            },
        ),
    }
    report["dropped"] = dropped(folder, smiles.card)
    report["padded left"] = padded_left(folder, smiles)
    report["incomplete"] = incomplete(folder, smiles.card)
    return report


def again(card: ModelCard, folder: Path) -> Any:
    return wrapper_class(card.wrapper)(
        card, {f.name: folder / f.name for f in card.checkpoint.files}, "cpu"
    )


def dropped(folder: Path, card: ModelCard) -> Any:
    """Refuse with a tokeniser that has no unknown token and leaves out what it does not know."""
    path = folder / "tokenizer.json"
    kept = path.read_text()
    words = json.loads(kept)
    vocabulary = words["model"]["vocab"]
    words["model"] = {"type": "BPE", "vocab": vocabulary, "merges": []}
    path.write_text(json.dumps(words))
    wrapper = again(card, folder)
    path.write_text(kept)
    found = wrapper.refuse(replace(TAKEN[1], smiles="CC[Si]"))
    return list(found) if found else None


def padded_left(folder: Path, wrapper: Any) -> float:
    path = folder / "tokenizer_config.json"
    settings = json.loads(path.read_text())
    path.write_text(json.dumps(settings | {"padding_side": "left"}))
    return relative_deviation(
        wrapper.embed(TAKEN).latents, again(wrapper.card, folder).embed(TAKEN).latents
    )


def incomplete(folder: Path, card: ModelCard) -> str:
    path = folder / "pytorch_model.bin"
    state = torch.load(path, weights_only=True)
    torch.save({k: v for k, v in state.items() if "layer.1.output" not in k}, path)
    try:
        again(card, folder)
    except MatterAlignError as error:
        return str(error)
    return "loaded"


print(json.dumps({"molecules": molecules()}))
