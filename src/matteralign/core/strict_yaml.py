"""YAML in which a key may stand only once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from matteralign.core.errors import UserError


class _OnceLoader(yaml.SafeLoader):
    """Safe loader that refuses a repeated key: YAML itself would silently keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key.value!r} is there twice", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def parse_yaml(text: str) -> Any:
    """Parse one YAML document.

    Raises
    ------
    yaml.YAMLError
        If the text is not YAML or a mapping has a key twice; the message has the line.
    """
    # The loader derives from SafeLoader: it builds plain values only.
    return yaml.load(text, Loader=_OnceLoader)  # noqa: S506


def read_yaml_file(path: Path) -> Any:
    """Read a file of one YAML document.

    Raises
    ------
    UserError
        If the file is not YAML or a mapping has a key twice.
    OSError
        If the file cannot be read.
    """
    try:
        return parse_yaml(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not valid YAML: {yaml_fault(error)}") from error


def yaml_fault(error: yaml.YAMLError | UnicodeDecodeError) -> str:
    """Return in one line what is wrong with a text that is no YAML, and where."""
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return " ".join(str(error).split())
    told = ", ".join(filter(None, (getattr(error, "context", None), getattr(error, "problem", ""))))
    return f"line {mark.line + 1}, column {mark.column + 1}: {told}"
