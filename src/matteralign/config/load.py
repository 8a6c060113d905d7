"""Read a configuration file, its includes, and say what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matteralign.config.analyses import Analysis
from matteralign.config.schema import StudyConfig
from matteralign.config.slices import Slice
from matteralign.core.errors import UserError
from matteralign.core.strict_yaml import read_yaml_file
from matteralign.core.suggest import require_known
from matteralign.core.validation import validated

LOCK_NAME = "weights.lock.yaml"
"""A lock of weights that is used where it lies beside the configuration."""

# What a file that is included may hold; anything else in it would be without effect.
_INCLUDABLE = {"slices", "analyses", "include"}


def load_config(path: str | Path) -> StudyConfig:
    """Read ``config.yaml`` with everything it includes.

    Raises
    ------
    UserError
        If a file is missing, is not YAML, has an unknown key (the nearest is named), two files
        define one slice or analysis, or a slice and an analysis have one name.
    """
    path = Path(path)
    return resolve(read_yaml(path), origin=str(path), base=path.parent)


def _load_included(path: Path, origin: str, above: tuple[Path, ...]) -> StudyConfig:
    if path.resolve() in above:
        raise UserError(f"{path}: files include each other in a circle")
    if not path.exists():
        raise UserError(f"{path}: file does not exist; {origin} includes it")
    raw = read_yaml(path)
    extra = sorted(set(raw) - _INCLUDABLE)
    if extra and extra[0] in StudyConfig.model_fields:
        raise UserError(
            f"{path}: an included file adds slices and analyses only; move {extra[0]!r} to the "
            f"file that includes it ({origin})"
        )
    return resolve(raw, origin=str(path), base=path.parent, above=(*above, path.resolve()))


def resolve(
    raw: Mapping[str, Any], *, origin: str, base: Path, above: tuple[Path, ...] = ()
) -> StudyConfig:
    """Validate a configuration already read as a mapping and merge its includes.

    Parameters
    ----------
    raw
        The mapping, for instance Snakemake's ``config``.
    origin
        What to call it in messages.
    base
        Folder that includes are relative to.
    above
        Files whose inclusion led here.
    """
    config = validated(StudyConfig, dict(raw), origin)
    beside = base / LOCK_NAME
    if not above and config.weights_lock is None and beside.is_file():
        config = config.model_copy(update={"weights_lock": str(beside)})
    slices, analyses = dict(config.slices), dict(config.analyses)
    for name in config.include:
        where = base / name
        included = _load_included(where, origin, above)
        _add("slice", slices, included.slices, f"{where}: ", origin)
        _add("analysis", analyses, included.analyses, f"{where}: ", origin)
    both = sorted(set(slices) & set(analyses))
    if both:
        raise UserError(f"{origin}: {both[0]!r} is the name of a slice and of an analysis")
    return config.model_copy(update={"slices": slices, "analyses": analyses, "include": []})


def _add(
    kind: str, known: dict[str, Any], more: Mapping[str, Any], where: str, origin: str
) -> None:
    for key, value in more.items():
        if key in known and known[key] != value:
            raise UserError(f"{where}{kind} {key!r} is already defined otherwise in {origin}")
        known[key] = value


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping.

    Raises
    ------
    UserError
        If the file is missing, is not YAML or is not a mapping.
    """
    try:
        raw = read_yaml_file(path)
    except FileNotFoundError as error:
        raise UserError(f"{path}: configuration file does not exist") from error
    except IsADirectoryError as error:
        raise UserError(f"{path}: is a folder, not a configuration file") from error
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        raise UserError(f"{path}: a configuration is a mapping of keys")
    return raw


def get_analysis(config: StudyConfig, name: str) -> Analysis:
    """Return one analysis.

    Raises
    ------
    UserError
        If the configuration has no such analysis; the nearest name is offered.
    """
    require_known("analysis", name, config.analyses)
    return config.analyses[name]


def get_slice(config: StudyConfig, name: str) -> Slice:
    """Return one slice.

    Raises
    ------
    UserError
        If the configuration has no such slice; the nearest name is offered.
    """
    require_known("slice", name, config.slices)
    return config.slices[name]
