"""The verb that writes the JSON Schemas generated from the pydantic models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import typer
from pydantic import BaseModel

from matteralign.config.schema import StudyConfig
from matteralign.core.files import write_text
from matteralign.datasets.card import DatasetCard
from matteralign.registry.card import ModelCard

FOLDER = Path("workflow/schemas")
_MODELS: dict[str, type[BaseModel]] = {
    "config.schema.json": StudyConfig,
    "card.schema.json": ModelCard,
    "dataset.schema.json": DatasetCard,
}


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command()(schema)


def generated() -> dict[str, str]:
    """Return the text of every schema file by name."""
    return {name: _text(model.model_json_schema()) for name, model in _MODELS.items()}


def schema(
    write: bool = typer.Option(False, "--write", help=f"Write them below {FOLDER}/."),
) -> None:
    """Print the JSON Schema of config.yaml and of the cards, or write them."""
    for name, text in generated().items():
        if write:
            write_text(FOLDER / name, text)
        else:
            typer.echo(text)


def _text(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
