"""Cards of models that run on an untrained network of their architecture."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from matteralign.core.code import code_digest, imported_files
from matteralign.core.errors import UserError
from matteralign.core.hashing import sha256_json
from matteralign.core.suggest import require_known
from matteralign.registry.card import ModelCard, StandIn
from matteralign.registry.environments import get_environment
from matteralign.registry.pinned import BuiltSource, PinnedFile


def stand_in_of(card: ModelCard) -> StandIn:
    """Return how the untrained network of a card is built.

    Raises
    ------
    UserError
        If the card does not say.
    """
    if card.checkpoint.stand_in is None:
        raise UserError(
            f"model {card.key}: its card has no checkpoint.stand_in, so no untrained network "
            "can stand in for its weights"
        )
    return card.checkpoint.stand_in


def check_options(
    options: Collection[str], known: Iterable[str], needed: Iterable[str] = ()
) -> None:
    """Refuse an option that a builder does not know, and the lack of one that it needs.

    Raises
    ------
    UserError
        The message offers the nearest name, or names what is missing.
    """
    names = list(known)
    for name in options:
        require_known("option of stand_in", name, names)
    missing = sorted(set(needed) - set(options))
    if missing:
        raise UserError(f"stand_in.options lacks {', '.join(missing)}")


_MODELS = Path(__file__).resolve().parents[1] / "models"


@cache
def builder_digest(wrapper: str) -> str | None:
    """Return the hash of the code that builds a wrapper's untrained network; None: there is none.

    Another builder may make a network that today's wrapper cannot load. Building takes seconds,
    so that the code itself decides, and no version kept by hand.
    """
    found = sorted((_MODELS / "architectures").rglob(f"{wrapper}.py"))
    if not found:
        return None
    # The list of builders imports none of them; it and the wrappers decide nothing here.
    left_out = ("architectures/__init__.py",)
    files = imported_files(found, _MODELS, "matteralign.models", left_out)
    return code_digest(files, _MODELS)


def stand_in_identity(card: ModelCard) -> dict[str, Any]:
    """Return what decides a card's untrained network beside its environment."""
    return stand_in_of(card).model_dump(mode="json") | {"builder": builder_digest(card.wrapper)}


def stand_in_key(card: ModelCard) -> str:
    """Return the identity of a card's untrained files: builder, options, seed and packages."""
    return sha256_json(
        {
            "wrapper": card.wrapper,
            "stand_in": stand_in_identity(card),
            "files": [pinned.name for pinned in card.checkpoint.files],
            "environment": get_environment(card.environment).lock_digest(),
        }
    )


def untrained_card(card: ModelCard, files: Mapping[str, Mapping[str, Any]]) -> ModelCard:
    """Return the card as it runs on its untrained network.

    Parameters
    ----------
    card
        The model's card.
    files
        ``sha256`` and ``size`` of each file by name, as it was built.
    """
    spec = stand_in_of(card)
    pinned = [
        PinnedFile(
            name=f.name,
            sha256=files[f.name]["sha256"],
            size=files[f.name]["size"],
            sources=[BuiltSource(by=card.wrapper)],
        )
        for f in card.checkpoint.files
    ]
    checkpoint = {"weights": "untrained", "files": pinned, "restricted": None, "gated": None}
    updates: dict[str, Any] = {"checkpoint": card.checkpoint.model_copy(update=checkpoint)}
    if spec.dim is not None:
        updates["latent"] = card.latent.model_copy(update={"dim": spec.dim})
    if spec.parameters is not None:
        note = "a smaller untrained network of the architecture"
        updates["parameters"] = card.parameters.model_copy(
            update={"measured": spec.parameters, "note": note}
        )
    return card.model_copy(update=updates)
