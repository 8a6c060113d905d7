"""Prompts against texts written out by hand."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import ase
import numpy as np
import pytest

from matteralign.core.errors import IntegrityError, UserError
from matteralign.models.prompts import FOLDER, parse_prompt, read_out, read_prompt
from matteralign.registry.card import ModelCard
from matteralign.registry.load import load_cards
from matteralign.store.structures import Structure

WATER = (
    "Atoms(symbols='OH2', pbc=False) 'numbers': [8, 1, 1], 'positions': [[0.0, 0.0, 0.119262], "
    "[0.0, 0.763239, -0.477047], [0.0, -0.763239, -0.477047]], 'cell': [[0.0, 0.0, 0.0], "
    "[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]], 'pbc': [False, False, False]"
)
SALT = (
    "Atoms(symbols='NaCl', pbc=True, cell=[[0.0, 2.82, 2.82], [2.82, 0.0, 2.82], "
    "[2.82, 2.82, 0.0]]) 'numbers': [11, 17], 'positions': [[0.0, 0.0, 0.0], [2.82, 0.0, 0.0]], "
    "'cell': [[0.0, 2.82, 2.82], [2.82, 0.0, 2.82], [2.82, 2.82, 0.0]], 'pbc': [True, True, True]"
)
CELL = np.array([[0, 2.82, 2.82], [2.82, 0, 2.82], [2.82, 2.82, 0]])


@pytest.fixture
def salt() -> Structure:
    return Structure(
        "NaCl", np.array([11, 17], np.uint8), np.array([[0.0, 0, 0], [2.82, 0, 0]]),
        CELL, np.ones(3, bool),
    )  # fmt: skip


def pinned(path: Path) -> dict[str, str]:
    return {"file": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


@pytest.fixture
def card_of(tmp_path: Path, make_card: Callable[..., ModelCard]) -> Callable[[str], ModelCard]:
    def write(text: str) -> ModelCard:
        path = tmp_path / "mine.txt"
        path.write_text(text)
        return make_card("mine", 900, prompt=pinned(path))

    return write


def test_the_read_out_is_what_ase_and_python_print(water: Structure, salt: Structure) -> None:
    assert read_out(water) == WATER
    assert read_out(salt) == SALT
    for structure in (water, salt):
        atoms = ase.Atoms(
            structure.numbers, structure.positions, cell=structure.cell, pbc=structure.pbc
        )
        printed, _, lists = read_out(structure).partition(" 'numbers'")
        assert printed == str(atoms)
        read = ast.literal_eval("{'numbers'" + lists + "}")
        assert read == {name: value.tolist() for name, value in atoms.todict().items()}


def test_a_long_read_out_is_whole_whatever_numpy_is_told() -> None:
    many = Structure("many", np.full(2000, 6, np.uint8), np.arange(6000.0).reshape(-1, 3) / 7)
    with np.printoptions(precision=2, threshold=5, suppress=True):
        text = read_out(many)
    assert "..." not in text
    assert str(5999 / 7) in text


def test_the_three_prompts_of_the_study(water: Structure) -> None:
    cards = load_cards()
    for model in ("deepseek-r1-distill-llama-8b", "qwen3-30b-a3b-thinking-2507", "gpt-oss-20b"):
        long, blank, atomistic = (
            read_prompt(cards[model + variant]) for variant in ("", "-blank", "-blank-atomistic")
        )
        assert (long.message(water).text, blank.message(water).text) == ("SMILES: O", "SMILES: O")
        assert atomistic.message(water).text == f"The atomic structure: {WATER}"
        assert len(long.system.split(".")) > 5
        assert blank.system == (
            "You are an expert chemist who is shown one molecule as a SMILES string."
        )
        assert atomistic.system == (
            "You are an expert chemist who is shown one atomic structure as an ASE Atoms object."
        )


def test_where_the_structure_is_in_a_message(ethanol: Structure) -> None:
    prompt = parse_prompt("[system]\nYou read.\n[user]\nOf {smiles}: {smiles}!\n", Path("p"))
    message = prompt.message(ethanol)
    assert message.text == "Of CCO: CCO!"
    assert [message.text[first:last] for first, last in message.spans] == ["CCO", "CCO"]


def test_what_a_prompt_needs_of_a_structure(water: Structure) -> None:
    smiles = parse_prompt("[system]\nx\n[user]\n{smiles}", Path("p"))
    atoms = parse_prompt("[system]\nx\n[user]\n{atoms}", Path("p"))
    selfies = parse_prompt("[system]\nx\n[user]\n{selfies}", Path("p"))
    broken = replace(water, smiles="C(", positions=np.full((3, 3), np.nan))
    codes = [
        (found and found.code)
        for prompt in (smiles, atoms, selfies)
        for found in (prompt.refuse(broken), prompt.refuse(replace(water, selfies="[O]")))
    ]
    assert codes == ["smiles", None, "geometry", None, "selfies", None]


def test_a_prompt_of_ones_own_and_its_hash(card_of: Callable[[str], ModelCard]) -> None:
    first = card_of("[system]\nOne.\n[user]\n{smiles}\n")
    assert read_prompt(first).system == "One."
    second = card_of("[system]\nOther.\n[user]\n{smiles}\n")
    assert first.digest() != second.digest()
    with pytest.raises(IntegrityError, match="another prompt gives other latents"):
        read_prompt(first)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("You are\n{smiles}", r"a line \[system\]"),
        ("[system]\nx\n[user]\nhello", "has no field"),
        ("[system]\nx\n[user]\n{smile}", "did you mean 'smiles'"),
    ],
)
def test_a_file_that_is_no_prompt(
    card_of: Callable[[str], ModelCard], text: str, words: str
) -> None:
    with pytest.raises(UserError, match=words):
        read_prompt(card_of(text))


def test_a_prompt_that_is_not_there(make_card: Callable[..., ModelCard]) -> None:
    missing = {"file": "blnk.txt", "sha256": "0" * 64}
    with pytest.raises(UserError, match=r"'blank\.txt'"):
        read_prompt(make_card("mine", 900, prompt=missing))
    with pytest.raises(UserError, match="needs a prompt"):
        read_prompt(make_card("mine", 900))


def test_every_prompt_of_the_package_is_on_a_card() -> None:
    used = {card.prompt.file for card in load_cards().values() if card.prompt}
    assert used == {path.name for path in FOLDER.glob("*.txt")}
