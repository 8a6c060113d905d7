"""Fill the report of a slice from its files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import yaml

from matteralign import __version__
from matteralign.core.errors import IntegrityError
from matteralign.core.files import read_record
from matteralign.core.hashing import sha256_file
from matteralign.core.scaling import SCALINGS
from matteralign.metrics import METRICS
from matteralign.report.analysis.dimensions import dimension_table
from matteralign.report.analysis.matrices import select_scores
from matteralign.report.analysis.tables import not_scored_table
from matteralign.report.cite import works_of
from matteralign.report.drawing import matrices, tree_of
from matteralign.report.drawn import read_drawn
from matteralign.report.page.page import ReportData, ReportFigure
from matteralign.report.slice_findings import findings_absent
from matteralign.report.slice_view import SliceView
from matteralign.store.structures import SampleSet, read_structures

_PACKAGES = (
    "numpy",
    "scipy",
    "pandas",
    "pyarrow",
    "scikit-bio",
    "matplotlib",
    "rdkit",
    "snakemake",
)


_WARNINGS = 5  # shown of the records that were read
# Share of structures with one common neighbour from which a local score is warned about.
_HUB = 0.5
_ONE_LENGTH = ("l2", "clamp_l2")
_LENGTHS = (
    "There the score compares lengths of vectors more than neighbourhoods; prefer a definition on "
    "unit rows (l2)."
)
_CROWDED = (
    "All rows have the same length, so length is not the reason: k is large compared with the "
    "number of structures, or all latents have nearly the same direction. Take a smaller k or more "
    "structures; read the debiased score."
)
_LARGE_K = (
    "k is more than half of the structures, so this happens for any model: the score does not "
    "compare neighbourhoods. Take a smaller k or more structures; read the debiased score."
)


def report_data(view: SliceView) -> ReportData:
    """Gather what the report of a slice says.

    Raises
    ------
    IntegrityError
        If a file of an earlier stage is missing or damaged.
    """
    layout = view.layout
    sample = read_structures(layout.structures)
    tables = view.score_tables
    no_tree = _no_tree(view)
    return ReportData(
        slice_name=layout.slice,
        dataset=sample.dataset,
        n=len(sample),
        sample_set_id=sample.id,
        seed=_seed(sample),
        models=view.facts,
        coverage=tables["coverage"],
        masked_reasons=tables["masked_reasons"],
        masked_rows=tables["masked_rows"],
        matrices=matrices(view),
        calibration=tables["calibration"],
        energies=tables.get("energy_regression"),
        intrinsic=dimension_table(view.dimensions, view.keys),
        not_scored=not_scored_table(view.scores),
        figures=_figures(view),
        sample_facts={
            "Level of theory": sample.info.get("level_of_theory", ""),
            "Licence of the data": sample.info.get("licence", ""),
            "Source": sample.info.get("citation", ""),
        },
        latents={key: _latent(view.sidecars[key]) for key in view.keys},
        versions=_versions(view),
        environments=_environments(view),
        hashes=_hashes(view),
        configuration=yaml.safe_dump(_configuration(view), sort_keys=False, allow_unicode=True),
        newick="" if no_tree else (layout.figures / "tree.nwk").read_text(encoding="utf-8").strip(),
        results=view.identity,
        citations=works_of(view),
        notes=[
            *_skipped(sample),
            *_warned(sample),
            *_untrained(view),
            *_prompts(view),
            *_licences(view),
            *_few_rows(view),
            *_unscaled(view),
            *_hubs(view),
            *no_tree,
            *_absent(view),
        ],
    )


def _absent(view: SliceView) -> list[str]:
    """Return one note on the findings that this slice cannot have."""
    told = findings_absent(view.results)
    return [f"Not shown of this slice: {'; '.join(told)}."] if told else []


def _seed(sample: SampleSet) -> int | None:
    """Return the seed that the rows were drawn with, as their file says; None: it does not."""
    said = sample.info.get("seed", "")
    return int(said) if said.isdecimal() else None


def _skipped(sample: SampleSet) -> list[str]:
    count = int(sample.info.get("skipped", "0"))
    if not count:
        return []
    return [
        f"{count:,} records that were drawn could not be read and were replaced by others; "
        "skipped.json, next to this report, says which and why."
    ]


def _warned(sample: SampleSet) -> list[str]:
    count = int(sample.info.get("warned", "0"))
    if not count:
        return []
    texts = json.loads(sample.info["warnings"])[:_WARNINGS]
    listed = "; ".join(f"{text} ({records:,})" for text, records in texts)
    return [
        f"{count:,} records were read with warnings, the most frequent: {listed}. warnings.json, "
        "next to this report, lists them."
    ]


def _untrained(view: SliceView) -> list[str]:
    names = [fact.name for fact in view.facts if fact.weights == "untrained"]
    if not names:
        return []
    return [
        f"UNTRAINED weights (†): {'; '.join(names)}. These are random networks of the same "
        "architecture, not the published models. Their scores and energies say nothing about "
        "trained models."
    ]


def _prompts(view: SliceView) -> list[str]:
    names = [fact.name for fact in view.facts if fact.study_row and fact.prompt == "own"]
    if not names:
        return []
    return [
        f"prompt: own. {'; '.join(names)} read prompts in this project's words, not the study's, "
        "so these rows do not reproduce the study's. `matteralign prompts` says how to use its "
        "words, which the paper prints."
    ]


def _licences(view: SliceView) -> list[str]:
    trained = {fact.model for fact in view.facts if fact.weights == "trained"}
    return [
        f"{card.name}: {card.checkpoint.licence}. {card.checkpoint.restricted}"
        for card in view.study.panel(view.layout.slice)
        if card.checkpoint.restricted and card.key in trained
    ]


def _few_rows(view: SliceView) -> list[str]:
    """Say which models took fewer of the rows than the slice's threshold."""
    least = view.study.slice(view.layout.slice).min_coverage
    covered = view.score_tables["coverage"].set_index("model")["coverage"]
    few = [
        f"{fact.name} ({covered[fact.model]:.0%})"
        for fact in view.facts
        if covered[fact.model] < least
    ]
    if not few:
        return []
    return [
        f"These models processed fewer than {least:.0%} of the structures: {'; '.join(few)}. Their "
        "scores are based on other structures than the rest of the table; see n of each pair."
    ]


