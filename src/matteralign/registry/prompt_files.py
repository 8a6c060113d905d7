"""The system message that a card names as a file of its own: `prompts` of the card."""

from __future__ import annotations

from pathlib import Path

from matteralign.core.errors import UserError
from matteralign.core.hashing import sha256_bytes
from matteralign.registry.card import ModelCard, PinnedPrompt


def tidy(text: str) -> str:
    """Return a text with plain line ends and nothing around it."""
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()


def read_text_file(path: Path) -> str:
    """Return the text of a file.

    Raises
    ------
    UserError
        If there is none, or it is no text.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: is no UTF-8 text; save it as plain text") from error
    except (FileNotFoundError, IsADirectoryError) as error:
        raise UserError(f"{path}: there is no such file") from error


def prompt_text(system: str, user: str) -> str:
    """Return two messages as the text of a prompt file, which is what is hashed."""
    return f"[system]\n{system}\n[user]\n{user}\n"


def with_prompt_file(card: ModelCard, path: Path) -> ModelCard:
    """Return a card whose `prompts` are pinned by the hash of the words in their file.

    Parameters
    ----------
    path
        File of the card; the card's paths are relative to its folder.

    Raises
    ------
    UserError
        If the file is not there or empty, or the model reads no prompt.
    """
    if card.prompts is None:
        return card
    where = f"{path}: prompts.system"
    if card.accepts.needs != "text":
        raise UserError(
            f"{path}: prompts: is for models with accepts.needs: text; this one reads "
            f"{card.accepts.needs}; take one of the two away"
        )
    named = path.parent / Path(card.prompts.system).expanduser()
    if not named.is_file():
        raise UserError(
            f"{where}: {card.prompts.system}: there is no such file; the path is relative to the "
            f"card, which makes it {named}"
        )
    try:
        system = tidy(read_text_file(named))
    except UserError as error:
        raise UserError(f"{where}: {error}") from error
    if not system:
        raise UserError(f"{where}: {named} is empty; write the system message into it")
    user = tidy(card.prompts.user)
    pinned = PinnedPrompt(
        file=str(named.resolve()),
        sha256=sha256_bytes(prompt_text(system, user).encode()),
        user=user,
    )
    return card.model_copy(update={"prompt": pinned, "prompts": None})
