"""The words of the study's prompts: known by their hashes, brought by the user as files.

The paper prints them in its appendices B.2 and B.3. They are not ours to pass on, so a file
with words copied from there is recognised by what it hashes to.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from matteralign.core.errors import UserError
from matteralign.core.hashing import sha256_bytes
from matteralign.core.paths import cache_root
from matteralign.core.suggest import unknown
from matteralign.registry.card import SMILES_MESSAGE
from matteralign.registry.prompt_files import prompt_text, read_text_file, tidy

_FIELDS = r"\{(?:atoms|ase|arrays)\}"


@dataclass(frozen=True)
class Piece:
    """One piece of the study's prompts.

    Attributes
    ----------
    told
        What a message calls it.
    count
        Number of its words.
    words_sha256
        Of its words, joined by blanks: spacing and punctuation play no part.
    sha256, characters
        Of the text itself, where line breaks cannot be in doubt.
    ending
        What the text must end with.
    """

    told: str
    count: int
    words_sha256: str
    sha256: str | None = None
    characters: int | None = None
    ending: str = ""


PIECES: Mapping[str, Piece] = {
    "blank": Piece(
        "the system prompt of one sentence (Blank)",
        7,
        "ec5428d6c4c89bd370d1f24eb3fd1e1f294e6720a24e9326afbf8359ba43b7d8",
        "8a1919190dc8feb8832c37c5cf89a30920307a391fbd0f3b34bc6c162ca8b422",
        characters=45,
    ),
    "long": Piece(
        "the long system prompt",
        141,
        "a6567ecdbf1373e357b9908be27adcdf0c2756b921b59515258326ec6a08a8a6",
    ),
    "atoms": Piece(
        "the words before an atomic structure",
        6,
        "28f44aa71b86d118ebdf2af2d492754dde8ce115c44cb791a67c47160ad5e9f6",
        ending=":",
    ),
}
"""By the stem of their file, such as ``long.txt``."""

PROMPTS: Mapping[str, tuple[str, ...]] = {
    "long": ("long",),
    "blank": ("blank",),
    "blank-atomistic": ("blank", "atoms"),
}
"""The study's three prompts: system message, then what comes before atoms."""


@dataclass(frozen=True)
class Finding:
    """What a text is.

    Attributes
    ----------
    piece
        The stem of `PIECES` whose words the text holds, or is close to; None where neither.
    good
        Whether it can be used as it stands.
    told
        One sentence: what it is, or what is wrong and what to do.
    """

    piece: str | None
    good: bool
    told: str


def words(text: str) -> list[str]:
    """Return the words of a text, as the rule behind `Piece.words_sha256` splits it."""
    return re.findall(r"\w+", text)


def words_sha256(found: list[str]) -> str:
    """Return the hash of words."""
    return sha256_bytes(" ".join(found).encode())


def check_words(text: str) -> Finding:
    """Tell whether a text holds the words of one of the study's prompts.

    Where it nearly does, say what differs as far as hashes can tell.
    """
    text = _before_fields(tidy(text))
    found = words(text)
    piece = _piece_of(found)
    if piece is not None:
        return _judged(piece, text)
    for repair, mended in _repairs(text):
        piece = _piece_of(words(mended))
        if piece is not None:
            return Finding(
                piece, False, f"these are the words of {PIECES[piece].told}, but {repair}"
            )
    for piece, wanted in sorted(PIECES.items(), key=lambda item: -item[1].count):
        for start in range(len(found) - wanted.count + 1):
            if words_sha256(found[start : start + wanted.count]) == wanted.words_sha256:
                after = len(found) - wanted.count - start
                return Finding(
                    piece,
                    False,
                    f"these {len(found)} words hold {wanted.told}, with {start} more words before "
                    f"and {after} after; leave those out{_or_long(piece)}",
                )
    counts = ", ".join(f"{p.told} has {p.count}" for p in PIECES.values())
    return Finding(
        None,
        False,
        f"these {len(found)} words are none of the study's prompts ({counts}). Which words "
        "differ cannot be told from hashes: copy the text again, whole, from appendix B.2 or B.3 "
        "of the paper (arXiv:2512.03750)",
    )


def _or_long(piece: str) -> str:
    if piece != "blank":
        return ""
    # The long prompt begins with that sentence.
    return f", or, for {PIECES['long'].told}, copy its {PIECES['long'].count} words again"


