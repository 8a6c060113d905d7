"""What an analysis is made from, and whether the results in its folder are up to date."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from matteralign.core.files import read_record
from matteralign.core.hashing import sha256_file
from matteralign.stages.study.layout import AnalysisLayout
from matteralign.stages.study.standing import Result, differences
from matteralign.stages.study.study import Study


def analysis_inputs(study: Study, layout: AnalysisLayout) -> list[Path]:
    """Return the files that an analysis is made from: of its slices, of its models.

    Sidecars stand for the arrays beside them, whose hashes they have.
    """
    return [
        path
        for name in study.analysis(layout.analysis).slices
        for path in _inputs(study, layout, name)
    ]


def _inputs(study: Study, layout: AnalysisLayout, slice_name: str) -> Iterator[Path]:
    place, needs = layout.slice(slice_name), study.analysis(layout.analysis).needs
    panel = {card.key for card in study.panel(slice_name)}
    yield place.structures
    if "scores" in needs:
        yield place.scores
        yield place.replicates
    for key in study.analysis_models(layout.analysis):
        if key in panel:
            yield place.latent_sidecar(key)
            if "lists" in needs:
                yield place.neighbors_sidecar(key)
            if "predictions" in needs:
                yield place.predictions(key)


def analysis_made_of(study: Study, layout: AnalysisLayout) -> dict[str, Any]:
    """Return what an analysis is made from today: what is asked, and hashes of the inputs.

    Raises
    ------
    FileNotFoundError
        If an input is not there.
    """
    inputs = {
        path.relative_to(layout.results).as_posix(): sha256_file(path)
        for path in analysis_inputs(study, layout)
    }
    return study.analysis_identity(layout.analysis) | {"inputs": inputs}


def analysis_result(study: Study, layout: AnalysisLayout) -> Result:
    """Return an analysis as a result of the workflow, see `Result`."""
    name = layout.analysis
    inputs = analysis_inputs(study, layout)
    identity = study.analysis_identity(name)
    why = partial(_differs, study, layout)
    return Result("analyze", None, inputs, [layout.record], identity, why)


def _differs(study: Study, layout: AnalysisLayout) -> str | None:
    if not all(path.exists() for path in analysis_inputs(study, layout)):
        return None  # what is missing is made first, and this after it
    record = read_record(layout.record, ("made_of", "files"))
    told = differences(record["made_of"], analysis_made_of(study, layout))
    if told:
        return f"was made from {told}"
    for file, digest in record["files"].items():
        path = layout.root / file
        if not path.exists():
            return f"{file} is missing"
        if sha256_file(path) != digest:
            return f"{file} was changed since it was written"
    return None
