"""Prompts of chat models: text files with a system message and the user's message.

A file has two parts, each after a line with its name in brackets::

    [system]
    You are an expert chemist who is shown one molecule as a SMILES string.
    [user]
    {smiles}

Fields in braces are filled from the structure: `FIELDS` lists them. The study's own words are
the user's to bring: `matteralign.models.prompts.study`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from matteralign.core.errors import IntegrityError, UserError
from matteralign.core.hashing import sha256_bytes, sha256_file
from matteralign.core.suggest import unknown
from matteralign.models.base.checks import Refusal, refuse_geometry, refuse_smiles
from matteralign.models.prompts.study import PROMPTS, composed, study_prompt
from matteralign.registry.card import ModelCard, PinnedPrompt
from matteralign.registry.prompt_files import prompt_text, read_text_file, tidy
from matteralign.store.structures import Structure

if TYPE_CHECKING:
    import ase

FOLDER = Path(__file__).parent
_PARTS = re.compile(r"\[system\]\n(.*?)\n\[user\]\n(.*)", re.DOTALL)
_FIELD = re.compile(r"\{(\w+)\}")


def atoms_of(structure: Structure) -> ase.Atoms:
    """Return the structure as ASE has it: positions and cell in Å."""
    import ase  # whose words a card has is asked without it

    return ase.Atoms(
        numbers=structure.numbers.astype(int),
        positions=structure.positions,
        cell=structure.cell,
        pbc=structure.pbc,
    )


def arrays(structure: Structure) -> str:
    """Return numbers, positions, cell and pbc as Python prints their ``tolist()``."""
    found = atoms_of(structure).todict()
    names = ("numbers", "positions", "cell", "pbc")
    return ", ".join(f"{name!r}: {found[name].tolist()}" for name in names)


def read_out(structure: Structure) -> str:
    """Return an atomic structure as the study prints it: ASE's print, then its arrays."""
    return f"{atoms_of(structure)} {arrays(structure)}"


def _refuse_selfies(structure: Structure) -> Refusal | None:
    return None if structure.selfies else Refusal("selfies", "the structure has no SELFIES")


@dataclass(frozen=True)
class _Field:
    text: Callable[[Structure], str]
    refuse: Callable[[Structure], Refusal | None]
    needs: str  # what of a structure it is made of, as `Accepts.needs` calls it


FIELDS: Mapping[str, _Field] = {
    "arrays": _Field(arrays, refuse_geometry, "positions"),
    "ase": _Field(lambda s: str(atoms_of(s)), refuse_geometry, "positions"),
    "atoms": _Field(read_out, refuse_geometry, "positions"),
    "selfies": _Field(lambda s: s.selfies or "", _refuse_selfies, "selfies"),
    "smiles": _Field(lambda s: s.smiles or "", lambda s: refuse_smiles(s.smiles), "smiles"),
}


@dataclass(frozen=True)
class Message:
    """The user's message about one structure.

    Attributes
    ----------
    text
        The message.
    spans
        Where in `text` the structure is, first and one past the last character of each part.
    """

    text: str
    spans: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Prompt:
    """One prompt file.

    Attributes
    ----------
    system
        The system message, without line ends around it.
    user
        The user's message with its fields.
    """

    system: str
    user: str

    def fields(self) -> list[str]:
        """Return the fields of the user's message, in their order."""
        return _FIELD.findall(self.user)

    def refuse(self, structure: Structure) -> Refusal | None:
        """Return why a field cannot be filled from `structure`, or None when all can."""
        for name in self.fields():
            found = FIELDS[name].refuse(structure)
            if found:
                return found
        return None

    def message(self, structure: Structure) -> Message:
        """Fill the fields of the user's message."""
        parts = _FIELD.split(self.user)
        text, spans = "", []
        for i, part in enumerate(parts):
            start = len(text)
            text += FIELDS[part].text(structure) if i % 2 else part
            if i % 2:
                spans.append((start, len(text)))
        return Message(text, tuple(spans))


