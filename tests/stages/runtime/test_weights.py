"""Which weights a model runs on: its own, or untrained ones where they are allowed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from matteralign.core.errors import FetchError, UserError
from matteralign.registry.card import ModelCard
from matteralign.registry.stand_in import untrained_card
from matteralign.sources.recorded import hand_path
from matteralign.stages.runtime import weights

GONE = "http://127.0.0.1:9/w.pt"  # the port that discards: nothing answers
BYTES = b"trained"
SHA256 = hashlib.sha256(BYTES).hexdigest()


@pytest.fixture
def card(
    make_card: Callable[..., ModelCard], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., ModelCard]:
    monkeypatch.setenv("MATTERALIGN_CACHE", str(tmp_path))
    built = {"sha256": "cd" * 32, "size": 3}
    monkeypatch.setattr(
        weights, "build_stand_in", lambda card, _: untrained_card(card, {"w.pt": built})
    )

    def make(**changes: Any) -> ModelCard:
        checkpoint = {
            "weights": "trained",
            "licence": "MIT",
            "files": [{"name": "w.pt", "sources": [{"url": GONE}]}],
            "stand_in": {"seed": 1},
        }
        return make_card("m", 0, checkpoint=checkpoint | changes)

    return make


def place(card: ModelCard) -> None:
    path = hand_path(card.checkpoint.files[0])
    path.parent.mkdir(parents=True)
    path.write_bytes(BYTES)


def test_without_leave_missing_weights_stop_the_run(card: Callable[..., ModelCard]) -> None:
    for step in (weights.fetch_weights, weights.runnable):
        with pytest.raises(FetchError, match="untrained-where-missing") as caught:
            step(card(), "trained", print)
        assert "by-hand" in str(caught.value)


def test_with_leave_an_untrained_network_runs(card: Callable[..., ModelCard]) -> None:
    said: list[str] = []
    made = weights.fetch_weights(card(), "untrained-where-missing", said.append)
    assert made.checkpoint.weights == "untrained"
    assert "building its untrained network instead" in said[-1]
    assert weights.runnable(card(), "untrained-where-missing", print) == made


@pytest.mark.parametrize("mode", ["trained", "untrained-where-missing"])
def test_weights_that_are_here_are_used(card: Callable[..., ModelCard], mode: Any) -> None:
    place(card())
    assert weights.weights_state(card()) == "real"
    for step in (weights.fetch_weights, weights.runnable):
        made = step(card(), mode, print)
        assert made.checkpoint.weights == "trained"
        assert made.checkpoint.digest() == SHA256


def test_a_card_that_nothing_can_stand_in_for_stops_in_either_mode(
    card: Callable[..., ModelCard],
) -> None:
    for step in (weights.fetch_weights, weights.runnable):
        with pytest.raises(FetchError) as caught:
            step(card(stand_in=None), "untrained-where-missing", print)
        assert "untrained" not in str(caught.value)


def test_a_row_that_is_untrained_by_definition_needs_no_leave(
    card: Callable[..., ModelCard],
) -> None:
    assert weights.runnable(card(weights="untrained"), "trained", print).checkpoint.digest()


def test_gated_weights_name_page_and_variable(card: Callable[..., ModelCard]) -> None:
    with pytest.raises(FetchError, match=r"https://x\.org/licence.*HF_TOKEN"):
        weights.fetch_weights(card(gated="https://x.org/licence"), "trained", print)


def test_a_pickle_of_unknown_hash_needs_a_person(card: Callable[..., ModelCard]) -> None:
    pickle = card(executes_code=True)
    place(pickle)
    for mode in ("trained", "untrained-where-missing"):
        with pytest.raises(UserError, match=f"executes code.*{SHA256}.*--accept"):
            weights.runnable(pickle, mode, print)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="hashes to 00"):
        weights.fetch_weights(pickle, "trained", print, "00")
    made = weights.fetch_weights(pickle, "trained", print, SHA256)
    assert weights.runnable(pickle, "trained", print) == made


def test_data_beside_code_needs_no_person(card: Callable[..., ModelCard]) -> None:
    both = [{"name": name, "sources": [{"url": f"{GONE}/{name}"}]} for name in ("a.json", "b.py")]
    code = card(executes_code=True, files=both)
    for pinned in code.checkpoint.files:
        hand_path(pinned).parent.mkdir(parents=True)
        hand_path(pinned).write_bytes(BYTES + pinned.name.encode())
    with pytest.raises(UserError, match=r"opening b\.py executes code"):
        weights.fetch_weights(code, "trained", print)
    digest = hashlib.sha256(BYTES + b"b.py").hexdigest()
    assert weights.fetch_weights(code, "trained", print, digest).checkpoint.digest()
