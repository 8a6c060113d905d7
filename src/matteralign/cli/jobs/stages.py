"""Verbs that compute: sample, embed, summarize, score."""

from __future__ import annotations

import typer

from matteralign.cli.shared.common import (
    DEFAULT_CONFIG,
    ConfigOption,
    ModelArgument,
    ModelDeviceOption,
    SliceArgument,
    ThreadsOption,
    layout_of,
    say,
    study_of,
)


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    for verb in (sample, embed, summarize, score):
        app.command()(verb)


def sample(
    slice_name: SliceArgument,
    threads: ThreadsOption = 1,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Draw a slice's structures from its dataset."""
    from matteralign.stages.sample import sample_slice

    study = study_of(config)
    layout = layout_of(study, slice_name)
    identity = sample_slice(study, layout, say, threads)
    say(f"sample {slice_name}: set {identity[:12]}")


def embed(
    slice_name: SliceArgument,
    model: ModelArgument,
    threads: ThreadsOption = 1,
    device: ModelDeviceOption = "auto",
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Run one model over a slice and keep its latents and energies."""
    from matteralign.stages.embed import embed_model

    study = study_of(config)
    embed_model(
        study, layout_of(study, slice_name), model, threads=threads, device=device, report=say
    )


def summarize(
    slice_name: SliceArgument,
    model: ModelArgument,
    threads: ThreadsOption = 1,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Find the neighbours and intrinsic dimensions of one model's latents."""
    from matteralign.registry.load import get_card
    from matteralign.stages.summarize import summarize_model

    study = study_of(config)
    layout = layout_of(study, slice_name)
    say(summarize_model(study, layout, get_card(model, study.cards).key, threads=threads))


def score(
    slice_name: SliceArgument,
    threads: ThreadsOption = 1,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Compare every pair of models of a slice; earlier scores are reused."""
    from matteralign.stages.score import score_slice

    study = study_of(config)
    done = score_slice(study, layout_of(study, slice_name), threads=threads, report=say)
    say(f"score {slice_name}: {done.computed} pairs computed, {done.reused} reused")
