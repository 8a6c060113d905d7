"""The study's words: recognised by hash, used where they are, never guessed.

The words are the paper's. The tests put others in their place.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from matteralign.cli.app import app
from matteralign.config.schema import StudyConfig
from matteralign.core.errors import IntegrityError, MatterAlignError, UserError
from matteralign.core.paths import CACHE_VARIABLE
from matteralign.models.prompts import read_prompt, study
from matteralign.models.prompts.study import PIECES, check_words
from matteralign.registry.card import ModelCard
from matteralign.registry.load import load_cards, read_card
from matteralign.report.analysis.tables import facts_of
from matteralign.stages.study.study import open_study, with_words
from matteralign.store.structures import Structure

BLANK = "You are a well-read chemist."
LONG = (
    BLANK + " Look at:\n- what is written, the signs first,\n- the office it came from.\n"
    "Don't guess {anything}."
)
ATOMS = "Here are atoms:"
GPT = "gpt-oss-20b"


def hashed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def by_words(text: str) -> str:
    return hashed(" ".join(re.findall(r"\w+", text)))


@pytest.fixture(autouse=True)
def stand_ins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    texts = {"blank": BLANK, "long": LONG, "atoms": ATOMS}
    pieces = {
        name: replace(
            PIECES[name],
            count=len(re.findall(r"\w+", text)),
            words_sha256=by_words(text),
            sha256=hashed(text) if name == "blank" else None,
            characters=len(text) if name == "blank" else None,
        )
        for name, text in texts.items()
    }
    monkeypatch.setattr(study, "PIECES", pieces)
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str, str], Path]:
    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def files(file: Callable[[str, str], Path]) -> dict[str, Path]:
    texts = {"blank": BLANK, "long": LONG, "atoms": ATOMS}
    return {name: file(f"{name}.txt", text + "\n") for name, text in texts.items()}


@pytest.mark.parametrize(
    ("text", "piece"),
    [
        (BLANK, "blank"), (f"\ufeff{BLANK}\r\n".lstrip("\ufeff"), "blank"), (LONG, "long"),
        (LONG.replace("\n", " "), "long"), (LONG.replace("- ", "• "), "long"),
        (LONG.replace("'", "’"), "long"), (ATOMS, "atoms"), (ATOMS + " {ase}\n{arrays}", "atoms"),
    ],
)  # fmt: skip
def test_the_words_are_recognised_whatever_the_breaks(text: str, piece: str) -> None:
    found = check_words(text)
    assert (found.piece, found.good) == (piece, True), found.told


@pytest.mark.parametrize(
    ("text", "piece", "told"),
    [
        (BLANK.replace("-", "–"), "blank", "spacing, quotes, dashes or punctuation differ: 28 ch"),
        (BLANK.replace(" a ", "  a "), "blank", "29 characters, not 28"),
        (ATOMS[:-1], "atoms", "must end with ':'"),
        (ATOMS + " {atoms} Thanks.", "atoms", "0 more words before and 2 after"),
        (LONG.replace("written", "writ-\nten"), "long", "broken at the end of a line: join"),
        (LONG.replace("office", "o\ufb03ce"), "long", "letters are joined into one sign"),
        (LONG.replace("written", "writ\u00adten"), "long", "signs without width"),
        (LONG + " Thanks.", "long", "with 0 more words before and 1 after; leave those out"),
        (LONG.replace("office", "desk"), "blank", "or, for the long system prompt, copy its 23 w"),
        ("System prompt: " + LONG + " The end.", "long", "with 2 more words before and 2 after"),
    ],
)
def test_a_text_that_is_nearly_right_is_told_what_to_mend(text: str, piece: str, told: str) -> None:
    found = check_words(text)
    assert (found.piece, found.good) == (piece, False)
    assert told in found.told


def test_other_words_are_counted_and_none_is_shown() -> None:
    found = check_words("You are a well-read cook.")
    assert (found.piece, found.good) == (None, False)
    assert found.told.startswith("these 6 words are none of the study's prompts")
    assert "chemist" not in found.told
    assert not check_words("").good


@pytest.mark.parametrize(("key", "user"), [(GPT, "SMILES: O"), (f"{GPT}-blank", "SMILES: O")])
def test_with_the_files_the_cards_have_the_study_s_words(
    files: dict[str, Path], water: Structure, key: str, user: str
) -> None:
    own = load_cards()
    cards = with_words(own, files)
    prompt = read_prompt(cards[key])
    assert prompt.system == (LONG if key == GPT else BLANK)
    assert prompt.message(water).text == user
    assert cards[key].digest() != own[key].digest()
    label = cards[key].prompt.label()  # type: ignore[union-attr]
    assert label["words"] == "study"
    assert set(label) == {"sha256", "words", "study"}, "no words and no paths in a sidecar"
    assert facts_of(cards[key]).prompt == "study"
    assert facts_of(own[key]).prompt == "own"
    # What was made before with other words keeps its label.
    assert facts_of(cards[key], {"prompt": {"words": "own"}}).prompt == "own"
    assert facts_of(cards[key], {"prompt": {"file": "long.txt"}}).prompt == "own"


def test_atoms_follow_the_words_before_them(files: dict[str, Path], water: Structure) -> None:
    key = f"{GPT}-blank-atomistic"
    plain = read_prompt(with_words(load_cards(), files)[key])
    assert plain.system == BLANK
    assert plain.message(water).text.startswith(f"{ATOMS} Atoms(symbols='OH2', pbc=False) 'numb")
    files["atoms"].write_text(ATOMS + "\n{ase}\n{{arrays}}")
    own = read_prompt(with_words(load_cards(), files)[key])
    text = own.message(water).text
    assert text.startswith(f"{ATOMS}\nAtoms(symbols='OH2', pbc=False)\n{{'numbers': [8, 1, 1]")
    assert text.endswith("[False, False, False]}")


def test_a_prompt_of_two_pieces_needs_both(files: dict[str, Path]) -> None:
    own = load_cards()
    cards = with_words(own, {"blank": files["blank"]})
    changed = {key for key in own if cards[key].digest() != own[key].digest()}
    assert changed == {key for key in own if key.endswith("-blank")}


def test_other_line_breaks_are_another_prompt(files: dict[str, Path]) -> None:
    first = with_words(load_cards(), files)[GPT]
    files["long"].write_text(LONG.replace("\n", " "))
    assert with_words(load_cards(), files)[GPT].digest() != first.digest()
    with pytest.raises(IntegrityError, match="changed since the run began"):
        read_prompt(first)


def test_a_file_without_the_words_is_an_error_not_a_silent_own_prompt(
    files: dict[str, Path],
) -> None:
    files["long"].write_text(LONG + " Thanks.")
    with pytest.raises(UserError, match=r"long\.txt: .*with 0 more words before and 1 after"):
        with_words(load_cards(), files)
    with pytest.raises(UserError, match=r"prompts\.atoms: .* does not exist"):
        with_words(load_cards(), {"atoms": files["atoms"].parent / "no.txt"})
    with pytest.raises(UserError, match=r"blank\.txt: is .*; wanted is the long system prompt"):
        with_words(load_cards(), {"long": files["blank"]})


def test_no_card_claims_words_that_are_not_there() -> None:
    card = load_cards()[GPT]
    assert card.prompt is not None
    lying = card.prompt.model_copy(update={"words": "study"})
    with pytest.raises(MatterAlignError):
        read_prompt(card.model_copy(update={"prompt": lying}))


@pytest.fixture
def own_card(tmp_path: Path) -> Callable[..., Path]:
    """A chat model of the user's, in a folder of its own."""

    def write(**prompts: str) -> Path:
        card = load_cards()[f"{GPT}-blank"].model_dump(mode="json", exclude_none=True)
        card |= {"key": "mine", "index": 900, "name": "Mine", "prompts": prompts}
        for gone in ("prompt", "study_row", "printed"):
            card.pop(gone, None)
        path = tmp_path / "my-cards" / "mine.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(yaml.safe_dump(card))
        return path

    return write


