"""What a stage is run again for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from matteralign.config.schema import StudyConfig
from matteralign.metrics.base.registry import LISTS_VERSION
from matteralign.registry.card import ModelCard
from matteralign.stages.study.study import Study

SHA = "ab" * 32
SLICE = {"dataset": "qm9", "n": 10, "seed": 0, "panel": ["mine", "other"]}


def checkpoint(revision: str, sha256: str | None) -> dict[str, Any]:
    address = f"https://example.org/models/{revision}/weights.pt"
    pinned = {"name": "weights.pt", "sha256": sha256, "sources": [{"url": address}]}
    return {"weights": "trained", "licence": "MIT", "files": [pinned]}


@pytest.fixture
def study(make_card: Callable[..., ModelCard]) -> Callable[..., Study]:
    """Make a study whose first model's card is changed so."""

    def make(slices: dict[str, Any] | None = None, **changes: Any) -> Study:
        cards = {"mine": make_card("mine", 0, **changes), "other": make_card("other", 1)}
        config = StudyConfig.model_validate({"slices": {"s": SLICE | (slices or {})}})
        return Study(config, cards)

    return make


def test_weights_of_unknown_bytes_from_another_address_are_other_weights(
    study: Callable[..., Study],
) -> None:
    first, same, moved = (study(checkpoint=checkpoint(v, None)) for v in ("v1", "v1", "v2"))
    assert first.embed_identity("mine", "s") == same.embed_identity("mine", "s")
    assert first.embed_identity("mine", "s") != moved.embed_identity("mine", "s")
    origins = [made.cards["mine"].checkpoint.origin() for made in (first, same, moved)]
    assert origins[0] == origins[1] != origins[2]


def test_weights_of_known_bytes_are_the_same_from_everywhere(study: Callable[..., Study]) -> None:
    here, there = (study(checkpoint=checkpoint(v, SHA)) for v in ("v1", "v2"))
    assert here.embed_identity("mine", "s") == there.embed_identity("mine", "s")
    assert here.cards["mine"].checkpoint.origin() == SHA
    assert study().cards["mine"].checkpoint.origin() is None


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "New name"},
        {"training_sets": ["MPTrj"]},
        {"checkpoint": {"weights": "none", "licence": "Apache-2.0"}},
        {"slices": {"min_coverage": 0.9}},
    ],
)
def test_what_the_report_says_of_a_model_or_slice_draws_it_anew(
    study: Callable[..., Study], changes: dict[str, Any]
) -> None:
    assert study().figure_identity("s") == study().figure_identity("s")
    assert study().figure_identity("s") != study(**changes).figure_identity("s")


def test_another_version_of_the_search_summarizes_anew(
    study: Callable[..., Study], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = study().summary_identity("s")
    assert before == study().summary_identity("s")
    monkeypatch.setattr("matteralign.stages.study.study.LISTS_VERSION", LISTS_VERSION + 1)
    assert before != study().summary_identity("s")
    assert study().embed_identity("mine", "s") == study().embed_identity("mine", "s")
