"""Checks of many models, made once for all tests that look at them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from matteralign.registry.load import load_cards
from matteralign.stages.checks.check import check_models
from matteralign.stages.checks.check_records import Checked


@pytest.fixture(scope="session")
def checked() -> Callable[[Sequence[str]], dict[str, Checked]]:
    """Return what `check-model` finds of cards: those not checked yet share one process."""
    cards, found = load_cards((Path(__file__).parent / "data",)), {}

    def check(keys: Sequence[str]) -> dict[str, Checked]:
        check_models(
            [cards[key] for key in keys if key not in found],
            done=lambda one: found.update({one.model: one}),
            report=print,
            keep=False,
        )
        return {key: found[key] for key in keys}

    return check