def test_a_card_names_a_system_message_of_its_own(
    own_card: Callable[..., Path], water: Structure
) -> None:
    path = own_card(system="words/mine.txt")
    words = path.parent / "words" / "mine.txt"
    words.parent.mkdir()
    words.write_text("You read molecules.\r\n", encoding="utf-8-sig")
    card = with_words({"mine": read_card(path)}, {})["mine"]
    prompt = read_prompt(card)
    assert (prompt.system, prompt.message(water).text) == ("You read molecules.", "SMILES: O")
    whole = "[system]\nYou read molecules.\n[user]\nSMILES: {smiles}\n"
    assert card.prompt is not None
    assert card.prompt.label() == {
        "file": "mine.txt", "sha256": hashed(whole), "words": "own",
    }  # fmt: skip
    assert facts_of(card).prompt == "own"
    # A worker reads the card from a job file, and the words again.
    sent = ModelCard.model_validate_json(card.model_dump_json())
    assert sent.digest() == card.digest()
    words.write_text("You read proteins.")
    assert read_card(path).digest() != card.digest()
    with pytest.raises(IntegrityError, match=r"mine\.txt: changed since the run began"):
        read_prompt(sent)
    with pytest.raises(IntegrityError, match="another prompt gives other latents of mine"):
        read_prompt(card)


