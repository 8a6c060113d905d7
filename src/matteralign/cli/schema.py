"""The verb that writes the JSON Schemas generated from the pydantic models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from pydantic import BaseModel

from matteralign.config.schema import StudyConfig
from matteralign.core.files import write_text
from matteralign.core.suggest import require_known
from matteralign.datasets.base.card import DatasetCard
from matteralign.registry.card import ModelCard

FOLDER = Path("workflow/schemas")
_MODELS: dict[str, type[BaseModel]] = {
    "config": StudyConfig,
    "card": ModelCard,
    "dataset": DatasetCard,
}


def generated() -> dict[str, str]:
    """Return the text of every schema file by name."""
    return {f"{name}.schema.json": schema_of(name) for name in _MODELS}


def schema_of(name: str) -> str:
    """Return the text of one schema.

    Raises
    ------
    UserError
        If there is no such schema; with the nearest that there is.
    """
    require_known("schema", name, _MODELS)
    text = json.dumps(
        _MODELS[name].model_json_schema(), indent=1, sort_keys=True, ensure_ascii=False
    )
    return text + "\n"


def schema(
    name: Annotated[
        str, typer.Argument(help="config (config.yaml), card (of a model) or dataset (card).")
    ] = "config",
    write: Annotated[
        bool, typer.Option("--write", help=f"Write all of them to {FOLDER}/ instead.")
    ] = False,
) -> None:
    """Print a JSON Schema: of config.yaml, of model cards or of dataset cards."""
    text = schema_of(name)
    if not write:
        typer.echo(text, nl=False)
        return
    for file, content in generated().items():
        write_text(FOLDER / file, content)
