"""YAML in which a key may stand only once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from matteralign.core.errors import UserError


class _Once:
    """Refuses a repeated key: YAML itself would silently keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key.value!r} is there twice", key.start_mark
                )
            seen.add(key.value)
        built: dict[Any, Any] = super().construct_mapping(node, deep)  # type: ignore[misc]
        return built


class _OnceLoader(_Once, yaml.SafeLoader):
    """Loader in Python, whose messages are told."""


# Compiled, and ten times as fast, but it takes a few texts that YAML forbids, such as a tab after
# a value. PyYAML may be installed without it.
_FastLoader = (
    type("_FastLoader", (_Once, yaml.CSafeLoader), {}) if yaml.__with_libyaml__ else _OnceLoader
)


def parse_yaml(text: str, *, shipped: bool = False) -> Any:
    """Parse one YAML document.

    Parameters
    ----------
    shipped
        The text comes with the package, whose tests parse it with both loaders: the fast one
        will do.

    Raises
    ------
    yaml.YAMLError
        If the text is not YAML or a mapping has a key twice; the message has the line.
    """
    # Both loaders derive from SafeLoader: they build plain values only.
    if shipped:
        try:
            return yaml.load(text, Loader=_FastLoader)  # noqa: S506
        except yaml.YAMLError:
            pass  # the other one says better what is wrong
    return yaml.load(text, Loader=_OnceLoader)  # noqa: S506


def read_yaml_file(path: Path, *, shipped: bool = False) -> Any:
    """Read a file of one YAML document; `shipped` as for `parse_yaml`.

    Raises
    ------
    UserError
        If the file is not YAML or a mapping has a key twice.
    OSError
        If the file cannot be read.
    """
    try:
        return parse_yaml(path.read_text(encoding="utf-8"), shipped=shipped)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not valid YAML: {yaml_fault(error)}") from error


def yaml_fault(error: yaml.YAMLError | UnicodeDecodeError) -> str:
    """Return in one line what is wrong with a text that is no YAML, and where."""
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return " ".join(str(error).split())
    told = ", ".join(filter(None, (getattr(error, "context", None), getattr(error, "problem", ""))))
    return f"line {mark.line + 1}, column {mark.column + 1}: {told}"
