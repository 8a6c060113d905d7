"""The verb that finds neighbours and dimensions of one model's latents."""

from __future__ import annotations

from matteralign.cli.shared.common import (
    DEFAULT_CONFIG,
    ConfigOption,
    ModelArgument,
    SliceArgument,
    ThreadsOption,
    layout_of,
    say,
    study_of,
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