def _piece_of(found: list[str]) -> str | None:
    digest = words_sha256(found)
    return next((name for name, p in PIECES.items() if p.words_sha256 == digest), None)


def _judged(name: str, text: str) -> Finding:
    piece = PIECES[name]
    if piece.sha256 is not None and sha256_bytes(text.encode()) != piece.sha256:
        return Finding(
            name,
            False,
            f"these are the words of {piece.told}, but spacing, quotes, dashes or punctuation "
            f"differ: {len(text)} characters, not {piece.characters}; one line, with plain signs",
        )
    if not text.endswith(piece.ending):
        return Finding(
            name, False, f"these are the words of {piece.told}; it must end with {piece.ending!r}"
        )
    odd = sorted({char for char in text if not char.isascii()})
    signs = f"; check its signs that no keyboard has: {' '.join(odd)}" if odd else ""
    return Finding(name, True, f"{piece.told}, word for word{signs}")


def _repairs(text: str) -> Iterator[tuple[str, str]]:
    """Return what copying from a PDF does to a text, one by one and all together."""
    unseen = dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u2060\ufeff"))
    joined = re.sub(r"(\w)[-\u2010\u00ad]\s*\n\s*(\w)", r"\1\2", text)
    kept = re.sub(r"(\w)[-\u2010\u00ad]\s*\n\s*(\w)", r"\1-\2", text)
    letters = unicodedata.normalize("NFKC", text)
    yield "some stand broken at the end of a line: join them", joined
    yield "some stand broken at the end of a line: join them", kept
    yield "letters are joined into one sign, as fi is in print: write them apart", letters
    yield "signs without width stand in it: delete them", text.translate(unseen)
    yield (
        "words are broken at line ends, letters joined, or signs without width stand in it",
        unicodedata.normalize("NFKC", joined.translate(unseen)),
    )


def default_folder() -> Path:
    """Return where the files are looked for when a configuration names none."""
    return cache_root() / "prompts"


def piece_files(given: Mapping[str, Path]) -> dict[str, Path]:
    """Return the file of each piece that is there: as `given`, else of `default_folder`.

    Raises
    ------
    UserError
        If a given file is not there, or a file does not hold the words of its piece.
    """
    files = {}
    for name in PIECES:
        path = given.get(name, default_folder() / f"{name}.txt")
        if path.is_file():
            read_piece(path, name)
            files[name] = path
        elif name in given:
            raise UserError(f"prompts.{name}: {path} does not exist")
    return files


def read_piece(path: Path, name: str) -> str:
    """Return the text of a piece.

    Raises
    ------
    UserError
        If the file does not hold its words.
    """
    text = read_text_file(path)
    found = check_words(text)
    if not found.good:
        raise UserError(f"{path}: {found.told}")
    if found.piece != name:
        raise UserError(f"{path}: is {found.told}; wanted is {PIECES[name].told}")
    return tidy(text)


def _before_fields(text: str) -> str:
    """Return what stands before the first field: a file may say where its fields stand.

    Words after a field stay: they are more than the study's.
    """
    before, *after = re.split(_FIELDS, text)
    return text if any(map(words, after)) else before.rstrip()


def composed(prompt: str, files: Mapping[str, Path]) -> str | None:
    """Return a prompt of the study as the text of a prompt file, or None without its pieces.

    Parameters
    ----------
    prompt
        A key of `PROMPTS`.
    files
        As `piece_files` gives them.
    """
    if prompt not in PROMPTS:
        raise UserError(unknown("prompt of the study", prompt, PROMPTS))
    if any(name not in files for name in PROMPTS[prompt]):
        return None
    system, *before = (read_piece(files[name], name) for name in PROMPTS[prompt])
    if not before:
        user = SMILES_MESSAGE
    else:
        (lead_in,) = before
        user = lead_in if re.search(_FIELDS, lead_in) else lead_in + " {atoms}"
    return prompt_text(system, user)


def study_prompt(system: str, user: str) -> str | None:
    """Return which of `PROMPTS` two messages are, by the hashes of their words; None: none."""
    said = check_words(system)
    if not said.good or re.search(_FIELDS, system):
        return None
    if user == SMILES_MESSAGE:
        pieces: tuple[str | None, ...] = (said.piece,)
    else:
        asked = check_words(user)
        if not asked.good or not re.search(_FIELDS, user):
            return None
        pieces = (said.piece, asked.piece)
    return next((name for name, made_of in PROMPTS.items() if made_of == pieces), None)
