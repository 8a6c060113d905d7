from __future__ import annotations

from collections.abc import Callable

import pytest

from matteralign.core.errors import UserError
from matteralign.registry.card import ModelCard
from matteralign.registry.load import load_cards
from matteralign.registry.stand_in import check_options, stand_in_key, untrained_card

CARDS = load_cards()
BUILT = {"sha256": "ab" * 32, "size": 7}


def built(card: ModelCard) -> ModelCard:
    return untrained_card(card, {f.name: BUILT for f in card.checkpoint.files})


def test_an_untrained_card_says_so_and_is_another_model() -> None:
    card = CARDS["mace-off23-medium"]
    made = built(card)
    assert made.checkpoint.weights == "untrained"
    assert made.checkpoint.restricted is None
    assert made.checkpoint.digest() == BUILT["sha256"]
    assert made.digest() != card.digest()
    assert (made.key, made.index, made.latent) == (card.key, card.index, card.latent)
    assert ModelCard.model_validate(made.model_dump(mode="json")) == made


def test_a_smaller_network_has_its_own_width_and_count() -> None:
    card = CARDS["orb-v2"]
    checkpoint = card.checkpoint.model_dump() | {"stand_in": {"dim": 8, "parameters": 99}}
    made = built(ModelCard.model_validate(card.model_dump() | {"checkpoint": checkpoint}))
    assert (made.latent.dim, made.parameters.measured) == (8, 99)
    assert made.parameters.study == card.parameters.study


def test_rows_that_share_a_file_share_the_untrained_one() -> None:
    keys = {stand_in_key(CARDS[f"mace-mp-medium{end}"]) for end in ("", "-equivariant")}
    assert len(keys) == 1
    assert stand_in_key(CARDS["mace-mp-large"]) not in keys


def test_a_card_without_one_is_named(make_card: Callable[..., ModelCard]) -> None:
    with pytest.raises(UserError, match=r"model m: its card has no checkpoint\.stand_in"):
        stand_in_key(make_card("m", 0))


def test_the_hash_of_files_is_known_when_every_hash_is() -> None:
    assert CARDS["orb-v2"].checkpoint.digest() is None
    assert CARDS["rxnfp-bert"].checkpoint.digest() is not None


def test_options_of_a_builder_are_checked_by_name() -> None:
    check_options({"width": 4}, ["width", "layers"])
    with pytest.raises(UserError, match=r"unknown option of stand_in 'widht': did you mean"):
        check_options({"widht": 4}, ["width", "layers"])
    with pytest.raises(UserError, match=r"stand_in\.options lacks layers"):
        check_options({"width": 4}, ["width", "layers"], needed=["width", "layers"])