def _unscaled(view: SliceView) -> list[str]:
    """Say which models have rows that a scaling could not be applied to."""
    used = dict.fromkeys(m.scaling for m in (*view.pair_measures, *view.model_measures))
    notes = []
    for scaling in used:
        counts = {
            fact.name: view.neighbor_sidecars[fact.model]["scalings"].get(scaling, {})
            for fact in view.facts
        }
        left_out = [
            f"{name} ({facts['unscaled']:,})"
            for name, facts in counts.items()
            if facts.get("unscaled")
        ]
        if left_out:
            notes.append(
                f"Rows that cannot be divided (no positive element) are left out of scores with "
                f"{scaling} scaling ({SCALINGS[scaling]}): {'; '.join(left_out)}."
            )
    return notes


def _hubs(view: SliceView) -> list[str]:
    """Warn if one structure is a neighbour of most others: such a CKNNA misleads."""
    names = {fact.model: fact.name for fact in view.facts}
    notes = []
    for measure in view.pair_measures:
        if measure.spec.metric != "cknna":
            continue
        score = select_scores(view.scores, "cknna", measure.spec.definition, measure.params)
        n = score.loc[score["status"] == "ok", "n"]
        if n.empty:
            continue
        shares = {
            names[key]: sidecar["scalings"].get(measure.scaling, {}).get("largest_hub", 0.0)
            for key, sidecar in view.neighbor_sidecars.items()
        }
        hubs = {name: share for name, share in shares.items() if share > _HUB}
        if hubs:
            listed = "; ".join(f"{name} ({share:.0%})" for name, share in hubs.items())
            k = measure.spec.integer("k")
            why = _CROWDED if measure.scaling in _ONE_LENGTH else _LENGTHS
            notes.append(
                f"CKNNA {measure.spec.definition} (k = {k}, {measure.scaling} scaling): one "
                f"structure is an inner-product neighbour of most others in {listed}. "
                + (_LARGE_K if 2 * k > n.min() else why)
            )
    return notes


def _no_tree(view: SliceView) -> list[str]:
    found = tree_of(view, support=False)
    return [f"There is no tree of the models: {found}."] if isinstance(found, str) else []


def _figures(view: SliceView) -> list[ReportFigure]:
    folder = view.layout.figures
    return [
        ReportFigure(
            title=entry["title"],
            caption=entry["caption"],
            svg=(folder / f"{entry['stem']}.svg").read_text(encoding="utf-8"),
            files=[f"figures/{entry['stem']}.svg", f"figures/{entry['stem']}.png"],
        )
        for entry in read_drawn(view)
    ]


def _latent(sidecar: Mapping[str, Any]) -> dict[str, Any]:
    wanted = ("dim", "sha256", "wrapper", "wrapper_version")
    facts = {name: sidecar[name] for name in wanted if name in sidecar}
    return facts | {"environment": sidecar.get("environment", {}).get("name", "")}


def _versions(view: SliceView) -> dict[str, str]:
    measures = (*view.pair_measures, *view.model_measures)
    used = {measure.spec.metric for measure in measures}
    metrics = {f"metric {name}": str(METRICS[name].version) for name in sorted(used)}
    packages = {name: version(name) for name in _PACKAGES}
    return {"matteralign": __version__} | metrics | packages


def _environments(view: SliceView) -> dict[str, tuple[str, dict[str, str]]]:
    found: dict[str, tuple[str, dict[str, str]]] = {}
    for sidecar in view.sidecars.values():
        environment = sidecar.get("environment", {})
        name = environment.get("name", "unknown")
        lock, packages = found.get(name, (environment.get("lock_sha256", ""), {}))
        found[name] = (lock, packages | environment.get("packages", {}))
    return found


def _hashes(view: SliceView) -> dict[str, str]:
    layout = view.layout
    swept = [layout.sweep] if view.sweep is not None else []
    listed = read_record(layout.table_list, ("results", "files"))
    if listed["results"] != view.identity:
        raise IntegrityError(
            f"{layout.table_list}: the tables are of other results or settings; write them again: "
            f"`matteralign tables {layout.slice}`"
        )
    tables = [layout.tables / name for name in sorted(listed["files"])]
    for path in tables:
        if sha256_file(path) != listed["files"][path.name]:
            raise IntegrityError(
                f"{path}: was changed since it was written; write the tables again: "
                f"`matteralign tables {layout.slice}`"
            )
    files = [layout.structures, layout.scores, *swept]
    files += [path for path in tables if path.suffix == ".parquet"]
    return {path.relative_to(layout.root).as_posix(): sha256_file(path) for path in files}


def _configuration(view: SliceView) -> dict[str, Any]:
    config = view.study.config.model_dump(mode="json")
    chosen = config["slices"][view.layout.slice]
    return {
        "slices": {view.layout.slice: chosen},
        "metrics": config["metrics"],
        "tree": config["tree"],
    }
