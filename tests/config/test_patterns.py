"""The form of a name is told in words, with an example that has it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from matteralign.cli.schema import generated
from matteralign.config.load import resolve
from matteralign.core.errors import UserError
from matteralign.core.patterns import IN_WORDS


def patterns(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        yield from node.get("patternProperties", {})
        if isinstance(node.get("pattern"), str):
            yield node["pattern"]
        for value in node.values():
            yield from patterns(value)
    elif isinstance(node, list):
        for value in node:
            yield from patterns(value)


def test_every_pattern_of_the_schemas_has_words() -> None:
    used = {p for text in generated().values() for p in patterns(json.loads(text))}
    assert used == set(IN_WORDS)


@pytest.mark.parametrize("pattern", IN_WORDS)
def test_the_example_has_the_form(pattern: str) -> None:
    words = IN_WORDS[pattern]
    assert pattern not in words
    if "such as " in words:
        assert re.search(pattern, words.rpartition("such as ")[2])


@pytest.mark.parametrize("name", ["QM9_mine", "-a", "a.b"])
def test_a_name_of_a_slice_is_refused_in_words(name: str) -> None:
    chosen = {"dataset": "qm9", "n": 10, "seed": 0, "panel": ["random", "ecfp4"]}
    with pytest.raises(UserError) as caught:
        resolve({"slices": {name: chosen}}, origin="config.yaml", base=Path())
    assert str(caught.value) == (
        f"config.yaml: slices.{name}: must be small letters a-z, digits and hyphens, the first a "
        f"letter or digit, such as qm9-demo, found {name!r}"
    )


def test_an_element_is_refused_in_words() -> None:
    chosen = {"dataset": "qm9", "n": 10, "seed": 0, "panel": "all"}
    chosen["filters"] = {"elements": {"only": ["c"]}}
    with pytest.raises(UserError) as caught:
        resolve({"slices": {"a": chosen}}, origin="config.yaml", base=Path())
    assert str(caught.value) == (
        "config.yaml: slices.a.filters.elements.only[0]: must be the symbol of an element, such "
        "as Si, found 'c'"
    )
