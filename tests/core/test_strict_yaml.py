"""YAML of the package is read by the compiled loader, all other by the strict one."""

from __future__ import annotations

import pytest
import yaml

from matteralign.core.strict_yaml import parse_yaml
from matteralign.datasets.base import catalogue
from matteralign.registry import load

SHIPPED = [*load.BUILTIN.rglob("*.yaml"), *catalogue.BUILTIN.glob("*.yaml")]


def test_both_loaders_read_the_same_from_what_comes_with_the_package() -> None:
    assert len(SHIPPED) > 50
    for path in SHIPPED:
        text = path.read_text(encoding="utf-8")
        assert parse_yaml(text, shipped=True) == parse_yaml(text), path


@pytest.mark.parametrize("text", ["a: 1\nb: {c: 2, c: 3}", "a: b: c", "a: [1", "a:\t- b"])
def test_a_fault_is_told_alike_by_both(text: str) -> None:
    told = []
    for shipped in (False, True):
        with pytest.raises(yaml.YAMLError) as error:
            parse_yaml(text, shipped=shipped)
        told.append(str(error.value))
    assert told[0] == told[1]


@pytest.mark.parametrize("text", ["a: b\t", "a: >#\n"])
def test_what_only_the_compiled_loader_takes_is_refused_in_a_users_file(text: str) -> None:
    with pytest.raises(yaml.YAMLError):
        parse_yaml(text)
