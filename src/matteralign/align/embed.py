"""Run one model over a slice, in the environment of its family."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from matteralign.align.layout import Layout
from matteralign.align.study import Study
from matteralign.core.errors import IntegrityError
from matteralign.core.hashing import sha256_json
from matteralign.registry.card import ModelCard
from matteralign.registry.environments import get_environment
from matteralign.registry.load import get_card
from matteralign.runtime.launch import run_worker
from matteralign.runtime.weights import runnable
from matteralign.sources.cache import cached_path
from matteralign.store.structures import read_structures


def identity_of(
    study: Study, layout: Layout, card: ModelCard, sample_set_id: str
) -> dict[str, object]:
    """Return what a model's sidecar must say: whose rows these are and what made them."""
    return {
        "slice": layout.slice,
        "dataset": study.slice(layout.slice).dataset,
        "sample_set_id": sample_set_id,
        "environment": {
            "name": card.environment,
            "lock_sha256": get_environment(card.environment).lock_digest(),
        },
    }


def check_weights(card: ModelCard, sidecar: Mapping[str, Any], where: Path) -> None:
    """Refuse latents of trained weights whose files are not those of the card or the lock.

    Parameters
    ----------
    where
        The latents, for the message.

    Raises
    ------
    IntegrityError
        If a file that made them has another hash.
    """
    used = sidecar.get("checkpoint", {})
    if used.get("weights") != "trained":
        return
    for pinned in card.checkpoint.files:
        wanted, found = pinned.sha256 or pinned.locked, used.get("files", {}).get(pinned.name)
        if None not in (wanted, found) and wanted != found:
            whose = "the card" if pinned.sha256 else "the lock of weights"
            raise IntegrityError(
                f"{where}: made with {pinned.name} of sha256 {found}, {whose} has {wanted}; "
                f"embed {card.key} again"
            )


def embed_model(
    study: Study,
    layout: Layout,
    key: str,
    *,
    threads: int,
    device: str,
    report: Callable[[str], None],
) -> None:
    """Write a model's latents, sidecar and predictions.

    Work is kept in shards until it is whole, so a killed run goes on where it was. Shards of
    another card, wrapper version or sample set are never picked up: the folder carries their
    identity in its name.

    Raises
    ------
    MatterAlignError
        If the environment, the checkpoint or the model itself failed.
    """
    card = runnable(get_card(key, study.cards), study.weights(layout.slice), report)
    if card.checkpoint.weights == "untrained":
        report(f"{key}: runs on UNTRAINED weights; every result is labelled so")
    sample_set_id = read_structures(layout.structures).id
    identity = study.embed_identity(key, layout.slice) | {"card": card.digest()}
    mark = sha256_json([identity, sample_set_id])[:16]
    shards = layout.shards(key) / mark
    run_worker(
        "embed",
        card,
        files={pinned.name: cached_path(pinned) for pinned in card.checkpoint.files},
        threads=threads,
        device=device,
        report=report,
        structures=layout.structures,
        latent=layout.latent(key),
        predictions=layout.predictions(key),
        shards=shards,
        identity=identity_of(study, layout, card, sample_set_id),
    )
    shutil.rmtree(layout.shards(key), ignore_errors=True)
