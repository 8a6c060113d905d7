"""Which weights a model runs on here: its own, or untrained ones where the user allows them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from matteralign.core.errors import FetchError, MatterAlignError, UserError
from matteralign.core.weights import Weights
from matteralign.registry.card import ModelCard
from matteralign.sources.cache import ensure, in_cache
from matteralign.sources.recorded import accept, accepted, known
from matteralign.sources.wanted import Wanted, bring_all
from matteralign.stages.runtime.stand_in import build_stand_in, built_files

State = Literal["none", "real", "architecture", "missing"]
Report = Callable[[str], None]
_INERT = (".jinja", ".json", ".safetensors", ".txt")
"""Formats that hold data alone, beside a file that executes code."""


def fetch_weights(
    card: ModelCard, mode: Weights, report: Report, accept_sha256: str | None = None
) -> ModelCard:
    """Bring a model's weights into the cache and return the card as it will run.

    Parameters
    ----------
    mode
        ``untrained-where-missing`` builds the card's untrained network when no source gives
        the weights.
    accept_sha256
        Hash that a person vouches for, of a pickle whose hash no card knows.

    Raises
    ------
    FetchError
        If the weights cannot be fetched and no replacement is allowed.
    UserError
        If the format executes code and nobody has vouched for its hash.
    """
    if card.checkpoint.weights == "untrained":
        return build_stand_in(card, report)
    try:
        for pinned in card.checkpoint.files:
            ensure(pinned, report)
    except FetchError as error:
        return _instead(card, mode, error, report)
    if accept_sha256 is not None:
        _accept(card, accept_sha256)
    return _with_known_hashes(card)


def fetch_many(
    cards: Sequence[ModelCard], modes: Mapping[str, Weights], report: Report, jobs: int
) -> dict[str, ModelCard | MatterAlignError]:
    """Bring the weights of many models, `jobs` files at once; what fails stops nothing else.

    Parameters
    ----------
    modes
        By key of the model, as in `fetch_weights`.

    Returns
    -------
    dict
        By key the card as it will run, or the error that says why it cannot.
    """
    files = [Wanted(p) for card in cards if _downloads(card) for p in card.checkpoint.files]
    brought = bring_all(files, report, jobs)

    def one(card: ModelCard) -> ModelCard:
        if not _downloads(card):
            return fetch_weights(card, modes[card.key], report)
        found = [brought[Wanted(pinned)] for pinned in card.checkpoint.files]
        errors = [error for error in found if isinstance(error, MatterAlignError)]
        if not errors:
            return _with_known_hashes(card)
        if not isinstance(errors[0], FetchError):
            raise errors[0]
        return _instead(card, modes[card.key], errors[0], report)

    done: dict[str, ModelCard | MatterAlignError] = {}
    for card in cards:
        try:
            done[card.key] = one(card)
        except MatterAlignError as error:
            done[card.key] = error
    return done


def _downloads(card: ModelCard) -> bool:
    return card.checkpoint.weights == "trained"


def _instead(card: ModelCard, mode: Weights, error: FetchError, report: Report) -> ModelCard:
    """Return the card on its untrained network, where that may stand in for its weights."""
    if mode == "trained" or card.checkpoint.stand_in is None:
        raise FetchError(_explained(card, error)) from error
    first = str(error).splitlines()[0].rstrip(":")
    report(f"{card.key}: {first}; building its untrained network instead")
    return build_stand_in(card, report)


def runnable(card: ModelCard, mode: Weights, report: Report) -> ModelCard:
    """Return the card as it runs now, with the hash of every file.

    In mode ``untrained-where-missing`` nothing is downloaded: what the fetch before this left
    in the cache decides, so a network that comes and goes does not.

    Raises
    ------
    MatterAlignError
        As `fetch_weights`.
    """
    if mode == "trained" or weights_state(card) == "real":
        return fetch_weights(card, "trained", report)
    if card.checkpoint.stand_in is None:
        return fetch_weights(card, mode, report)
    return build_stand_in(card, report)


def weights_state(card: ModelCard) -> State:
    """Return which of a model's weights are available without a network."""
    if card.checkpoint.weights == "none":
        return "none"
    if card.checkpoint.weights == "trained" and all(map(in_cache, card.checkpoint.files)):
        return "real"
    return "architecture" if built_files(card) else "missing"


def as_fetched(card: ModelCard) -> ModelCard:
    """Return the card with the hash of every file, all of which are in the cache.

    Raises
    ------
    UserError
        If the format executes code and nobody has vouched for its hash.
    """
    return _with_known_hashes(card)


def _with_known_hashes(card: ModelCard) -> ModelCard:
    files = [known(pinned) or pinned for pinned in card.checkpoint.files]
    if card.checkpoint.executes_code:
        for pinned in card.checkpoint.files:
            if not pinned.name.endswith(_INERT) and not accepted(pinned):
                found = known(pinned)
                raise UserError(
                    f"{card.key}: opening {pinned.name} executes code, and its hash is on no card. "
                    f"It hashes to {found.sha256 if found else 'nothing yet'}: compare that with "
                    f"what the authors publish, then run `matteralign fetch --model {card.key} "
                    "--accept <sha256>`"
                )
    return card.model_copy(
        update={"checkpoint": card.checkpoint.model_copy(update={"files": files})}
    )


def _accept(card: ModelCard, sha256: str) -> None:
    for pinned in card.checkpoint.files:
        found = known(pinned)
        if pinned.sha256 is None and found is not None and found.sha256 == sha256:
            accept(pinned)
            return
    raise UserError(f"{card.key}: no file of unknown hash that was fetched hashes to {sha256}")


def _explained(card: ModelCard, error: FetchError) -> str:
    lines = [str(error)]
    if card.checkpoint.gated:
        lines.append(
            f"These weights are gated: accept their licence at {card.checkpoint.gated} and set "
            "HF_TOKEN to a token of that account"
        )
    if card.checkpoint.stand_in is not None:
        lines.append(
            "To run an untrained network of this architecture instead, labelled so everywhere, "
            "set `weights: untrained-where-missing` for the slice"
        )
    return "\n".join(lines)
