"""Verbs that bring what the work needs: datasets, weights, environments."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from matteralign.cli.common import DEFAULT_CONFIG, ConfigOption, ModelArgument, say, study_of
from matteralign.core.files import write_json
from matteralign.core.weights import Weights
from matteralign.registry.card import ModelCard

OutOption = Annotated[Path | None, typer.Option(help="Record of what is there (JSON).")]


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    app.command()(fetch)
    app.command()(architecture)
    app.command()(environment)


def fetch(
    dataset: Annotated[str | None, typer.Option(help="Dataset to fetch.")] = None,
    model: Annotated[str | None, typer.Option(help="Model whose weights to fetch.")] = None,
    weights: Annotated[
        Weights, typer.Option(help="Whether an untrained network may stand in for the weights.")
    ] = "trained",
    accept: Annotated[
        str | None, typer.Option(help="Hash of a pickle that no card pins, as its authors give it.")
    ] = None,
    out: OutOption = None,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Bring a dataset's files or a model's weights into the cache, checked by hash."""
    from matteralign.core.errors import UserError
    from matteralign.datasets.catalogue import get_dataset
    from matteralign.registry.load import get_card
    from matteralign.runtime.weights import fetch_weights
    from matteralign.sources.cache import ensure

    if (dataset is None) == (model is None):
        raise UserError("name one of --dataset and --model")
    record: dict[str, object]
    if dataset is not None:
        chosen = get_dataset(dataset)
        files = list(chosen.files)
        record = {"dataset": dataset, "licence": chosen.licence, "version": chosen.version}
        for pinned in files:
            ensure(pinned, say)
    else:
        card = get_card(model or "", study_of(config).cards)
        if card.checkpoint.restricted:
            say(f"licence of {card.key}: {card.checkpoint.licence}. {card.checkpoint.restricted}")
        card = fetch_weights(card, weights, say, accept)
        files = card.checkpoint.files
        record = weights_record(card)
    record["files"] = {p.name: {"sha256": p.sha256, "size": p.size} for p in files}
    if out is not None:
        write_json(out, record)


def architecture(
    model: ModelArgument, out: OutOption = None, config: ConfigOption = DEFAULT_CONFIG
) -> None:
    """Build the untrained network of a model in its file format, or find it in the cache."""
    from matteralign.registry.load import get_card
    from matteralign.runtime.stand_in import build_stand_in
    from matteralign.sources.cache import cached_path

    card = build_stand_in(get_card(model, study_of(config).cards), say)
    files = {p.name: {"sha256": p.sha256, "size": p.size} for p in card.checkpoint.files}
    if out is not None:
        write_json(out, weights_record(card) | {"files": files})
        return
    for pinned in card.checkpoint.files:
        typer.echo(cached_path(pinned))


def weights_record(card: ModelCard) -> dict[str, object]:
    """Return what is written down of a model's weights beside their files."""
    return {
        "model": card.key,
        "licence": card.checkpoint.licence,
        "restricted": card.checkpoint.restricted,
        "weights": card.checkpoint.weights,
    }


def environment(
    name: Annotated[str, typer.Argument(help="Environment below envs/.")],
    out: OutOption = None,
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
