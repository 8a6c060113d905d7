"""Verbs that compute: sample, embed, summarize, row, merge."""

from __future__ import annotations

import typer

from matteralign.cli.common import (
    DEFAULT_CONFIG,
    ConfigOption,
    ModelArgument,
    SliceArgument,
    ThreadsOption,
    layout_of,
    say,
    study_of,
)


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    for verb in (sample, embed, summarize, row, merge):
        app.command()(verb)


def sample(slice_name: SliceArgument, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Draw a slice's structures from its dataset."""
    from matteralign.align.sample import sample_slice

    study = study_of(config)
    layout = layout_of(study, slice_name)
    identity = sample_slice(study, layout, say)
    say(f"sample {slice_name}: {study.slice(slice_name).n} structures, set {identity[:12]}")


def embed(
    slice_name: SliceArgument,
    model: ModelArgument,
    threads: ThreadsOption = 1,
    device: str = typer.Option("auto", help="cpu, cuda or auto."),
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Run one model over a slice and keep its latents and energies."""
    from matteralign.align.embed import embed_model

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
    from matteralign.align.summary import summarize_model

    study = study_of(config)
    say(summarize_model(study, layout_of(study, slice_name), model, threads=threads))


def row(
    slice_name: SliceArgument,
    model: ModelArgument,
    threads: ThreadsOption = 1,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Compare one model with every model of lower index."""
    from matteralign.align.row import score_row

    study = study_of(config)
    done = score_row(study, layout_of(study, slice_name), model, threads=threads)
    say(f"row {model}: {done.computed} pairs computed, {done.reused} reused")


def merge(slice_name: SliceArgument, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Join the rows of a slice into one table of scores."""
    from matteralign.align.merge import merge_rows

    study = study_of(config)
    say(f"merge {slice_name}: {merge_rows(study, layout_of(study, slice_name))} scores")
