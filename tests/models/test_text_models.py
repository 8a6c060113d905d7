"""Models of text on untrained networks: which tokens are averaged, and what is refused."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import matteralign
from matteralign.registry.load import load_cards

pytestmark = [pytest.mark.models, pytest.mark.network]

SCRIPT = Path(__file__).parent / "reference" / "text_models.py"
ONE_SENTENCE = "You are an expert chemist who is shown one molecule as a SMILES string."
LONG = (
    Path(matteralign.__file__).parent / "models" / "prompts" / "long.txt"
).read_text().removeprefix("[system]\n").removesuffix("\n[user]\nSMILES: {smiles}\n")  # fmt: skip
ATOMS = (
    "Atoms(symbols='C', pbc=False) 'numbers': [6], 'positions': [[0.5, -1.25, 0.0]], "
    "'cell': [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]], 'pbc': [False, False, False]"
)
# The whole input about one molecule, in the form of each model's chat template, and of it the
# user's message and the structure.
CHATS = {
    "deepseek-r1-distill-llama-8b-blank": (
        f"<｜begin▁of▁sentence｜>{ONE_SENTENCE}<｜User｜>SMILES: CCO<｜Assistant｜><think>\n",
        "SMILES: CCO", "CCO",
    ),
    "qwen3-30b-a3b-thinking-2507-blank-atomistic": (
        "<|im_start|>system\nYou are an expert chemist who is shown one atomic structure as an ASE "
        f"Atoms object.<|im_end|>\n<|im_start|>user\nThe atomic structure: {ATOMS}<|im_end|>\n"
        "<|im_start|>assistant\n<think>\n",
        f"The atomic structure: {ATOMS}", ATOMS,
    ),
    "gpt-oss-20b": (
        "<|start|>system<|message|>Current date: 2025-12-03\n\nReasoning: medium<|end|>"
        f"<|start|>developer<|message|># Instructions\n\n{LONG}<|end|>"
        "<|start|>user<|message|>SMILES: CCO<|end|><|start|>assistant",
        "SMILES: CCO", "CCO",
    ),
}  # fmt: skip
TRIED = ("chemberta", "chemgpt-1.2b", *CHATS)


@pytest.fixture(scope="module")
def found(
    model_python: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """Return what the script measured, in one process for all tests."""
    folder = tmp_path_factory.mktemp("text")
    job = folder / "cards.json"
    job.write_text(json.dumps([load_cards()[key].model_dump(mode="json") for key in TRIED]))
    chats = folder / "chats.json"
    chats.write_text(json.dumps(CHATS))
    done = subprocess.run(
        [str(model_python("main")), "-W", "ignore", str(SCRIPT), str(job), str(folder), str(chats)],
        capture_output=True, text=True, check=False, cwd=folder,
        env=os.environ | {"PYTHONPATH": str(Path(matteralign.__file__).parents[1])},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return report


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("smiles", "all"), ("smiles", "content"), ("smiles", "first"), ("selfies", "all")],
)
def test_a_padded_batch_is_the_average_of_each_text_alone(
    found: dict[str, Any], text: str, tokens: str
) -> None:
    assert found["molecules"][text][tokens] < 5e-6


@pytest.mark.parametrize(
    ("case", "code", "words"),
    [
        ("unknown", "smiles", "no token for '[Si]'"),
        ("long", "size", "602 tokens, the model takes at most 512"),
        ("none", "smiles", "has no SMILES"),
        ("selfies unknown", "selfies", "no token for '[Si]'"),
        ("selfies long", "size", "129 tokens, the model takes at most 128"),
        ("selfies none", "selfies", "has no SELFIES"),
    ],
)
def test_what_a_model_cannot_read_is_a_masked_row(
    found: dict[str, Any], case: str, code: str, words: str
) -> None:
    refused = found["molecules"]["refused"]
    assert refused[case][0] == code
    assert words in refused[case][1]
    assert refused["taken"] is None
    assert refused["fits"] is None


def test_a_part_that_the_tokeniser_drops_is_no_silent_cut(found: dict[str, Any]) -> None:
    assert found["molecules"]["dropped"] == ["smiles", "the vocabulary has no token for '['"]


def test_the_side_of_the_padding_changes_nothing(found: dict[str, Any]) -> None:
    assert found["molecules"]["padded left"] == 0.0


def test_weights_that_lack_a_layer_are_refused(found: dict[str, Any]) -> None:
    message = found["molecules"]["incomplete"]
    assert "lacks" in message
    assert "layer.1.output" in message


@pytest.mark.parametrize("key", CHATS)
def test_a_chat_template_is_applied_as_the_tokeniser_does(found: dict[str, Any], key: str) -> None:
    chat = found["chats"]["models"][key]
    assert chat["rendered"] == CHATS[key][0]
    # The tokeniser of gpt-oss would write today's date.
    assert chat["as the tokeniser does"] == (key != "gpt-oss-20b")


@pytest.mark.parametrize("key", CHATS)
@pytest.mark.parametrize("tokens", ["all", "user", "content"])
def test_a_chat_is_averaged_over_the_tokens_that_were_chosen(
    found: dict[str, Any], key: str, tokens: str
) -> None:
    chat = found["chats"]["models"][key]
    assert chat[tokens] < 5e-6
    assert chat["content tokens"] < chat["user tokens"] < chat["all tokens"]


@pytest.mark.parametrize(
    ("case", "code"), [("long", "size"), ("no numbers", "geometry"), ("none", "smiles")]
)
def test_a_structure_that_a_prompt_cannot_show_is_a_masked_row(
    found: dict[str, Any], case: str, code: str
) -> None:
    refused = found["chats"]["refused"]
    assert refused[case][0] == code
    assert refused["without smiles"] is None, "the read-out has no use for it"
    assert refused["shown"] is None


def test_latents_name_their_prompt_and_its_hash(found: dict[str, Any]) -> None:
    sidecar = found["chats"]["sidecar"]
    path = Path(matteralign.__file__).parent / "models" / "prompts" / "long.txt"
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert sidecar["prompt"] == {
        "file": "long.txt", "sha256": digest, "words": "own", "study": "long",
    }  # fmt: skip
    assert sidecar["checkpoint"]["weights"] == "untrained"
    assert len(sidecar["checkpoint"]["files"]) == 8


def test_the_date_and_the_last_words_are_the_card_s(found: dict[str, Any]) -> None:
    assert "Current date: 1999-12-31\n" in found["chats"]["date"]
    assert found["chats"]["date"].endswith("<|message|>C<|end|><|start|>assistant")
    assert found["chats"]["bare"].endswith("<|message|>C<|end|>")


def test_devices_and_precisions_are_options(found: dict[str, Any]) -> None:
    assert found["chats"]["spread"] < 1e-6
    assert 1e-5 < found["chats"]["half"] < 2e-2


def test_mxfp4_experts_are_the_numbers_that_the_format_stands_for(found: dict[str, Any]) -> None:
    assert len(found["chats"]["experts"]) == 4
    assert set(found["chats"]["experts"].values()) == {0.0}


def test_a_network_that_cannot_be_loaded_says_what_to_do(found: dict[str, Any]) -> None:
    refused = found["chats"]["unloadable"]
    assert "GB in float32" in refused["large"]
    assert "run it on a GPU (device cuda)" in refused["large"]
    assert "quantized by 'gptq' cannot be read" in refused["gptq"]
    assert "did you mean 'float32'" in refused["precision"]


def test_cards_count_what_the_published_configurations_give(found: dict[str, Any]) -> None:
    counts = found["sizes"]
    for key, card in load_cards().items():
        match = [c for c in counts if key.startswith(c)]
        if match:
            body, whole = counts[match[0]]
            assert card.parameters.measured == body
            note = card.parameters.note or ""
            assert body == whole or f"{whole:,}" in note.replace("\n", " ")
    assert set(counts) <= set(load_cards())
