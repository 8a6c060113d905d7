"""Run one model over a slice, in the environment of its family."""

from __future__ import annotations

import shutil
from collections.abc import Callable

from matteralign.core.errors import IntegrityError
from matteralign.core.hashing import sha256_json
from matteralign.registry.card import ModelCard
from matteralign.registry.environments import get_environment
from matteralign.registry.load import get_card
from matteralign.sources.cache import cached_path
from matteralign.stages.runtime.launch import run_worker
from matteralign.stages.runtime.weights import runnable
from matteralign.stages.study.layout import Layout
from matteralign.stages.study.standing import check_weights, differences, made_by
from matteralign.stages.study.study import Study
from matteralign.stages.study.taken import find_rows, take_rows
from matteralign.store.latents import check_latent
from matteralign.store.predictions import read_predictions_metadata
from matteralign.store.structures import SampleSet, read_structures


def identity_of(
    study: Study, layout: Layout, card: ModelCard, sample_set_id: str
) -> dict[str, object]:
    """Return what a model's sidecar must hold: the sample set, and what made the latents."""
    return {
        "slice": layout.slice,
        "dataset": study.slice(layout.slice).dataset,
        "sample_set_id": sample_set_id,
        "made_by": study.embed_identity(card.key, layout.slice),
        "environment": {
            "name": card.environment,
            "lock_sha256": get_environment(card.environment).lock_digest(),
        },
    }


def _kept(study: Study, layout: Layout, card: ModelCard, sample_set_id: str) -> bool:
    """Return whether a model's latents and energies are there, whole and of this card."""
    path, key = layout.latent(card.key), card.key
    try:
        sidecar = check_latent(path, sample_set_id=sample_set_id)
        check_weights(card, sidecar, path)
        energies = read_predictions_metadata(layout.predictions(key))
    except IntegrityError:
        return False
    of_both = {"card_sha256": card.digest(), "sample_set_id": sample_set_id}
    return (
        not differences(made_by(sidecar), study.embed_identity(key, layout.slice))
        and sidecar["checkpoint"]["weights"] == card.checkpoint.weights
        and all(found.get(n) == v for n, v in of_both.items() for found in (sidecar, energies))
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

    What is there already, whole and of the same card, wrapper version, environment, weights and
    sample set, is left as it is. First rows that another slice of the same draw has, or this one
    before it was drawn longer, are taken from there (`find_rows`). Work is kept in shards until
    it is whole, so a killed run goes on where it was. Shards of another card, wrapper version or
    sample set are never picked up: the folder carries their identity in its name.

    Raises
    ------
    MatterAlignError
        If the environment, the checkpoint or the model itself failed.
    """
    listed = get_card(key, study.cards)
    sample = read_structures(layout.structures)
    # Of a card that pins its weights nothing is fetched to know that its latents are there.
    if listed.checkpoint.weights != "untrained" and _there(study, layout, listed, sample, report):
        return
    card = runnable(listed, study.weights(layout.slice), report)
    if card.digest() != listed.digest() and _there(study, layout, card, sample, report):
        return
    if card.checkpoint.weights == "untrained":
        report(f"{key}: runs on UNTRAINED weights; every result is labelled so")
    identity = study.embed_identity(key, layout.slice) | {"card": card.digest()}
    mark = sha256_json([identity, sample.id])[:16]
    shards = layout.shards(key) / mark
    found = find_rows(study, layout, card, sample)
    known = {}
    if found is not None:
        report(f"{key}: {found.told}; the model runs on the rows that follow")
        known["known"] = {
            "latent": str(found.layout.latent(key)),
            "predictions": str(found.layout.predictions(key)),
            "rows": len(found.known),
            "taken_from": found.taken_from,
        }
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
        identity=identity_of(study, layout, card, sample.id),
        **known,
    )
    shutil.rmtree(layout.shards(key), ignore_errors=True)


def _there(
    study: Study,
    layout: Layout,
    card: ModelCard,
    sample: SampleSet,
    report: Callable[[str], None],
) -> bool:
    """Return whether the model need not run: its rows are there, or all of them were taken."""
    key = card.key
    if _kept(study, layout, card, sample.id):
        report(f"{key}: the latents that are there are of this card and these structures; kept")
        return True
    found = find_rows(study, layout, card, sample)
    if found is None or len(found.known) < len(sample):
        return False
    take_rows(layout, card, sample, found, identity_of(study, layout, card, sample.id))
    shutil.rmtree(layout.shards(key), ignore_errors=True)
    report(f"{key}: {found.told}; the model need not run")
    return True
