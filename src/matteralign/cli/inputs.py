"""Verbs that bring what the work needs: datasets, weights, environments."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from matteralign.cli.common import DEFAULT_CONFIG, ConfigOption, say, study_of
from matteralign.core.files import write_json


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    app.command()(fetch)
    app.command()(environment)


def fetch(
    dataset: Annotated[str | None, typer.Option(help="Dataset to fetch.")] = None,
    model: Annotated[str | None, typer.Option(help="Model whose weights to fetch.")] = None,
    out: Annotated[Path | None, typer.Option(help="Record of the files (JSON).")] = None,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Bring a dataset's files or a model's weights into the cache, checked by hash."""
    from matteralign.core.errors import UserError
    from matteralign.datasets.catalogue import get_dataset
    from matteralign.registry.load import get_card
    from matteralign.sources.cache import ensure

    if (dataset is None) == (model is None):
        raise UserError("name one of --dataset and --model")
    record: dict[str, object]
    if dataset is not None:
        chosen = get_dataset(dataset)
        files = list(chosen.files)
        record = {"dataset": dataset, "licence": chosen.licence, "version": chosen.version}
    else:
        card = get_card(model or "", study_of(config).cards)
        files = card.checkpoint.files
        record = {
            "model": card.key,
            "licence": card.checkpoint.licence,
            "restricted": card.checkpoint.restricted,
            "weights": card.checkpoint.weights,
        }
        if card.checkpoint.restricted:
            say(f"licence of {card.key}: {card.checkpoint.licence}. {card.checkpoint.restricted}")
    for pinned in files:
        ensure(pinned, say)
    record["files"] = {p.name: {"sha256": p.sha256, "size": p.size} for p in files}
    if out is not None:
        write_json(out, record)


def environment(
    name: Annotated[str, typer.Argument(help="Environment below envs/.")],
    out: Annotated[Path | None, typer.Option(help="Record of the environment (JSON).")] = None,
) -> None:
    """Build the environment of a model family in the cache, or find it there."""
    from matteralign.registry.environments import get_environment
    from matteralign.runtime.environments import ensure_environment

    chosen = get_environment(name)
    python = ensure_environment(chosen, say)
    if out is not None:
        write_json(out, {"name": name, "lock_sha256": chosen.lock_digest()})
    else:
        typer.echo(python)
