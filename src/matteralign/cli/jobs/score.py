"""The verb that compares the models of a slice."""

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
