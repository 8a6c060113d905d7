"""The report of one slice: a single HTML file that opens offline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from matteralign.metrics.base.card import Citation
from matteralign.metrics.base.registry import METRICS
from matteralign.report.analysis.matrices import ScoreMatrix, baseline_range
from matteralign.report.analysis.tables import ModelFacts
from matteralign.report.figures import captions
from matteralign.report.figures.style import UNTRAINED_MARK, shorten
from matteralign.report.page.calibration_html import (
    calibrated_cut,
    calibration_html,
    intervals_told,
)
from matteralign.report.page.energies_html import energies_html, no_energies
from matteralign.report.page.html_tables import HtmlTable, cell_of, frame_html, matrix_html
from matteralign.report.page.inline import inline_svg

MASKED_SHOWN = 200
NOT_SCORED_SHOWN = 500
NAME_SHOWN = 60


@dataclass(frozen=True)
class ReportFigure:
    """A figure of the report.

    Attributes
    ----------
    title, caption
        Plain text; figures are numbered in order.
    svg
        Text of the SVG file.
    files
        Names of the files with the same figure or its data, told below the caption.
    """

    title: str
    caption: str
    svg: str
    files: Sequence[str] = ()


@dataclass(frozen=True)
class ReportData:
    """Everything the report says; nothing is read from elsewhere.

    Attributes
    ----------
    slice_name, dataset, n, sample_set_id, seed
        The sample set; `seed` may be None for a fixed list of rows.
    models
        Facts of the panel, in order.
    coverage, masked_reasons, masked_rows
        As from `matteralign.report.analysis.coverage`.
    matrices
        Score matrices shown as tables.
    calibration
        As from `matteralign.report.analysis.calibration.calibration_table`; None for none.
    intrinsic
        Wide table: model, then one column per estimator.
    not_scored
        As from `matteralign.report.analysis.tables.not_scored_table`.
    figures
        In order of appearance.
    energies
        As from `matteralign.report.analysis.energies.energy_table`; None for none.
    sample_facts
        Further rows for the table of the sample (source, licence of the data …).
    latents
        Facts of each latent by model key: any of dim, sha256, wrapper, wrapper_version,
        environment.
    versions
        Metric and software versions by name.
    environments
        Environment name → (lock hash or "", {package: version}).
    hashes
        File name → sha256 of the results.
    configuration
        Text of the configuration used.
    newick
        Tree text, "" when there is no tree.
    results
        Hash of the results and settings that the page shows, by which it is known to be of them.
    notes
        Further remarks shown at the top, such as restricted licences.
    citations
        What to cite.
    """

    slice_name: str
    dataset: str
    n: int
    sample_set_id: str
    seed: int | None
    models: Sequence[ModelFacts]
    coverage: pd.DataFrame
    masked_reasons: pd.DataFrame
    masked_rows: pd.DataFrame
    matrices: Sequence[ScoreMatrix]
    intrinsic: pd.DataFrame
    not_scored: pd.DataFrame
    figures: Sequence[ReportFigure]
    calibration: pd.DataFrame | None = None
    energies: pd.DataFrame | None = None
    sample_facts: Mapping[str, str] = field(default_factory=dict)
    latents: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    environments: Mapping[str, tuple[str, Mapping[str, str]]] = field(default_factory=dict)
    hashes: Mapping[str, str] = field(default_factory=dict)
    configuration: str = ""
    newick: str = ""
    results: str = ""
    notes: Sequence[str] = ()
    citations: Sequence[Citation] = ()


def render_report(data: ReportData) -> str:
    """Return the report as one HTML document: the same data gives the same text.

    Raises
    ------
    MatterAlignError
        If a figure is not an SVG document.
    """
    environment = Environment(
        loader=PackageLoader("matteralign.report.page", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    names = {m.model: _shown(m) for m in data.models}
    baselines = {m.model for m in data.models if m.baseline}
    figures = [
        {
            "number": i,
            "title": f.title,
            "caption": f.caption,
            "files": list(f.files),
            # Cleaned and escaped by the XML writer.
            "svg": Markup(inline_svg(f.svg, f"fig{i}", f"{f.title}. {f.caption}")),  # noqa: S704
        }
        for i, f in enumerate(data.figures, 1)
    ]
    return environment.get_template("report.html.j2").render(
        data=data,
        title=f"Alignment of {len(data.models)} models on {data.slice_name}",
        figures=figures,
        sample=_sample(data),
        tables=_tables(data, names, baselines),
        matrices=[
            _matrix(m, options, names, baselines)
            for m, options in zip(data.matrices, captions.told_apart(data.matrices), strict=True)
        ],
        floors=_floors(data),
        untrained=any(m.weights == "untrained" for m in data.models),
        baseline_names=[names[m] for m in names if m in baselines],
        citations=data.citations,
        not_scored_cut=max(0, len(data.not_scored) - NOT_SCORED_SHOWN),
        calibrated_cut=calibrated_cut(data.calibration),
        intervals=intervals_told(data.calibration),
        no_energies=no_energies(data.energies, names),
        masked_cut=max(0, len(data.masked_rows) - MASKED_SHOWN),
    )


def _sample(data: ReportData) -> dict[str, str]:
    return {
        "Dataset": data.dataset,
        "Slice": data.slice_name,
        "Structures": f"{data.n:,}",
        "Sample set id": data.sample_set_id,
        "Seed of the draw": "none (fixed list)" if data.seed is None else str(data.seed),
        **data.sample_facts,
    }


def _tables(
    data: ReportData, names: Mapping[str, str], baselines: set[str]
) -> dict[str, HtmlTable]:
    def shown(frame: pd.DataFrame) -> pd.DataFrame:
        out = frame.copy()
        for column in ("model", "model_a", "model_b"):
            if column in out:
                out[column] = [names.get(str(m), str(m)) for m in out[column]]
        return out

    rows_of_baseline = {names[m] for m in baselines}
    coverage = shown(data.coverage)
    coverage["coverage"] *= 100.0
    coverage = coverage.rename(columns={"coverage": "coverage, %"})
    return {
        "models": frame_html(_models(data), marked=rows_of_baseline),
        "coverage": frame_html(coverage, marked=rows_of_baseline),
        "masked_reasons": frame_html(shown(data.masked_reasons)),
        "masked_rows": frame_html(shown(data.masked_rows.head(MASKED_SHOWN))),
        "intrinsic": frame_html(shown(data.intrinsic), marked=rows_of_baseline),
        "not_scored": frame_html(shown(data.not_scored.head(NOT_SCORED_SHOWN))),
        "latents": frame_html(_latents(data, names)),
        "calibration": calibration_html(data.calibration, names, baselines),
        "energies": energies_html(data.energies, names),
    }


def _shown(facts: ModelFacts) -> str:
    mark = f" {UNTRAINED_MARK} untrained" if facts.weights == "untrained" else ""
    return shorten(facts.name, NAME_SHOWN) + mark


_HASH_FROM = {
    "card": "the card",
    "lock": "the lock of weights",
    "first download": "recorded at first download",
}


def _models(data: ReportData) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "model": _shown(m),
                "key": m.model,
                "row of the study": m.study_row,
                "group": m.group or m.family,
                "input": m.input,
                "embedding": m.embedding,
                "functional": m.functional,
                "training sets": m.training_sets,
                "parameters": m.parameters,
                "of the model": m.parameters_card,
                "in the study": m.parameters_study,
                "why another": m.parameters_note if _other_count(m) else "",
                "Table 1 prints": m.printed,
                "prompt": m.prompt,
                "weights": m.weights,
                "licence": m.licence,
                "checkpoint sha256": m.checkpoint_sha256,
                "hash from": _hash_from(m),
            }
            for m in data.models
        ],
        dtype=object,
    )


def _hash_from(facts: ModelFacts) -> str:
    return "" if facts.weights == "untrained" else _HASH_FROM.get(facts.hash_from, "")


def _other_count(facts: ModelFacts) -> bool:
    return facts.parameters_study not in (None, facts.parameters_card)


def _latents(data: ReportData, names: Mapping[str, str]) -> pd.DataFrame:
    fields = ("dim", "wrapper", "wrapper_version", "environment", "sha256")
    return pd.DataFrame(
        [
            {"model": names.get(key, key), **{f: facts.get(f) for f in fields}}
            for key, facts in data.latents.items()
        ],
        columns=["model", *fields],
        dtype=object,
    )


def _matrix(
    matrix: ScoreMatrix, options: str, names: Mapping[str, str], baselines: set[str]
) -> dict[str, object]:
    floor = baseline_range(matrix, baselines)
    basis = (
        f"{captions.matrix_name(matrix)}, definition "
        f"{captions.definition_name(matrix.metric, matrix.definition)}"
    )
    parts = [
        basis,
        captions.options_text(matrix.params),
        captions.scaling_text(matrix.params),
        captions.count_text(matrix.n_min, matrix.n_max),
    ]
    text = ", ".join(p for p in parts if p) + "."
    direction = METRICS[matrix.metric].direction
    if direction:
        text += f" Row a, column b: {direction}."
    if floor is not None:
        text += f" Random baseline: {cell_of(floor[0]).text} to {cell_of(floor[1]).text}"
        text += (
            "; pale cells are not above its highest score."
            if METRICS[matrix.metric].larger_is_closer
            else "; pale cells are not below its lowest score."
        )
    text += f" {captions.notes_text(matrix.notes)}".rstrip()
    if len(matrix.missing):
        text += f" Without a score: {len(matrix.missing)} ordered pairs, reasons below."
    return {
        "title": ", ".join(
            part for part in (captions.matrix_name(matrix), matrix.definition, options) if part
        ),
        "caption": text,
        "table": matrix_html(matrix, names, baselines, floor),
    }


def _floors(data: ReportData) -> pd.DataFrame | None:
    """Return the expected scores of independent Gaussian data of this slice's size."""
    n = data.n
    if n < 2:
        return None
    rows = [
        {
            "d": d,
            "CKA": d / (n + d),
            "dCor²": 4 * d / (n + 4 * d),
            "dCor": (4 * d / (n + 4 * d)) ** 0.5,
        }
        for d in (64, 128, 256, 512)
    ]
    return pd.DataFrame(rows)
