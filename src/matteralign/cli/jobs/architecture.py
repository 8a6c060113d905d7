"""The verb that builds the untrained network of a model."""

from __future__ import annotations

import typer

from matteralign.cli.shared.common import (
    DEFAULT_CONFIG,
    ConfigOption,
    ModelArgument,
    OutOption,
    say,
    study_of,
)
from matteralign.core.files import write_json
from matteralign.registry.card import ModelCard


def architecture(
    model: ModelArgument, out: OutOption = None, config: ConfigOption = DEFAULT_CONFIG
) -> None:
    """Build the untrained network of a model in its file format, or find it in the cache."""
    from matteralign.registry.load import get_card
    from matteralign.sources.cache import cached_path
    from matteralign.stages.runtime.stand_in import build_stand_in

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
