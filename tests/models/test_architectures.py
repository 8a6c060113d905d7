"""Untrained networks in the genuine file formats, loaded by the code that loads the real files."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from matteralign.align.check_records import Checked
from matteralign.registry.load import load_cards

pytestmark = [pytest.mark.models, pytest.mark.network]

CARDS = load_cards()
# One of each network: the other rows differ in their file and their seed alone.
TRIED = {
    "language": ["chemberta", "chemgpt-1.2b"],
    "mace": [
        "mace-mp-medium-equivariant", "mace-mp-large", "mace-off23-medium", "mace-off23-large",
    ],
    "orb": ["orb-v2", "orb-v3-direct-20-omat-random", "orb-v3-conservative-inf-omat"],
}  # fmt: skip
PRINTED_OTHERWISE = {
    "chemberta",
    "chemgpt-1.2b",
    "esm-if1",
    "esm2-150m",
    "esm2-650m",
    "esm2-8m",
    "mace-mp-medium",
    "mace-mp-medium-equivariant",
    "orb-v2",
    "proteinmpnn",
}


@pytest.mark.parametrize("wrapper", TRIED)
def test_an_untrained_network_keeps_the_contract_of_its_card(
    wrapper: str, checked: Callable[[Sequence[str]], dict[str, Checked]]
) -> None:
    found = checked([key for keys in TRIED.values() for key in keys])
    for key in TRIED[wrapper]:
        # The count, and that another build with the same seed is the same, are clauses of it.
        assert [c for c in found[key].checks if c["status"] == "fail"] == [], key
        assert found[key].weights == "untrained"
        assert found[key].parameters is not None


def test_counts_are_those_of_the_study_or_explained() -> None:
    for key, card in CARDS.items():
        count = card.parameters
        if count.study not in (None, count.measured):
            assert key in PRINTED_OTHERWISE
            assert count.note
