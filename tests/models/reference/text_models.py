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
from safetensors.torch import load_file
from tokenizers import Tokenizer

from matteralign.core.errors import MatterAlignError, UserError
from matteralign.models.base.catalogue import wrapper_class
from matteralign.models.base.torch_setup import prepare_environment
from matteralign.models.contract.contract import relative_deviation
from matteralign.models.families.text.pretrained import load_network
from matteralign.models.running.jobs import build_and_load, run_job
from matteralign.registry.card import ModelCard
from matteralign.store.structures import Structure, write_structures

CARDS = {c["key"]: ModelCard.model_validate(c) for c in json.loads(Path(sys.argv[1]).read_text())}
FOLDER = Path(sys.argv[2])
prepare_environment(1, FOLDER / "scratch")
import transformers  # noqa: E402
from text_sizes import counts  # noqa: E402

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
# Texts of different lengths; the second is the one that the test writes out.
SHOWN = [TAKEN[0], replace(TAKEN[1], positions=np.array([[0.5, -1.25, 0.0]])), TAKEN[2]]


BUILT: dict[tuple[str, ...], tuple[ModelCard, Path]] = {}


def loaded(card: ModelCard, **options: Any) -> Any:
    """Load a card with other options; prompts and options share the network of a seed."""
    key = (card.wrapper, str(card.checkpoint.stand_in), *(f.name for f in card.checkpoint.files))
    if key not in BUILT:
        folder = FOLDER / card.key
        folder.mkdir()
        wrapper, _ = build_and_load(card, folder, threads=1)
        BUILT[key] = wrapper.card, folder
    built, folder = BUILT[key]
    changed = card.model_copy(
        update={
            "options": card.options | options, "latent": built.latent,
            "checkpoint": built.checkpoint, "parameters": built.parameters,
        }
    )  # fmt: skip
    return again(changed, folder), folder


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


def chat(key: str, rendered: str, user: str, shown: str) -> dict[str, Any]:
    """Compare with the text that the test expects, tokenised and averaged here."""
    found: dict[str, Any] = {}
    for tokens in ("all", "user", "content"):
        wrapper, folder = loaded(CARDS[key], tokens=tokens)
        words = Tokenizer.from_file(str(folder / "tokenizer.json"))
        encoding = words.encode(rendered, add_special_tokens=False)
        part = shown if tokens == "content" else user
        start = rendered.rindex(part)
        inside = [
            i for i, (first, last) in enumerate(encoding.offsets)
            if tokens == "all" or (last > start and first < start + len(part))
        ]  # fmt: skip
        network = transformers.AutoModel.from_pretrained(
            folder, dtype=torch.float32, **dequantized(folder)
        ).eval()
        with torch.no_grad():
            states = network(torch.tensor([encoding.ids])).last_hidden_state[0].double().numpy()
        batch = wrapper.embed(SHOWN).latents
        found[tokens] = relative_deviation(states[inside].mean(0)[None], batch[1:2])
        found[f"{tokens} tokens"] = len(inside)
    found["rendered"] = wrapper.render(wrapper.prompt.message(SHOWN[1]).text)
    found["as the tokeniser does"] = list(
        wrapper.tokenizer.apply_chat_template(
            messages(wrapper, user), tokenize=True, add_generation_prompt=True
        )["input_ids"]
    ) == list(wrapper.encode(SHOWN[1]).ids)
    return found


def messages(wrapper: Any, user: str) -> list[dict[str, str]]:
    return [
        {"role": "system", "content": wrapper.prompt.system}, {"role": "user", "content": user},
    ]  # fmt: skip


def dequantized(folder: Path) -> dict[str, Any]:
    if "quantization_config" not in json.loads((folder / "config.json").read_text()):
        return {}
    return {"quantization_config": transformers.Mxfp4Config(dequantize=True)}


def spread() -> float:
    """Load by accelerate, which puts a network on several devices, here on the one there is."""
    key = "deepseek-r1-distill-llama-8b-blank"
    one, _ = loaded(CARDS[key])
    auto, _ = loaded(CARDS[key], device_map="auto")
    return relative_deviation(one.embed(SHOWN).latents, auto.embed(SHOWN).latents)