@pytest.mark.parametrize(
    ("system", "user", "name"),
    [
        (BLANK, "SMILES: {smiles}", "blank"), (LONG, "SMILES: {smiles}", "long"),
        (BLANK, ATOMS + " {atoms}", "blank-atomistic"), (LONG, ATOMS + " {atoms}", None),
        (BLANK, "Molecule: {smiles}", None), (LONG + " Thanks.", "SMILES: {smiles}", None),
        (BLANK, ATOMS + " {atoms} Thanks.", None), (BLANK + " {atoms}", "SMILES: {smiles}", None),
    ],
)  # fmt: skip
def test_words_of_ones_own_are_the_study_s_where_their_hash_is(
    own_card: Callable[..., Path], system: str, user: str, name: str | None
) -> None:
    path = own_card(system="s.txt", user=user)
    (path.parent / "s.txt").write_text(system)
    card = with_words({"mine": read_card(path)}, {})["mine"]
    assert card.prompt is not None
    assert (card.prompt.study, card.prompt.words) == (name, "study" if name else "own")


def test_the_same_words_in_a_card_or_in_the_cache_are_one_prompt(
    own_card: Callable[..., Path], files: dict[str, Path]
) -> None:
    path = own_card(system=str(files["long"]))
    found, study_card = read_card(path).prompt, with_words(load_cards(), files)[GPT].prompt
    assert found is not None and study_card is not None
    assert found.sha256 == study_card.sha256


def test_a_system_message_that_cannot_be_read_names_card_and_field(
    own_card: Callable[..., Path],
) -> None:
    path = own_card(system="no.txt")
    with pytest.raises(UserError, match=r"mine\.yaml: prompts\.system: no\.txt: there is no such"):
        read_card(path)
    (path.parent / "no.txt").write_text(" \n")
    with pytest.raises(UserError, match=r"mine\.yaml: prompts\.system: .*no\.txt is empty"):
        read_card(path)
    (path.parent / "no.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match=r"mine\.yaml: prompts\.system: .*no UTF-8 text"):
        read_card(path)
    (path.parent / "no.txt").write_text("Words.")
    own_card(system="no.txt", user="SMILES: {smile}")
    with pytest.raises(UserError, match=r"card mine: prompts\.user: unknown field .*'smiles'"):
        with_words({"mine": read_card(path)}, {})
    own_card(sistem="no.txt")
    with pytest.raises(UserError, match=r"mine\.yaml: prompts\.sistem"):
        read_card(path)


def test_a_card_has_one_prompt_and_a_model_that_reads_it(own_card: Callable[..., Path]) -> None:
    path = own_card(system="s.txt")
    (path.parent / "s.txt").write_text("Words.")
    raw = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump(raw | {"accepts": {"needs": "smiles"}}))
    with pytest.raises(UserError, match=r"needs: text; this one reads smiles"):
        read_card(path)
    path.write_text(yaml.safe_dump(raw | {"prompt": {"file": "blank.txt", "sha256": "0" * 64}}))
    with pytest.raises(UserError, match="two prompts of one model"):
        read_card(path)


def test_the_verb_checks_and_places_files_that_every_run_then_finds(
    files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    other = tmp_path / "other.txt"
    other.write_text("Some other text")

    def run(*arguments: str) -> str:
        return CliRunner().invoke(app, ["prompts", *arguments], catch_exceptions=False).stdout

    assert f"{GPT}: prompt: own" in run()
    assert "word for word" in run("--check", str(files["long"]))
    assert f"{GPT}: prompt: own" in run()
    run("--use", str(files["long"]))
    assert f"{GPT}: prompt: study" in run()
    assert f"{GPT}-blank: prompt: own" in run()
    with pytest.raises(MatterAlignError, match="none of the study's prompts"):
        run("--use", str(other))
    slices = {"s": {"dataset": "qm9", "n": 4, "seed": 0, "panel": ["random", f"{GPT}-blank"]}}
    raw = {"slices": slices, "prompts": {"blank": "blank.txt"}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(raw))
    assert f"{GPT}-blank: prompt: study" in run()
    listed = CliRunner().invoke(app, ["models", "--json"], catch_exceptions=False).stdout
    prompts = {card["key"]: card["prompt"] for card in json.loads(listed) if card["prompt"]}
    assert prompts[f"{GPT}-blank"]["words"] == "study"
    assert prompts["qwen3-30b-a3b-thinking-2507-blank-atomistic"]["words"] == "own"
    found = open_study(StudyConfig.model_validate(raw), tmp_path)
    assert found.embed_identity(f"{GPT}-blank", "s")["card"] != (
        load_cards()[f"{GPT}-blank"].digest()
    )
