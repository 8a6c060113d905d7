"""The verb that runs one model over a slice."""

from __future__ import annotations

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
