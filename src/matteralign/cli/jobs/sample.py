"""The verb that draws the structures of a slice."""

from __future__ import annotations

from matteralign.cli.shared.common import (
    DEFAULT_CONFIG,
    ConfigOption,
    SliceArgument,
    ThreadsOption,
    layout_of,
    say,
    study_of,
)


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