def halves() -> float:
    key = "deepseek-r1-distill-llama-8b-blank"
    one, _ = loaded(CARDS[key])
    half, _ = loaded(CARDS[key], cpu_precision="bfloat16")
    return relative_deviation(one.embed(SHOWN).latents, half.embed(SHOWN).latents)


def experts() -> dict[str, float]:
    """Decode the MXFP4 experts by the definition of the format and compare all of them."""
    wrapper, folder = loaded(CARDS["gpt-oss-20b"])
    stored: dict[str, torch.Tensor] = {}
    for part in folder.glob("*.safetensors"):
        stored |= load_file(part)
    state = wrapper.model.state_dict()
    found = {}
    for name in [n.removesuffix("_blocks") for n in stored if n.endswith("_blocks")]:
        blocks, scales = stored[f"{name}_blocks"].numpy(), stored[f"{name}_scales"].numpy()
        codes = np.stack([blocks & 15, blocks >> 4], -1).reshape(*blocks.shape[:-1], 32)
        exponent, mantissa = codes >> 1 & 3, codes & 1
        value = np.where(
            exponent == 0, 0.5 * mantissa, (1 + 0.5 * mantissa) * 2.0 ** (exponent.astype(int) - 1)
        )
        value = np.where(codes >> 3, -value, value) * 2.0 ** (scales.astype(int) - 127)[..., None]
        value = value.reshape(*value.shape[:-2], -1).swapaxes(1, 2)
        here = state[name.removeprefix("model.")].numpy()
        found[name] = float(np.abs(value - here).max())
    return found


def unloadable() -> dict[str, str]:
    """Try configurations without weights: the refusal comes before they are read."""
    found = {}
    for name, config in {
        "large": transformers.LlamaConfig(hidden_size=32768, num_hidden_layers=200),
        "gptq": transformers.LlamaConfig(quantization_config={"quant_method": "gptq", "bits": 4}),
    }.items():
        folder = FOLDER / name
        config.save_pretrained(folder)
        try:
            load_network(folder, precision="float32", device="cpu")
        except UserError as error:
            found[name] = str(error)
    try:
        load_network(folder, precision="float31", device="cpu")
    except UserError as error:
        found["precision"] = str(error)
    return found


def sidecar() -> Any:
    """Run a job as the workflow does and return what its latents say of themselves."""
    wrapper, folder = loaded(CARDS["gpt-oss-20b"])
    where = FOLDER / "job"
    write_structures(where / "s.parquet", SHOWN, slice_name="few", dataset="none")
    paths = {name: str(where / name) for name in ("latent", "predictions", "shards", "s.parquet")}
    job = {
        "verb": "embed",
        "card": wrapper.card.model_dump(mode="json"),
        "files": {f.name: str(folder / f.name) for f in wrapper.card.checkpoint.files},
        "structures": paths.pop("s.parquet"),
    } | paths  # fmt: skip
    (where / "job.json").write_text(json.dumps(job | {"latent": paths["latent"] + ".npy"}))
    run_job(where / "job.json")
    return json.loads((where / "latent.json").read_text())


def chats() -> dict[str, Any]:
    expected = json.loads(Path(sys.argv[3]).read_text())
    atomistic, _ = loaded(CARDS["qwen3-30b-a3b-thinking-2507-blank-atomistic"])
    blank, _ = loaded(CARDS["deepseek-r1-distill-llama-8b-blank"])
    dated, _ = loaded(CARDS["gpt-oss-20b"], date="1999-12-31", template={})
    bare, _ = loaded(CARDS["gpt-oss-20b"], generation_prompt=False)
    many = Structure("many", np.full(600, 6, np.uint8), 3.0 * np.arange(1800.0).reshape(-1, 3))
    return {
        "models": {key: chat(key, *texts) for key, texts in expected.items()},
        "refused": reasons(
            atomistic,
            {
                "long": many,
                "no numbers": replace(SHOWN[1], positions=SHOWN[1].positions * np.nan),
                "without smiles": replace(SHOWN[1], smiles=None),
            },
        )
        | reasons(blank, {"none": replace(SHOWN[1], smiles=None), "shown": SHOWN[1]}),
        "date": dated.render("C"),
        "bare": bare.render("C"),
        "spread": spread(),
        "half": halves(),
        "experts": experts(),
        "unloadable": unloadable(),
        "sidecar": sidecar(),
    }


print(json.dumps({"molecules": molecules(), "chats": chats(), "sizes": counts()}))