def parse_prompt(text: str, path: Path) -> Prompt:
    """Split a prompt file into its two messages.

    Raises
    ------
    UserError
        If a part is missing, a field is not known, or the user's message has none.
    """
    match = _PARTS.fullmatch(text.strip())
    if match is None:
        raise UserError(f"{path}: a prompt is a line [system], its text, a line [user], its text")
    return _checked(Prompt(match[1].strip(), match[2].strip()), str(path))


def _checked(prompt: Prompt, where: str) -> Prompt:
    if not prompt.fields():
        raise UserError(f"{where}: the user's message has no field, such as {{smiles}}")
    for name in prompt.fields():
        if name not in FIELDS:
            raise UserError(f"{where}: " + unknown("field", name, FIELDS))
    return prompt


def read_prompt(card: ModelCard) -> Prompt:
    """Read the prompt that a card names: a file of this folder, or one given by its full path.

    Where the card has the study's words, it is put together from the user's files; where it has
    a system message of its own, from that file and the card's message.

    Raises
    ------
    UserError
        If the card names none, the file is not there, or it is no prompt.
    IntegrityError
        If the file is not the one whose hash the card gives.
    """
    if card.prompt is None:
        raise UserError(
            f"card {card.key}: wrapper {card.wrapper!r} needs a prompt: file and sha256; or "
            "prompts: {system: FILE}"
        )
    if card.prompt.user is not None:
        return _own_prompt(card.key, card.prompt, card.prompt.user)
    if card.prompt.words == "study":
        return _study_prompt(card.key, card.prompt)
    path = FOLDER / card.prompt.file
    if not path.is_file():
        known = [p.name for p in FOLDER.glob("*.txt")]
        raise UserError(
            f"card {card.key}: "
            + unknown("prompt", card.prompt.file, known)
            + "; for a prompt of your own give its full path"
        )
    digest = sha256_file(path)
    if digest != card.prompt.sha256:
        raise IntegrityError(
            f"{path}: hashes to {digest}, the card of {card.key} says {card.prompt.sha256}; "
            "another prompt gives other latents: correct the card, or the file"
        )
    return parse_prompt(path.read_text(encoding="utf-8"), path)


def _own_prompt(key: str, pinned: PinnedPrompt, user: str) -> Prompt:
    path = Path(pinned.file)
    system = tidy(read_text_file(path))
    if sha256_bytes(prompt_text(system, user).encode()) != pinned.sha256:
        raise IntegrityError(_changed([path], key))
    return _checked(Prompt(system, user), f"card {key}: prompts.user")


def _changed(files: Iterable[Path], key: str) -> str:
    return (
        f"{', '.join(map(str, files))}: changed since the run began; another prompt gives other "
        f"latents of {key}: run again"
    )


def _study_prompt(key: str, pinned: PinnedPrompt) -> Prompt:
    files = {name: Path(path) for name, path in pinned.pieces.items()}
    text = composed(pinned.study or "", files)
    if text is None or sha256_bytes(text.encode()) != pinned.sha256:
        raise IntegrityError(_changed(files.values(), key))
    return parse_prompt(text, next(iter(files.values())))


def with_study_words(card: ModelCard, files: Mapping[str, Path]) -> ModelCard:
    """Return a card with the study's words, where it stands for one of the study's prompts.

    Without the files it is the card as it was, with this project's words. A card with a system
    message of its own keeps it, and is told to have the study's words where it has.

    Parameters
    ----------
    files
        As `study.piece_files` gives them.
    """
    if card.prompt is None:
        return card
    if card.prompt.user is not None:
        own = read_prompt(card)
        name = study_prompt(own.system, own.user)
        update = {"words": "own" if name is None else "study", "study": name}
        return card.model_copy(update={"prompt": card.prompt.model_copy(update=update)})
    if card.prompt.study is None:
        return card
    text = composed(card.prompt.study, files)
    if text is None:
        return card
    used = {name: str(files[name].resolve()) for name in PROMPTS[card.prompt.study]}
    prompt = card.prompt.model_copy(
        update={"words": "study", "pieces": used, "sha256": sha256_bytes(text.encode())}
    )
    return card.model_copy(update={"prompt": prompt})
